"""What every process that measures would otherwise load by itself, seconds each time: loaded once, before they fork.

Nothing here computes or starts a thread. The first call of a custom operator imports torch._dynamo; the first kernel
that numba reads from its cache makes numba learn every type it knows.
"""

from __future__ import annotations

from contextlib import suppress

from a2u_bench import build, check  # noqa: F401
from a2u_bench.measure import ceilings, floor, latency, memory, predict, work  # noqa: F401

with work.quiet_import():
    import fvcore.nn  # noqa: F401

build.load_ours()

with suppress(ImportError, AttributeError):  # another numba may keep them elsewhere, and then learns them when asked
    from numba.core import registry

    registry.cpu_target.typing_context.refresh()
    registry.cpu_target.target_context.refresh()

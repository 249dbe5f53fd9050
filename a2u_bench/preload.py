"""What every process that measures would otherwise load by itself, seconds each time: loaded once, before they fork.

Nothing here computes, starts a thread or touches CUDA. The first call of a custom operator imports torch._dynamo. What
belongs to one kind of device stands in modules of its own.
"""

from __future__ import annotations

from a2u_bench import build, check  # noqa: F401
from a2u_bench.measure import ceilings, floor, latency, memory, predict, work  # noqa: F401

with work.quiet_import():
    import fvcore.nn  # noqa: F401

build.load_ours()

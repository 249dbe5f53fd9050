"""What every process that measures would otherwise load by itself, seconds each time: loaded once, before they fork.

Nothing here computes, starts a thread or touches CUDA. What belongs to one kind of device stands in modules of its own.
"""

from __future__ import annotations

from a2u_bench import operators
from a2u_bench.measure import (  # noqa: F401
    ceilings,
    check,
    floor,
    latency,
    memory,
    predict,
    work,
)

with work.quiet_import():
    import fvcore.nn  # noqa: F401

operators.load_ours()

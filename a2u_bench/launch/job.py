"""The side of a job: it measures the plan of its part and leaves the results there.

`python -m a2u_bench.launch.job PART`, or `measure` as a call.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from a2u_bench import machine, runner
from a2u_bench.launch import part
from a2u_bench.store import Store

WAIT = 120.0
"""Seconds to wait for an earlier job of the same part that has not let go of it yet."""


def measure(folder: str) -> None:
    """Measure what the part's plan asks and the part has no row for. Returns nothing: results are files."""
    plan = part.read_plan(Path(folder))
    with Store.open(Path(folder) / part.RUN, plan.to_manifest(), resume=True, wait=WAIT) as store:
        store.write_manifest({"machine": machine.record()})
        runner.run(plan, store)


def _end_with_parent() -> None:
    """Be killed when the process that started us is gone: nobody would gather what we measure, nor stop us."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    _end_with_parent()
    measure(sys.argv[1])

"""The side of a job: it measures the plan of its part, or trains what it says, and leaves the results there.

`python -m a2u_bench.launch.job PART`, or `work` as a call.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from a2u_bench import doctor, machine, pool, runner
from a2u_bench.launch import lesson, part
from a2u_bench.store import Store

WAIT = 120.0
"""Seconds to wait for an earlier job of the same part that has not let go of it yet."""


def work(folder: str) -> None:
    """Do what the part's plan asks and the part has no row for. Returns nothing: results are files."""
    if lesson.is_lesson(Path(folder)):
        _train(Path(folder))
    else:
        _measure(Path(folder))


def _measure(folder: Path) -> None:
    plan = part.read_plan(folder)
    threads = [case.threads for case in plan.cases]
    with _opened(folder, plan.to_manifest(), threads, plan.devices) as store:
        runner.run(plan, store)


def _train(folder: Path) -> None:
    from a2u_bench.quality.run import run, set_up

    given = lesson.read(folder)
    threads = given.job.trial.threads
    with _opened(folder, {"suite": "quality"}, [threads]) as store:
        set_up(threads)
        run([given.job], lesson.load(given), store, given.checkpoints or folder / part.CHECKPOINTS)


def _opened(
    folder: Path, manifest: Mapping[str, Any], threads: Sequence[int], devices: Collection[str] = ("cpu",)
) -> Store:
    """The part's own run, which knows the machine that it is measured on and how good it is."""
    store = Store.open(folder / part.RUN, manifest, resume=True, wait=WAIT)
    described = machine.record(part.command(folder), torch=lambda: pool.torch_facts(devices))
    store.write_manifest({"machine": described, "doctor": doctor.examine(described, threads).to_manifest()})
    return store


def _end_with_parent() -> None:
    """Be killed when the process that started us is gone: nobody would gather what we measure, nor stop us."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    _end_with_parent()
    work(sys.argv[1])

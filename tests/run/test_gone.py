"""A GPU that falls off its bus in a run: what is finished is kept, the rest fails with the reason, and at once."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeClock, FakeStore, FakeWorker, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.errors import BenchError
from a2u_bench.run import processes as pool
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.runner import run
from a2u_bench.suites.plan import Plan, Settings

LOST = "AcceleratorError: CUDA error: unknown error"


def case(operator: str) -> Case:
    return Case(operator, "default", operator, 1, 8, 4, 4, device="cuda")


class Machine:
    """Processes on a GPU that works until so many were started, each start after which takes `seconds` in vain."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lasts: int, seconds: float = 4.0) -> None:
        self.clock, self.tried = FakeClock(), 0
        self.workers = FakeWorkers(self.clock)
        self.lasts, self.seconds = lasts, seconds
        monkeypatch.setattr(pool, "Process", self.start)
        monkeypatch.setattr("a2u_bench.run.examine.compile_ahead", lambda cases, shared: 0.0)

    def start(self, context: Any, settings: tuple[str, int, int], timeout: float) -> FakeWorker:
        self.tried += 1
        if self.tried > self.lasts:
            self.clock.now += self.seconds
            raise BenchError(f"no process to measure in could be started: {LOST}")
        if self.tried == self.lasts:
            return Dying(self.workers, self.tried)
        return self.workers.start(*settings, timeout)

    def measure(self, *names: str, settings: Settings, store: FakeStore | None = None) -> list[dict[str, Any]]:
        plan = Plan("paper", tuple(case(name) for name in names), (), settings)
        return run(plan, store, workers=NoCeilings(["cuda"]), clock=self.clock)  # type: ignore[arg-type]


class NoCeilings(pool.Processes):
    def ceilings(self, device: str, threads: int, dtypes: Any) -> dict[str, Any]:
        return {"device": device, "threads": threads, "matrix": dict.fromkeys(dtypes, 1.0)}

    def renew(self) -> None: ...


class Dying(FakeWorker):
    """The process in which the GPU is lost."""

    def round(self, asked: Any) -> list[list[float]]:
        raise CaseEnded("failed", LOST, lost=True, place=0)

    def __exit__(self, *_: Any) -> None: ...


def test_finished_rows_are_kept_and_the_rest_fails_with_the_reason_and_without_a_cascade_of_starts(monkeypatch):
    settings = Settings(processes=1, max_rounds=2, block=1, time_budget=1e-3)
    machine, store = Machine(monkeypatch, lasts=3), FakeStore()
    rows = machine.measure(*"abcdefgh", settings=settings, store=store)
    found = {row["operator"]: (row["status"], row["reason"]) for row in rows}
    assert list(found.values()).count(("ok", "")) == 1  # timed by the second process; the first one examined
    assert list(found.values()).count(("failed", LOST)) == 1  # what was being timed
    gone = f"cuda is gone: no process to measure in could be started: {LOST}"
    assert list(found.values()).count(("failed", gone)) == 6
    assert machine.tried == 4
    assert machine.clock.now < 2 * machine.seconds
    assert store.rows == rows


def test_a_gpu_on_which_no_process_ever_started_ends_the_run(monkeypatch):
    machine = Machine(monkeypatch, lasts=0)
    with pytest.raises(BenchError, match="no process to measure in could be started"):
        machine.measure("a", "b", settings=Settings(processes=1))
    assert machine.tried == 1


def test_a_cpu_is_never_gone(monkeypatch):
    machine = Machine(monkeypatch, lasts=2)
    processes = pool.Processes()
    processes.start("cpu", 1, 0, 1.0)
    processes.start("cpu", 1, 0, 1.0)
    for _ in range(2):
        with pytest.raises(BenchError):
            processes.start("cpu", 1, 0, 1.0)
    assert machine.tried == 4

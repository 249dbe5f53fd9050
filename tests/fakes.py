"""A clock, processes and a store that obey: the scheduler and the statistics are tested on them to the last digit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from a2u_bench.case import Case
from a2u_bench.measure.latency import Calls
from a2u_bench.run.process import CaseEnded


class FakeClock:
    """Seconds that pass only when someone says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeWorkers:
    """Processes that take a stated time for a sample, and fail where they are told to.

    `seconds(case, process, round)` is a sample; `fails` maps (operator, step, process) to the way a case ends there.
    `starting` is how long a process takes to start, `renewing` a new forkserver, `building` a case in it; `checking`
    how long the check of a case takes, `compiling` how long kernels are compiled in it besides. `cost` is what a sample
    takes by the examination, which knows nothing where it is 0. Process 0 examines; the others time.
    """

    clock: FakeClock
    seconds: Callable[[Case, int, int], float] = lambda case, process, index: 0.001
    fails: Mapping[tuple[str, str, int], CaseEnded] = field(default_factory=dict)
    checking: float = 0.0
    compiling: float = 0.0
    starting: float = 0.0
    building: float = 0.0
    cost: Callable[[Case], float] = lambda case: 0.0
    own: float = 0.75  # the share of a sample that is an accelerator's own
    asked: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)  # ceilings
    log: list[tuple[int, str, str]] = field(default_factory=list)
    started: int = 0
    alive: int = 0
    renewing: float = 0.0
    renewed: list[int] = field(default_factory=list)  # how many processes had been started, each time

    def renew(self) -> None:
        self.clock.now += self.renewing
        self.renewed.append(self.started)

    def start(self, device: str, threads: int, seed: int, timeout: float) -> FakeWorker:
        self.started += 1
        self.alive += 1
        self.clock.now += self.starting
        return FakeWorker(self, self.started - 1)

    def ceilings(self, device: str, threads: int, dtypes: Sequence[str]) -> dict[str, Any]:
        self.asked.append((device, threads, tuple(dtypes)))
        return {"device": device, "threads": threads, "copy": [], "matrix": dict.fromkeys(dtypes, 1.0)}


@dataclass
class FakeWorker:
    workers: FakeWorkers
    number: int
    rounds: dict[str, int] = field(default_factory=dict)

    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        workers = self.workers
        workers.log.append((self.number, step, case.operator))
        end = workers.fails.get((case.operator, step, self.number))
        if end is not None:
            raise end
        if step == "check":
            workers.clock.now += workers.checking + workers.compiling
            return workers.compiling
        if step == "build":
            workers.clock.now += workers.building
        if step == "warm_up":
            calls = Calls(0, 1, workers.cost(case))
            workers.clock.now += calls.warming
            return calls
        if step == "measure":
            return {"params": 7, "macs": 11, "macs_fvcore": 11, "peak_memory": 13}
        if step in ("time_cold", "time_device"):
            seconds = workers.seconds(case, self.number, self.rounds[case.operator] - 1)
            workers.clock.now += seconds
            return [{"time_cold": 3, "time_device": workers.own}[step] * seconds]
        if step == "notes":
            return [f"note of {case.operator}"]
        if step == "time":
            index = self.rounds.get(case.operator, 0)
            self.rounds[case.operator] = index + 1
            seconds = workers.seconds(case, self.number, index)
            workers.clock.now += seconds
            return [seconds]
        return None

    def round(self, asked: Sequence[tuple[Case, Any]]) -> list[list[float]]:
        found = []
        for place, (case, calls) in enumerate(asked):
            try:
                found.append(self.ask("time", case, calls))
            except CaseEnded as end:
                end.place = place
                raise
        return found

    def __enter__(self) -> FakeWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.workers.alive -= 1


@dataclass
class FakeStore:
    """Rows and samples in memory; a disk that is full after `room` appends."""

    finished: set[str] = field(default_factory=set)
    rounds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    samples: list[list[dict[str, Any]]] = field(default_factory=list)
    room: int = 10**9
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def last_process(self) -> int:
        return max((sample["process"] for samples in self.rounds.values() for sample in samples), default=-1)

    def append_samples(self, samples: Iterable[Mapping[str, Any]]) -> None:
        self._write()
        self.samples.append([dict(sample) for sample in samples])

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        self.manifest |= manifest

    def append_row(self, row: Mapping[str, Any]) -> None:
        self._write()
        self.rows.append(dict(row))

    def _write(self) -> None:
        if self.room == 0:
            raise OSError(28, "No space left on device")
        self.room -= 1

"""Examining: before anything is timed every case is checked and what takes no clock is measured, cheap cases first.

It takes what it takes: kernels are compiled here, a slow operator is called several times. The time budget is for
timing, which comes afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from a2u_bench import operators
from a2u_bench.case import ENGINES, Case
from a2u_bench.run import onnx_answers
from a2u_bench.run.ahead import compile_ahead
from a2u_bench.run.block import Shared
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.processes import Worker
from a2u_bench.run.schedule import Cost

if TYPE_CHECKING:
    from a2u_bench.measure.latency import Calls

ON_A_GPU = 5
"""Samples' worth of time in each round: its own one, and the device's time, warm and cold, each with a call and a hold
before it."""

HALVES = ("float16", "bfloat16")
SLOWER = 30.0
"""Times that a CPU may take for a multiply-add of halves, for which it has no arithmetic."""


@dataclass
class Examination:
    """What is known of cases before they are timed: their measures and what they cost; those that ended are `shared`.

    `ceilings` gives what the machine can do for a case. Seconds: `examining` in all but compiling, of it `checking`
    outputs, and `compiling` kernels, which later runs read from a cache.
    """

    shared: Shared
    ceilings: Callable[[Case], dict[str, Any] | None]
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)  # seconds of a process's start, by device
    checking: float = 0.0
    examining: float = 0.0
    compiling: float = 0.0

    STEP: ClassVar = "check"  # what is said of a case meanwhile

    def to_manifest(self) -> dict[str, float]:
        """What it took, in seconds."""
        return {name: round(getattr(self, name), 3) for name in ("examining", "checking", "compiling")}

    def run(self, cases: Iterable[Case]) -> None:
        """Examine these cases, in processes that time nothing, with kernels that are compiled."""
        cases = list(cases)
        self.compiling += compile_ahead(cases, self.shared)
        left = [case for case in cases if case.id not in self.shared.ended]
        for _, group in groupby(sorted(left, key=_process), key=_process):
            waiting = sorted(group, key=work)
            while waiting:
                begin, device = self.shared.clock(), waiting[0].device
                with self.shared.start(waiting[0]) as worker:
                    took = self.shared.clock() - begin
                    self.starts[device] = min(took, self.starts.get(device, took))
                    self._all(worker, waiting)

    def _all(self, worker: Worker, waiting: list[Case]) -> None:
        """Those that wait, until one ends its process."""
        while waiting:
            case = waiting.pop(0)
            self.shared.doing(case, self.STEP)
            begin, compiled = self.shared.clock(), self.compiling
            try:
                self._one(worker, case)
                if not self._export(worker, case):
                    return
                worker.ask("drop", case)
            except CaseEnded as end:
                self.shared.ended[case.id] = end
                if end.lost:
                    return
                worker.ask("drop", case)
            finally:
                self.examining += self.shared.clock() - begin - (self.compiling - compiled)

    def _one(self, worker: Worker, case: Case) -> None:
        clock = self.shared.clock
        worker.ask("predict", case, self.shared.settings.memory_limit)
        begin = clock()
        worker.ask("build", case)
        setup = clock() - begin
        if case.runtime in ENGINES:
            begin = clock()
            worker.ask("export", case)
            self.compiling += clock() - begin
            begin = clock()
            worker.ask("compile", case)  # of each process, which makes a session of its own
            setup += clock() - begin
        elif case.runtime == "compile":
            begin = clock()
            worker.ask("compile", case)
            self.compiling += clock() - begin
        begin = clock()
        compiled = worker.ask("check", case)
        self.compiling += compiled
        self.checking += clock() - begin - compiled
        self.measures[case.id] = worker.ask("measure", case, self.ceilings(case))
        calls = worker.ask("warm_up", case, 0.0)
        self.note_cost(case, setup, calls)

    def note_cost(self, case: Case, setup: float, calls: Calls) -> None:
        """What a case costs a process that times it: seconds before its first round, and in each round."""
        samples = ON_A_GPU if case.device == "cuda" else 1
        self.costs[case.id] = Cost(setup + max(self.shared.settings.warm_up, calls.warming), samples * calls.sample)

    def _export(self, worker: Worker, case: Case) -> bool:
        """Ask whether the operator becomes an ONNX model, where that is wanted; False where it cost the process."""
        if not self.shared.settings.onnx or not onnx_answers.is_asked(case):
            return True
        measures = self.measures[case.id]
        try:
            measures["onnx"] = "no" if worker.ask("onnx", case) else "yes"
        except CaseEnded as end:
            measures["onnx"] = "no" if end.status == "failed" else None
            return not end.lost
        return True


def work(case: Case) -> float:
    """How much a call is likely to do, by multiply-adds; enough to put cheap cases before dear ones."""
    slower = SLOWER if case.device == "cpu" and case.dtype in HALVES else 1.0
    return slower * operators.expected_macs(case)


def _process(case: Case) -> tuple[str, ...]:
    """What cases that share a process have in common."""
    return case.device, f"{case.threads:06}", case.runtime, case.allocator or ""

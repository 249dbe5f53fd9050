"""Forecast: how long a run will take, known before it begins.

Every case is called until a moment is over, uncompiled, and the least of these calls is what one costs. From these
costs the schedule follows, as it does in the run, and what examining will take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.run.block import Shared
from a2u_bench.run.examine import Examination
from a2u_bench.run.onnx_answers import is_asked
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.processes import Processes, Worker, Workers
from a2u_bench.run.progress import Listener
from a2u_bench.run.schedule import Cost, arrange, beside, longest
from a2u_bench.suites.plan import Plan

OTHERWISE = 10.0
"""Seconds in which a run starts, looks at the machine and measures its ceilings, and prints its table."""

TRYING, MOMENT, TIMES = 20.0, 0.3, 3
"""Seconds for which cases are called in all, for which one is at most at a time, and how often it is: threads that just
started, or that another library's keep from running, are slow for some calls."""

EXAMINED, CALLS = 0.06, 6
"""Seconds in which a case is examined, and the calls of it that this takes besides it being built."""

EXPORTED = 4.0
"""Seconds in which a case is exported to ONNX."""

BUILT = 3
"""Times that a person's network is built to be examined, by what that takes: it is traced and counted, too."""

Range = tuple[int, int]


@dataclass(frozen=True)
class Foretold:
    """Seconds until all of these cases are measured, and the fewest and the most that any of them has of each."""

    cases: int
    examining: float
    timing: float
    starting: float  # of one process
    processes: Range
    rounds: Range
    samples: Range
    calls: Mapping[str, float]  # seconds of a sample, by the id of its case

    @property
    def parts(self) -> dict[str, int]:
        """What the whole time consists of, in seconds."""
        parts = {"checking and counting": self.examining, "timing": self.timing, "all else": OTHERWISE}
        return {name: round(seconds) for name, seconds in parts.items()}

    @property
    def seconds(self) -> int:
        """The whole time."""
        return sum(self.parts.values())

    def words(self) -> str:
        """How many processes, rounds and samples a case will have."""
        counts = ((self.samples, "sample"), (self.processes, "process"), (self.rounds, "round"))
        said, started, rounds = (f"{_range(count)} {what}{_plural(what, count)}" for count, what in counts)
        return f"each case has {said}: {started} of {rounds}, one of which takes {self.starting:.2g} s to start"


def foretell(
    plan: Plan,
    left: Sequence[Case],
    listener: Listener,
    *,
    workers: Workers | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Foretold:
    """How long these cases of a plan will take here, found by trying each of them. Compiles the kernels they need."""
    shared = Shared(
        plan.settings,
        workers or Processes(plan.devices, plan.gradients),
        clock,
        lambda samples: None,
        listener.doing,
        lambda: None,
    )
    subjects = list(dict.fromkeys([*left, *(case for one in left for case in beside(plan, one))]))
    tried = list(dict.fromkeys(map(_tried, subjects)))
    moment = min(MOMENT, TRYING / TIMES / max(1, len(tried)))
    trial = _Trial(shared, lambda case: None, listener=listener, moment=moment)
    listener.planned(len(tried), len(tried))
    shared.workers.renew()  # reads from the disk what every later one finds in memory
    begin = clock()
    shared.workers.renew()
    renewing = clock() - begin
    trial.run(tried)
    sound = [case for case in subjects if _tried(case).id in trial.costs]
    costs = {case.id: trial.costs[_tried(case).id] for case in sound}
    shares = arrange([case for case in left if case in sound], plan, costs, trial.starts, renewing)
    expected = [share.expected(plan.settings) for share in shares]
    return Foretold(
        len(left),
        sum(_examining(case, costs[case.id], plan.settings.onnx) for case in sound),
        min(sum(one.seconds for one in expected), longest(plan.settings)),
        max(trial.starts.values(), default=0.0),
        _ends([one.processes for one in expected]),
        _ends([one.rounds for one in expected]),
        _ends([one.processes * one.rounds for one in expected]),
        {name: cost.sample for name, cost in costs.items()},
    )


def _tried(case: Case) -> Case:
    """What is called in place of a case: compiled it would take longer to make than to time."""
    return replace(case, runtime="eager")


def _examining(case: Case, cost: Cost, onnx: bool) -> float:
    """Seconds in which a case is likely to be examined: built, compared with its definition, counted and exported."""
    times = BUILT if operators.is_own_network(case) else 1
    exported = EXPORTED if onnx and is_asked(case) else 0.0
    return EXAMINED + times * cost.setup + CALLS * cost.sample + exported


@dataclass
class _Trial(Examination):
    """Tries cases out in place of examining them."""

    listener: Listener = field(kw_only=True)
    moment: float = field(kw_only=True)  # seconds for which a case is called at a time

    STEP = "try"

    def _one(self, worker: Worker, case: Case) -> None:
        try:
            worker.ask("predict", case, self.shared.settings.memory_limit)
            begin = self.shared.clock()
            worker.ask("build", case)
            setup = self.shared.clock() - begin
            worker.ask("compile", case)  # its first call
            tries = [worker.ask("warm_up", case, self.moment) for _ in range(TIMES)]
            self.note_cost(case, setup, min(tries, key=lambda calls: calls.seconds))
        except CaseEnded as end:
            self._tell(case, end.status, end.reason)
            raise
        self._tell(case, "ok", "")

    def _tell(self, case: Case, status: str, reason: str) -> None:
        self.listener.row_done({"options": case.options, "status": status, "reason": reason})

    def _export(self, worker: Worker, case: Case) -> bool:
        return True


def _ends(counts: Sequence[int]) -> Range:
    return (min(counts), max(counts)) if counts else (0, 0)


def _range(ends: Range) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _plural(word: str, ends: Range) -> str:
    return "" if ends == (1, 1) else "es" if word.endswith("s") else "s"

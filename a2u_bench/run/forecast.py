"""Forecast: how long a run will take, known before it begins.

Every case is called twice on a small map, which tells what a call costs: time grows with the map. What is cheap is
called as it is. From these costs the schedule follows, as it does in the run, and what examining will take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.run.block import Shared
from a2u_bench.run.examine import Examination
from a2u_bench.run.processes import Processes, Worker, Workers
from a2u_bench.run.schedule import Cost, arrange, beside
from a2u_bench.suites.plan import Plan

OTHERWISE = 10.0
"""Seconds in which a run starts, looks at the machine and measures its ceilings, and prints its table."""

EXAMINED, CALLS = 0.06, 6
"""Seconds in which a case is examined, and the calls of it that this takes besides it being built."""

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
    def seconds(self) -> float:
        """The whole time."""
        return OTHERWISE + self.examining + self.timing

    def words(self) -> str:
        """How many processes, rounds and samples a case will have."""
        counts = ((self.samples, "sample"), (self.processes, "process"), (self.rounds, "round"))
        said, started, rounds = (f"{_range(count)} {what}{_plural(what, count)}" for count, what in counts)
        return f"each case has {said}: {started} of {rounds}, one of which takes {self.starting:.2g} s to start"


def foretell(
    plan: Plan,
    left: Sequence[Case],
    doing: Callable[[Case, str], None],
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
        doing,
        lambda: None,
    )
    trial = _Trial(shared, lambda case: None)
    subjects = list(dict.fromkeys([*left, *(case for one in left for case in beside(plan, one))]))
    for case in subjects[:1]:
        with shared.start(case):  # the first one loads for all of them, as in a run those do that look at the machine
            pass
    trial.run(subjects)
    begin = clock()
    shared.workers.renew()
    renewing = clock() - begin
    shares = arrange(left, plan, trial.costs, trial.starts)
    costs = [trial.costs.get(case.id, Cost()) for case in subjects]
    counts = [share.turn.processes(share.purse, plan.settings) for share in shares]
    return Foretold(
        len(left),
        sum(_examining(case, cost) for case, cost in zip(subjects, costs, strict=True)),
        sum(share.turn.expected(share.purse, plan.settings) for share in shares) + renewing * max(counts, default=0),
        max(trial.starts.values(), default=0.0),
        _ends(counts),
        _ends([share.turn.rounds for share in shares]),
        _ends([count * share.turn.rounds for count, share in zip(counts, shares, strict=True)]),
        {case.id: cost.sample for case, cost in zip(subjects, costs, strict=True)},
    )


def _examining(case: Case, cost: Cost) -> float:
    """Seconds in which a case is likely to be examined: built, compared with its definition, and counted."""
    times = BUILT if operators.is_own_network(case) else 1
    return EXAMINED + times * cost.setup + CALLS * cost.sample


class _Trial(Examination):
    """Tries cases out in place of examining them."""

    def _one(self, worker: Worker, case: Case) -> None:
        setup, calls = worker.ask("attempt", case)
        self.note_cost(case, setup, calls)


def _ends(counts: Sequence[int]) -> Range:
    return (min(counts), max(counts)) if counts else (0, 0)


def _range(ends: Range) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _plural(word: str, ends: Range) -> str:
    return "" if ends == (1, 1) else "es" if word.endswith("s") else "s"

"""The schedule: which cases share a block, how many rounds a process runs, how much time each block has.

A process that takes o seconds to start, and c for a round, costs o + R·c. Medians of R rounds stray between processes
by σ² + (π/2)·ρ²/R, where σ is how processes differ and ρ how rounds do; for a given time their mean strays least at
R = ρ/σ · √(π/2 · o/c). So where a process is dear, as on an accelerator, fewer of them run more rounds each. No process
runs fewer rounds than fit into its share of a case's seconds. Blocks take turns, and each pass of them has a forkserver
of its own: the time in which that starts is shared by them, and a part of o.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from a2u_bench.case import Case
from a2u_bench.suites.plan import Plan, Settings, Workload, workload

STRAYING = 2.0
"""ρ/σ, about: how much farther rounds stray than processes do, as seen in runs on a virtual machine."""

MOST_PROCESSES = 2
"""Times the asked number of processes: where more would not bring the intervals to their target, nothing will."""

FEWEST_PROCESSES = 3
"""Where time is over, no fewer than these: two could not say how much processes differ."""

OVERRUN, GRACE = 2.0, 60.0
"""Times the time budget, but at least so many seconds: what is not timed by then will not be. Until then a slow or
loaded machine may still come to the fewest processes that an interval needs. A budget of 0 has no such end: it asks
for the least that can be measured, however long that takes; nor has a run without one, whose time is what it needs."""

SLOW, FACTOR = 0.05, 8.0
"""Seconds of a sample from which on cases are slow; in a block of slow ones none takes so many times another, so that
a round of cheap ones does not wait for a dear one."""


@dataclass(frozen=True)
class Cost:
    """What a case costs a process, in seconds: before its first round, and in each round."""

    setup: float = 0.0
    sample: float = 0.0


@dataclass(frozen=True)
class Turn:
    """What one process of a block is expected to cost, in seconds, and the rounds that it runs."""

    start: float
    round: float
    rounds: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.start + self.rounds * self.round


@dataclass(frozen=True)
class Expected:
    """What becomes of a block that is not measured closely enough before its time is over."""

    processes: int
    rounds: int  # of each process
    seconds: float


@dataclass(frozen=True)
class Share:
    """A block to come: its cases, what a process of it costs, and the seconds that it has."""

    cases: tuple[Case, ...]
    turn: Turn
    purse: float

    def expected(self, settings: Settings) -> Expected:
        """As `Block` has it: each process ends with its share of the seconds, and the block with its own."""
        start, each, rounds = self.turn.start, self.turn.round, self.turn.rounds
        if each > 0:
            fit = math.ceil((self.purse / settings.processes - start) / each)
            rounds = max(settings.min_rounds, min(rounds, fit))
        one, most = start + rounds * each, MOST_PROCESSES * settings.processes
        count = max(fewest(settings), min(most, round(self.purse / one))) if one > 0 else most
        return Expected(count, rounds, count * one)


def longest(settings: Settings) -> float:
    """Seconds after which nothing is timed any more."""
    return max(OVERRUN * settings.time_budget, GRACE) if settings.time_budget else math.inf


def fewest(settings: Settings) -> int:
    """Processes that a block has even where its time is over."""
    return min(FEWEST_PROCESSES, settings.processes)


def compose(cases: Sequence[Case], plan: Plan, costs: Mapping[str, Cost]) -> list[tuple[Case, ...]]:
    """Blocks of cases of one workload that are alike slow, without the reference unless nothing else is left."""
    by_workload: dict[Workload, list[Case]] = {}
    for case in cases:
        by_workload.setdefault(workload(case), []).append(case)
    found = []
    for alike in by_workload.values():
        others = [case for case in alike if plan.reference is None or case != plan.reference.beside(case)]
        by_class = sorted(others or alike, key=lambda case: _slowness(costs.get(case.id, Cost())))
        for _, group in groupby(by_class, key=lambda case: _slowness(costs.get(case.id, Cost()))):
            members = list(group)
            count = -(-len(members) // plan.settings.block)
            bounds = [index * len(members) // count for index in range(count + 1)]
            found += [tuple(members[start:stop]) for start, stop in pairwise(bounds)]
    return found


def arrange(
    cases: Sequence[Case], plan: Plan, costs: Mapping[str, Cost], starts: Mapping[str, float], renewing: float
) -> list[Share]:
    """The blocks of these cases by what each costs, by its id, and by the seconds in which a process starts, by device,
    and a new forkserver."""
    groups = compose(cases, plan, costs)
    timed = [dict.fromkeys([*some, *beside(plan, some[0])]) for some in groups]
    turns = [
        turn(
            [costs.get(case.id, Cost()) for case in some],
            starts.get(cases[0].device, 0.0) + renewing / len(groups),
            plan.settings,
        )
        for cases, some in zip(groups, timed, strict=True)
    ]
    seconds = purses(turns, [len(some) for some in timed], plan.settings)
    return [Share(*parts) for parts in zip(groups, turns, seconds, strict=True)]


def beside(plan: Plan, case: Case) -> tuple[Case, ...]:
    """The reference of a case's workload, where the plan has one."""
    return () if plan.reference is None else (plan.reference.beside(case),)


def turn(costs: Sequence[Cost], start: float, settings: Settings) -> Turn:
    """What a process of a block with these cases costs, where starting one takes `start` seconds."""
    ready, each = start + sum(cost.setup for cost in costs), sum(cost.sample for cost in costs)
    if each <= 0:
        return Turn(ready, 0.0, settings.max_rounds)
    best = STRAYING * math.sqrt(math.pi / 2 * ready / each)
    fit = (settings.each * len(costs) / settings.processes - ready) / each
    rounds = max(2 * round(best / 2), 2 * int(fit / 2))
    return Turn(ready, each, max(settings.min_rounds, min(settings.max_rounds, rounds)))


def purses(turns: Sequence[Turn], sizes: Sequence[int], settings: Settings) -> list[float]:
    """Seconds that each block has, with these numbers of cases: what its fewest processes need, and a share for each
    case; in the same proportions of the time budget, where one is given."""
    own = [max(size * settings.each, settings.processes * one.seconds) for one, size in zip(turns, sizes, strict=True)]
    if settings.time_budget is None:
        return own
    return [settings.time_budget * part / sum(own) for part in own]


def _slowness(cost: Cost) -> int:
    return 0 if cost.sample < SLOW else 1 + int(math.log(cost.sample / SLOW, FACTOR))

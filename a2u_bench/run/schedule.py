"""The schedule: which cases share a block, how many rounds a process runs, how much time each block has.

A process that takes o seconds to start, and c for a round, costs o + R·c. Medians of R rounds stray between processes
by σ² + (π/2)·ρ²/R, where σ is how processes differ and ρ how rounds do; for a given time their mean strays least at
R = ρ/σ · √(π/2 · o/c). So where a process is dear, as on an accelerator, fewer of them run more rounds each. No process
runs fewer rounds than fit into its share of a case's seconds: blocks take turns, each pass of them has a forkserver of
its own, and that is dear too.
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

    def processes(self, purse: float, settings: Settings) -> int:
        """How many of them there will be in so many seconds."""
        least, most = settings.processes, MOST_PROCESSES * settings.processes
        return max(least, min(most, int(purse / self.seconds))) if self.seconds > 0 else most

    def expected(self, purse: float, settings: Settings) -> float:
        """The time that they will take together where so many seconds are given for it."""
        shortest = self.start + settings.min_rounds * self.round
        return max(min(purse, MOST_PROCESSES * settings.processes * self.seconds), FEWEST_PROCESSES * shortest)


@dataclass(frozen=True)
class Share:
    """A block to come: its cases, what a process of it costs, and the seconds that it has."""

    cases: tuple[Case, ...]
    turn: Turn
    purse: float


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


def arrange(cases: Sequence[Case], plan: Plan, costs: Mapping[str, Cost], starts: Mapping[str, float]) -> list[Share]:
    """The blocks of these cases by what each costs, by its id, and what a process takes to start, by device."""
    groups = compose(cases, plan, costs)
    timed = [dict.fromkeys([*some, *beside(plan, some[0])]) for some in groups]
    turns = [
        turn([costs.get(case.id, Cost()) for case in some], starts.get(cases[0].device, 0.0), plan.settings)
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

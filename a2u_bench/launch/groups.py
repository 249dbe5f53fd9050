"""Timing groups: which cases one job measures, alone on its machine, what it needs, and how long it takes.

Operators are compared on one workload, so all operators of a workload are one group: they interleave in one job on
one machine. Different workloads are never compared in time and may run anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from a2u_bench.runner import GRACE, OVERRUN
from a2u_bench.spec import Case
from a2u_bench.suites.plan import Settings, workload

SLOWEST_START = 300.0
"""Seconds in which the slowest file system has given a job all that it loads."""

START, LEAST = 10.0, 1.0
"""Seconds in which a job starts and loads what it needs, and in which a case is examined: guesses, for a forecast."""


@dataclass(frozen=True)
class Needs:
    """What a job asks of its machine; jobs with equal needs make one array."""

    device: str
    threads: int
    alone: bool = True
    """Whether nothing else may run beside it: what others do changes a latency, not what a network learns."""


@dataclass(frozen=True)
class Group:
    """All cases of one workload. The name is computed from the workload, so that it is the same next time."""

    name: str
    cases: tuple[Case, ...]

    @property
    def needs(self) -> Needs:
        """The same for all of its cases."""
        return Needs(self.cases[0].device, self.cases[0].threads)


def groups(cases: Iterable[Case]) -> list[Group]:
    """The cases by workload, in the order in which each workload comes first."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(_name(case), []).append(case)
    return [Group(name, tuple(members)) for name, members in found.items()]


def expected_seconds(group: Group, settings: Settings) -> float:
    """How long a job is likely to take: its start, a second for each case before it is timed, and its time budget."""
    count = len(group.cases)
    timing = settings.each * count if settings.time_budget is None else settings.time_budget
    return START + LEAST * count + timing


def most_seconds(group: Group, settings: Settings) -> float:
    """How long a job may take before something is wrong with it.

    Without a budget, or with one of 0, there is no end; there, some step of every case may take its timeout.
    """
    examined = SLOWEST_START + len(group.cases) * settings.timeout
    return examined + (max(OVERRUN * settings.time_budget, GRACE) if settings.time_budget else 0.0)


def elapsed_seconds(groups: Iterable[Group], settings: Settings, at_once: int | None) -> float:
    """How long all jobs are likely to take, so many at once; all at once where that is None."""
    each = [expected_seconds(group, settings) for group in groups]
    if not each:
        return 0.0
    return math.ceil(len(each) / (at_once or len(each))) * max(each)


def _name(case: Case) -> str:
    digest = hashlib.sha256(json.dumps(dict(workload(case)), sort_keys=True).encode()).hexdigest()
    return f"{case.device}-{'x'.join(map(str, case.shape))}-{digest[:12]}"

"""Timing groups: which cases one job measures, alone on its machine, what it needs, and how long it takes.

Operators are compared on one workload, so all operators of a workload are one group: they interleave in one job on
one machine. Different workloads are never compared in time and may run anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence

from a2u_bench.case import Case
from a2u_bench.run.jobs.launcher import Job, Needs
from a2u_bench.run.schedule import longest
from a2u_bench.suites.plan import Settings, workload

SLOWEST_START = 300.0
"""Seconds in which the slowest file system has given a job all that it loads."""

START, LEAST = 10.0, 1.0
"""Seconds in which a job starts and loads what it needs, and in which a case is examined: guesses, for a forecast."""


def jobs(cases: Iterable[Case], settings: Settings, words: Sequence[str] = ()) -> list[Job]:
    """A job for each workload, in the order in which each comes first. The name is computed from the workload.

    It is likely to take a second for each case before it is timed, and its time budget. Without a budget, or with one
    of 0, there is no end but that some step of every case may take its timeout.
    """
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(_name(case), []).append(case)
    found = []
    for name, members in groups.items():
        count, budget = len(members), settings.time_budget
        examined = SLOWEST_START + count * settings.timeout
        found.append(
            Job(
                name,
                Needs(members[0].device, members[0].threads),
                tuple(case.id for case in members),
                tuple(words),
                seconds=LEAST * count + (settings.each * count if budget is None else budget),
                most=examined + (longest(settings) if budget else 0.0),
                facts={"cases": count},
            )
        )
    return found


def elapsed_seconds(jobs: Sequence[Job], at_once: int | None) -> float | None:
    """How long all jobs are likely to take, so many at once, or all; None where nothing is known of one of them."""
    each = [job.seconds for job in jobs if job.seconds is not None]
    if len(each) < len(jobs):
        return None
    return math.ceil(len(each) / (at_once or len(each))) * (START + max(each)) if each else 0.0


def _name(case: Case) -> str:
    digest = hashlib.sha256(json.dumps(dict(workload(case)), sort_keys=True).encode()).hexdigest()
    return f"{case.device}-{'x'.join(map(str, case.shape))}-{digest[:12]}"

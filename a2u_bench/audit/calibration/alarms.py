"""What the comparisons come to: false alarms among the alike, slow-downs that were found among the slowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scipy.stats import binomtest

from a2u_bench import stats
from a2u_bench.audit.calibration.pairs import ABComparison
from a2u_bench.judge.verdicts import LEVEL

SLOWER = 5  # per cent
FOUND = 0.95  # of the slow-downs, at least


@dataclass(frozen=True)
class Criterion:
    """One thing that was checked: what was demanded, what was found, and whether that will do."""

    name: str
    demanded: str
    found: str
    holds: bool


def alike_findings(alike: Sequence[ABComparison], asked: int) -> list[Criterion]:
    """False alarms: differences that were found sure, whatever their size."""
    found = [_enough("A/A", alike, asked)]
    if alike:
        alarms, count = _alarms(alike), len(alike)
        most = math.floor(count * (LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / count)))
        found.append(Criterion("A/A false alarms", f"at most {most} of {count}", _share(alarms, count), alarms <= most))
    found += _apart(alike)
    corrected = stats.holm([one.probability for one in alike])
    said = f"{int(sum(corrected <= LEVEL))} after Holm's correction over all"
    return [*found, Criterion("A/A as one table", "reported", said, holds=True)]


def slowed_findings(slowed: Sequence[ABComparison], asked: int) -> list[Criterion]:
    """How many of the slow-downs were found, and that none was taken for anything else.

    They must be found where both were timed by the same processes. Those of two blocks are compared through the
    reference, whose ratio moves from process to process by more than they are slowed: what is found there is reported,
    with how wide the intervals are. That these are not too narrow, the false alarms of two blocks say.
    """
    wrong = sorted({one.verdict for one in slowed} - {"slower", "inconclusive"})
    beside = [one for one in slowed if one.same_process]
    found, least = _found(beside), math.ceil(FOUND * len(beside))
    demanded = f"at least {least} of {len(beside)}"
    return [
        _enough("A/B", slowed, asked),
        Criterion(f"A/B {SLOWER} % found", demanded, _share(found, len(beside)), 0 < least <= found),
        *_in_two_blocks([one for one in slowed if not one.same_process]),
        Criterion("A/B the rest", "inconclusive", ", ".join(wrong) or "inconclusive", not wrong),
    ]


def _in_two_blocks(slowed: Sequence[ABComparison]) -> list[Criterion]:
    if not slowed:
        return []
    wide = median((one.high - one.low) / (2 * one.ratio) for one in slowed)
    said = f"{_share(_found(slowed), len(slowed))}, half intervals {wide:.1%}"
    return [Criterion("in two blocks", f"reported, of {len(slowed)}", said, holds=True)]


def _found(slowed: Sequence[ABComparison]) -> int:
    return [one.verdict for one in slowed].count("slower")


def _apart(some: Sequence[ABComparison]) -> list[Criterion]:
    """How many alarms there are in one process and in two blocks. These are reported: each further limit would be one
    more that a sound instrument exceeds by chance."""
    found = []
    for name, same_process in (("of these, in one process", True), ("of these, in two blocks", False)):
        group = [one for one in some if one.same_process is same_process]
        found.append(Criterion(name, f"reported, of {len(group)}", _share(_alarms(group), len(group)), holds=True))
    return found


def _alarms(some: Sequence[ABComparison]) -> int:
    return sum(one.probability <= LEVEL for one in some)


def _enough(name: str, some: Sequence[ABComparison], asked: int) -> Criterion:
    known = sum(math.isfinite(one.high) for one in some)
    return Criterion(f"{name} comparisons", str(asked), str(known), known == asked)


def _share(part: int, whole: int) -> str:
    """`3 (1.4 %, 95 % certainly between 0.3 % and 4.2 %)`, by Clopper and Pearson."""
    if not whole:
        return "0"
    ends = binomtest(part, whole).proportion_ci(0.95, "exact")
    return f"{part} ({part / whole:.1%}; 95 % interval {ends.low:.1%} to {ends.high:.1%})"

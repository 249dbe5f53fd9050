"""Operators beside replicas of themselves: which pairs there are, in which order they are timed, how each compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from a2u_bench import operators, stats
from a2u_bench.case import Case
from a2u_bench.judge.verdicts import LEVEL, verdicts
from a2u_bench.stats import Estimate

BLOCK = 16

SIDE, CHANNELS = 16, 16


@dataclass(frozen=True)
class ABComparison:
    """A case over the case that it is compared with."""

    operator: str
    same_process: bool
    ratio: float
    low: float
    high: float
    probability: float
    verdict: str


def synthetic(name: str) -> Case:
    """A case of an operator of `a2u_bench.operators.bench_only.known_costs`."""
    asked = operators.operator(f"a2u_bench.synthetic:{name}")
    return Case(asked.name, asked.variant, asked.text, 1, CHANNELS, SIDE, SIDE)


def replica(of: str, variant: int, percent: int, copy: int) -> Case:
    """An operator by its name and the index of its variant, so many per cent slower; copies differ in nothing else."""
    return synthetic(f"Replica:of={of},variant={variant},percent={percent},copy={copy}")


def replicas(count: int, percent: int) -> list[tuple[Case, Case]]:
    """So many pairs of an operator and its replica, slower by so much: every operator, then their variants, in turn."""
    every = {name: operators.facts(name) for name in operators.names()}
    counts = {name: len(one.variants) for name, one in every.items() if one.guide_size == "output"}
    subjects = [(name, index) for index in range(max(counts.values())) for name in counts if index < counts[name]]
    pairs = []
    for number in range(count):
        name, variant = subjects[number % len(subjects)]
        copy = 2 * (number // len(subjects))
        pairs.append((replica(name, variant, 0, copy), replica(name, variant, percent, copy + 1)))
    return pairs


def order(pairs: Sequence[tuple[Case, Case]]) -> list[Case]:
    """The cases of all pairs: for BLOCK pairs at a time, by turns, the two side by side or in blocks of their own."""
    found: list[Case] = []
    for start in range(0, len(pairs), BLOCK):
        some = pairs[start : start + BLOCK]
        apart = (start // BLOCK) % 2 == 1
        found += (
            [case for side in zip(*some, strict=True) for case in side] if apart else [c for pair in some for c in pair]
        )
    return found


def compare(
    pairs: Iterable[tuple[Case, Case]], samples: Iterable[Mapping[str, Any]], reference: Case
) -> list[ABComparison]:
    """The verdict on each pair that was measured, as if each were a table of its own; through the reference where the
    two were timed in two blocks."""
    by_case = stats.gather(samples)
    found = []
    for first, second in pairs:
        if first.id in by_case and second.id in by_case:
            one, other = by_case[second.id], by_case[first.id]
            ratio = stats.through(one, other, by_case.get(reference.id, {}))
            single = Estimate(*(np.atleast_1d(getattr(ratio, name)) for name in ("log", "error", "freedom")))
            low, high = (float(end[0]) for end in single.interval(1 - LEVEL))
            found.append(
                ABComparison(
                    first.options.rpartition("synthetic:")[2],
                    bool(one.keys() & other.keys()),
                    float(single.value[0]),
                    low,
                    high,
                    float(single.probability[0]),
                    str(verdicts(single)[0]),
                )
            )
    return found

"""Whether operators rank alike along an axis: Kendall's τ between two of its values, and pairs that change places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from a2u_bench import stats
from a2u_bench.judge import LEVEL, difference
from a2u_bench.record import SHAPE, SIDES, SUBJECT, is_axis

if TYPE_CHECKING:
    from a2u_bench.reading import Reading

AXES = (SHAPE, "scale", "dtype", "layout", "mode", "runtime", "device", "threads", "allocator")
"""The axes along which a ranking may change; all others tell operators or runs apart."""

FEWEST = 3
"""Operators: two are no ranking."""


@dataclass(frozen=True)
class Comparison:
    """Two values of an axis: the workloads that have both, the operators ranked, the least τ of all, and who swaps."""

    axis: str
    first: str
    second: str
    workloads: int
    operators: int
    tau: float
    swaps: tuple[tuple[str, str], ...]  # quicker at the first value, quicker at the second


def varying(frame: pd.DataFrame) -> list[str]:
    """The axes of which the frame has several values."""
    return [axis for axis in AXES if axis in frame and frame[axis].nunique() > 1]


def along(frame: pd.DataFrame, axis: str, reading: Reading | None = None) -> list[Comparison]:
    """The first value of an axis against each other one, over all workloads that have both.

    A pair changes places where both orders are sure, as `judge.difference` says after Holm's correction over all pairs.
    """
    timed = frame[frame["latency"].notna() & frame["options"].notna()]
    timed = timed.assign(at=range(len(timed)))
    if timed.empty:
        return []
    rest = [
        name
        for name in (*(n for n in timed.columns if is_axis(str(n))), SHAPE)
        if name != axis and name not in SUBJECT and not (axis == SHAPE and name in SIDES)
    ]
    values = list(dict.fromkeys(timed[axis].dropna()))
    workloads = [group for _, group in timed.groupby(rest, dropna=False, sort=False)]
    found = []
    for second in values[1:]:
        pairs = [pair for group in workloads if (pair := _both(group, axis, values[0], second)) is not None]
        if pairs:
            swaps = dict.fromkeys(swap for pair in pairs for swap in _swaps(timed, pair, reading))
            taus = [_tau(pair) for pair in pairs]
            most = max(len(pair) for pair in pairs)
            found.append(Comparison(axis, str(values[0]), str(second), len(pairs), most, min(taus), tuple(swaps)))
    return found


def _both(group: pd.DataFrame, axis: str, first: object, second: object) -> pd.DataFrame | None:
    """Places and latencies of the operators that have both values, side by side; None where they are too few."""
    sides = [
        group[group[axis] == value].drop_duplicates("options").set_index("options")[["at", "latency"]]
        for value in (first, second)
    ]
    joined = sides[0].add_suffix("_first").join(sides[1].add_suffix("_second"), how="inner")
    return joined if len(joined) >= FEWEST else None


def _tau(pair: pd.DataFrame) -> float:
    from scipy import stats as scipy_stats

    both = (pair[name].astype("float64") for name in ("latency_first", "latency_second"))
    return float(scipy_stats.kendalltau(*both).statistic)


def _swaps(timed: pd.DataFrame, pair: pd.DataFrame, reading: Reading | None) -> Iterator[tuple[str, str]]:
    """The pairs that surely change places, the one that is quicker at the first value before the other."""
    couples = np.array(list(combinations(range(len(pair)), 2)), dtype=np.intp)
    signs = []
    for side in ("first", "second"):
        at = pair[f"at_{side}"].to_numpy(dtype=np.intp)
        found = difference(timed, "latency", at[couples[:, 0]], at[couples[:, 1]], reading)
        signs.append(np.where(stats.holm(found.probability) <= LEVEL, np.sign(found.log), 0))
    names = [str(name) for name in pair.index]
    for one, other in couples[(signs[0] < 0) & (signs[1] > 0)]:
        yield names[one], names[other]
    for one, other in couples[(signs[0] > 0) & (signs[1] < 0)]:
        yield names[other], names[one]

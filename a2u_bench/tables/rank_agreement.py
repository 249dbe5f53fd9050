"""Whether operators rank alike along an axis: Kendall's τ between two of its values, and pairs that change places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from a2u_bench import stats
from a2u_bench.columns import SHAPE, SIDES, SUBJECT, is_axis
from a2u_bench.errors import UsageError, unknown
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.verdicts import LEVEL, difference
from a2u_bench.sanitize import plain
from a2u_bench.tables.table import Heading, Table

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


def along(frame: pd.DataFrame, axis: str, reading: Reading | None = None) -> list[Comparison]:
    """The first value of an axis against each other one, over all workloads that have both.

    A pair changes places where both orders are sure, as `judge.difference` says after Holm's correction over all pairs.
    UsageError for an unknown axis, or along which nothing can be ranked.
    """
    if axis not in AXES:
        raise unknown("axis", axis, AXES)
    timed = frame[frame["latency"].notna() & frame["options"].notna()]
    timed = timed.assign(at=range(len(timed)))
    apart = {axis, *SUBJECT, *(SIDES if axis == SHAPE else ())}
    rest = [name for name in (*filter(is_axis, map(str, timed.columns)), SHAPE) if name not in apart]
    first, *others = dict.fromkeys(timed[axis].dropna()) or [""]
    workloads = [group for _, group in timed.groupby(rest, dropna=False, sort=False)] if len(timed) else []
    found = []
    for second in others:
        pairs = [pair for group in workloads if len(pair := _both(group, axis, first, second)) >= FEWEST]
        if pairs:
            swaps = dict.fromkeys(swap for pair in pairs for swap in _swaps(timed, pair, reading))
            most, tau = max(map(len, pairs)), min(map(_tau, pairs))
            found.append(Comparison(axis, str(first), str(second), len(pairs), most, tau, tuple(swaps)))
    if not found:
        varying = ", ".join(name for name in AXES if name in frame and frame[name].nunique() > 1) or "none"
        raise UsageError(f"--ranking {axis}: no {FEWEST} operators share two values of it. Axes here: {varying}")
    return found


def to_table(found: Sequence[Comparison]) -> Table:
    """A line for each comparison, as a terminal shows it."""
    axis = found[0].axis
    heads = (
        Heading("second", axis, right=False, whole=True),
        *(Heading(name, label) for name, label in (("workloads",) * 2, ("operators",) * 2, ("tau", "Kendall's τ"))),
        Heading("swaps", "change places", right=False, most=44),
    )
    cells = []
    for one in found:
        swaps = plain("; ".join(f"{a} and {b}" for a, b in one.swaps)) or "none for sure"
        pair = plain(f"{one.first} to {one.second}")
        cells.append((pair, str(one.workloads), str(one.operators), f"{one.tau:.2f}", swaps))
    note = "τ: 1 where the order of latencies is the same, -1 where it is turned round; the least of all workloads"
    return Table(f"ranking by latency along {axis}", heads, tuple(cells), (note,))


def _both(group: pd.DataFrame, axis: str, first: object, second: object) -> pd.DataFrame:
    """Places and latencies of the operators that have both values, side by side."""
    sides = [
        group[group[axis] == value].drop_duplicates("options").set_index("options")[["at", "latency"]]
        for value in (first, second)
    ]
    return sides[0].add_suffix("_first").join(sides[1].add_suffix("_second"), how="inner")


def _tau(pair: pd.DataFrame) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(*(pair[f"latency_{side}"].astype("float64") for side in ("first", "second"))).statistic)


def _swaps(timed: pd.DataFrame, pair: pd.DataFrame, reading: Reading | None) -> list[tuple[str, str]]:
    """The pairs that change places significantly, the one that is quicker at the first value before the other."""
    couples = np.array(list(combinations(range(len(pair)), 2)), dtype=np.intp)
    signs = []
    for side in ("first", "second"):
        at = pair[f"at_{side}"].to_numpy(dtype=np.intp)
        found = difference(timed, "latency", at[couples[:, 0]], at[couples[:, 1]], reading)
        signs.append(np.where(stats.holm(found.probability) <= LEVEL, np.sign(found.log), 0))
    before, after = signs
    swapped = np.where((before < 0)[:, None], couples, couples[:, ::-1])[before * after < 0]
    return [(str(pair.index[one]), str(pair.index[other])) for one, other in swapped]

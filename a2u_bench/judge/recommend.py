"""The one operator to use within a budget, and those that cost more in something and gain something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench.columns import BY_NAME, RANKED, SHAPE
from a2u_bench.errors import UsageError
from a2u_bench.judge import pareto, verdicts
from a2u_bench.judge.budget import Limit, within
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.timings import MEASURES as TIMED

FITS, FRONT = "fits", "front"
EDGE = "perhaps"  # the value is within the limit, the end of its interval is not

FLAGS = (SHAPE, "scale", "mode")
"""Axes that `recommend` has a flag for; the others are chosen by --filter."""

MOST_ALTERNATIVES = 5


@dataclass(frozen=True)
class Difference:
    """How much another operator has of a measure, against the one to use: a ratio where `relative`, else a difference
    in SI units; with its 95 % interval where one is known."""

    name: str
    value: float
    low: float
    high: float
    relative: bool

    @property
    def is_gain(self) -> bool:
        """Whether the other one is better in this."""
        return (self.value > (1 if self.relative else 0)) == (BY_NAME[self.name].better == "higher")


@dataclass(frozen=True)
class Alternative:
    """Another row that fits, by its place, with what differs significantly from the one to use."""

    place: int
    gains: tuple[Difference, ...]
    costs: tuple[Difference, ...]


@dataclass(frozen=True)
class Miss:
    """The row that comes nearest where nothing fits, by its place among the judged, and the limit it misses most."""

    place: int
    limit: Limit
    times: float


@dataclass(frozen=True)
class Advice:
    """What to use, and why not the others.

    `rows` fit; the best of their `quality`, where it is known, decides. `use` is the place of the answer, None where
    nothing fits; `level` those that are not significantly worse in quality. The other frames are of rows that were
    left out, and why.
    """

    rows: pd.DataFrame
    quality: tuple[str, ...]
    use: int | None
    level: tuple[int, ...]
    alternatives: tuple[Alternative, ...]
    judged: pd.DataFrame
    nearest: Miss | None
    over: pd.DataFrame
    unscored: pd.DataFrame
    variants: pd.DataFrame  # fit, but stand for an operator that is judged at its defaults
    ended: pd.DataFrame  # did not end ok
    lacking: pd.DataFrame  # have no value of a quantity of the budget


def advise(
    frame: pd.DataFrame,
    limits: Sequence[Limit],
    reading: Reading | None = None,
    hidden: NDArray[np.bool_] | None = None,
) -> Advice:
    """The operator to use among the rows that ended ok within every limit, and the alternatives to it.

    With quality: of those whose quality is not significantly worse than the best one's, the fastest; alternatives are
    those that nothing else beats and that gain something significant. Without: the fastest, and the next fastest.
    `hidden` rows are variants that nobody asked for; they count where their own quality is known.
    """
    frame = with_exports(frame)
    hide = pd.Series(False if hidden is None else hidden, index=frame.index)
    well = frame[(frame["status"] == "ok").fillna(False).astype(bool)]
    lacking = well[[limit.name for limit in limits]].isna().any(axis=1)
    judged = well[~lacking]
    fit = within(judged, limits)
    fitting = judged[fit]
    quality = tuple(name for name in RANKED if name in fitting and fitting[name].notna().any())
    scored = fitting[list(quality)].notna().all(axis=1) if quality else pd.Series(False, index=fitting.index)
    variants = fitting[hide[fitting.index] & ~scored]
    rows = fitting.drop(variants.index)
    certain = within(rows, limits, end=True)
    front = pareto.front(rows, _objectives(rows, limits, quality), reading) if len(rows) else certain
    rows = rows.assign(**{FITS: pd.Series(np.where(certain, "yes", EDGE), rows.index, dtype="string"), FRONT: front})
    rows = _best_first(rows, _first(rows, limits), reading).sort_values(FRONT, ascending=False, kind="stable")
    pool = rows[scored[rows.index]] if quality else rows
    use, level = _choose(rows, pool, quality, limits, reading)
    return Advice(
        rows,
        quality,
        use,
        level,
        () if use is None else _alternatives(rows, pool, use, limits, reading, quality),
        judged,
        _nearest(judged, limits) if rows.empty and len(judged) else None,
        judged[~fit],
        rows.drop(pool.index),
        variants,
        frame.drop(well.index),
        well[lacking],
    )


def with_exports(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with `compiles` filled, where it is unknown, from cases of the same operator that ran compiled."""
    compiled = frame[(frame["runtime"] == "compile").fillna(False).astype(bool)]
    found: dict[str, str] = {}
    for options, status in zip(compiled["options"], compiled["status"], strict=True):
        if status == "ok":
            found[options] = "yes"
        elif status == "failed":
            found.setdefault(options, "no")
    told = frame["options"].map(found).astype("string")
    return frame.assign(compiles=frame["compiles"].fillna(told))


def must_agree(frame: pd.DataFrame, axis: str) -> None:
    """UsageError where rows differ in this axis: a budget has no one answer for all of them."""
    known = [str(value) for value in frame[axis].dropna().unique()]
    if len(known) > 1:
        flag = f"--{axis} " if axis in FLAGS else f"--filter {axis}="
        raise UsageError(f"the run has more than one {axis}; choose: {' or '.join(f'{flag}{one}' for one in known)}")


def _objectives(rows: pd.DataFrame, limits: Sequence[Limit], quality: Sequence[str]) -> list[str]:
    """What is weighed: the quantities of the budget, latency, and quality where it is known."""
    names = [*(limit.name for limit in limits), *(["latency"] if rows["latency"].notna().any() else []), *quality]
    return list(dict.fromkeys(names))


def _first(rows: pd.DataFrame, limits: Sequence[Limit]) -> str:
    """The cost by which the plainest operator is found: latency, or what was asked for first."""
    return "latency" if rows["latency"].notna().any() else limits[0].name


def _best_first(rows: pd.DataFrame, by: str, reading: Reading | None) -> pd.DataFrame:
    """The rows by one measure, the best one first; by latency, as `verdicts.ordering` says."""
    values = verdicts.ordering(rows, reading) if by == "latency" else verdicts.numbers(rows, by)
    return rows.iloc[np.argsort(-values if BY_NAME[by].better == "higher" else values, kind="stable")]


def _choose(
    rows: pd.DataFrame, pool: pd.DataFrame, quality: Sequence[str], limits: Sequence[Limit], reading: Reading | None
) -> tuple[int | None, tuple[int, ...]]:
    """The place of the row to use among those of the pool, and the places of those of the same quality."""
    if pool.empty:
        return None, ()
    best = pool[pareto.front(pool, quality, reading)] if quality else pool
    by = _first(best, limits)
    places = [int(place) for place in rows.index.get_indexer(_best_first(best, by, reading).index)]
    return places[0], tuple(places)


def _alternatives(
    rows: pd.DataFrame,
    pool: pd.DataFrame,
    use: int,
    limits: Sequence[Limit],
    reading: Reading | None,
    quality: Sequence[str],
) -> tuple[Alternative, ...]:
    """The best others: with quality those that are on the front and gain something, else the next fastest."""
    others = pool.drop(rows.index[use])
    if quality:
        others = others[others[FRONT].astype(bool)]
    by = quality[0] if quality else _first(rows, limits)
    others = _best_first(others, by, reading)
    names = dict.fromkeys([*_objectives(rows, limits, quality), "peak_memory"])
    found = []
    for place in rows.index.get_indexer(others.index):
        differences = [one for name in names if (one := _difference(rows, name, int(place), use, reading))]
        gains = tuple(one for one in differences if one.is_gain)
        if gains or not quality:
            found.append(Alternative(int(place), gains, tuple(one for one in differences if not one.is_gain)))
        if len(found) == MOST_ALTERNATIVES:
            break
    return tuple(found)


def _difference(rows: pd.DataFrame, name: str, place: int, use: int, reading: Reading | None) -> Difference | None:
    """How one row differs from the one to use; None where it does not significantly, or one of the two is unknown."""
    found = verdicts.difference(rows, name, np.array([place]), np.array([use]), reading)[0]
    value = float(found.log)
    if np.isnan(value) or not value or float(found.probability) > verdicts.LEVEL:
        return None
    if name in TIMED:
        low, high = (float(end) for end in found.interval())
        return Difference(name, float(np.exp(value)), low, high, relative=True)
    base = float(rows[name].iloc[use])
    if BY_NAME[name].unit != "dB" and BY_NAME[name].role == "measure" and base > 0 and name not in RANKED:
        ratio = float(rows[name].iloc[place]) / base
        return Difference(name, ratio, ratio, ratio, relative=True)
    low, high = (float(np.log(end)) for end in found.interval())
    return Difference(name, value, low, high, relative=False)


def _nearest(judged: pd.DataFrame, limits: Sequence[Limit]) -> Miss:
    """Where nothing fits: who comes nearest, and how many times the limit that it misses most."""
    found = []
    for place in range(len(judged)):
        worst, amount, number = 0.0, 0.0, 0
        for at, limit in enumerate(limits):
            value = float(judged[limit.name].iloc[place])
            above, below = (limit.value, value) if limit.at_least else (value, limit.value)
            times = above / below if below > 0 else float("inf") if above > 0 else 1.0
            if times > worst:
                worst, amount, number = times, -value if limit.at_least else value, at
        found.append((worst, amount, place, number))  # of a limit of zero all are infinitely many times: the least then
    times, _, place, number = min(found)
    return Miss(place, limits[number], times)

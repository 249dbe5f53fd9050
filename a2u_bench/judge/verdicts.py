"""Verdicts: how each latency compares with another one's of its workload, and what the samples allow to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench import stats
from a2u_bench.columns import RATIO, RUN, SUBJECT, VERDICT, is_axis
from a2u_bench.errors import MANY, UsageError, nearest
from a2u_bench.judge.timings import MEASURES as TIMED
from a2u_bench.stats import Estimate, Numbers
from a2u_bench.store.frames import SEEDS, workloads

if TYPE_CHECKING:
    from a2u_bench.judge.reading import Reading

MARGIN = 0.02
"""Two latencies whose ratio lies, with its interval, within 1 ± this share are the same for any purpose."""

LEVEL = 0.05
"""How often a table may name a difference by chance: in all its comparisons together, by Holm's correction."""

VERDICTS = ("faster", "slower", "same", "inconclusive")

Rows = NDArray[np.intp]


def difference(frame: pd.DataFrame, name: str, rows: Rows, others: Rows, reading: Reading | None = None) -> Estimate:
    """By how much each of `rows` has more of a measure than the one of `others` beside it.

    Of latencies the logarithm of the ratio: paired round by round where `reading` has samples that allow it, else by
    way of the reference, else of two latencies that are independent (Welch). Of other measures the difference, whose
    error is zero where the measure has no interval. `rows` and `others` are places in the frame.
    """
    each = estimates(frame, name)
    found = stats.change(each[others], each[rows])
    if reading is None or name not in TIMED:
        return found
    paired = reading.ratios(name, frame.index[rows].to_numpy(), frame.index[others].to_numpy())
    return choose(~np.isnan(paired.log), paired, found)


def ordering(frame: pd.DataFrame, reading: Reading | None = None) -> Numbers:
    """What orders the rows of each workload by how fast they are, infinite where that is unknown: their ratios to one
    reference, which hold where absolute times drift, if all that were timed have one; else their latencies."""
    latency = numbers(frame, "latency")
    by_ratio = are_ordered_by_ratio(frame, reading)
    found = np.where(by_ratio, numbers(frame, RATIO), latency) if by_ratio.any() else latency
    return np.where(np.isnan(latency), np.inf, found)


def are_ordered_by_ratio(frame: pd.DataFrame, reading: Reading | None = None) -> NDArray[np.bool_]:
    """Whether each row is of a workload in which all that were timed have a ratio, and to the same reference."""
    if reading is None or RATIO not in frame:
        return np.zeros(len(frame), dtype=bool)
    timed = ~np.isnan(numbers(frame, "latency"))
    workload = workloads(frame, SUBJECT)
    base = pd.Series(reading.against[frame.index], frame.index).where(~np.isnan(numbers(frame, RATIO)), -1)[timed]
    bases = base.groupby(workload[timed])
    several = (bases.nunique() > 1) | (bases.min() < 0)
    return workload.isin(several.index[~several.to_numpy(dtype=bool)]).to_numpy(dtype=bool)


def estimates(frame: pd.DataFrame, name: str) -> Estimate:
    """The measure of each row: the logarithms of latencies, other measures as they are."""
    value = numbers(frame, name)
    if f"{name}_low" not in frame:
        return Estimate(value, np.zeros(len(value)), np.where(np.isnan(value), 0.0, np.inf))
    low, high = numbers(frame, f"{name}_low"), numbers(frame, f"{name}_high")
    counted = "processes" if name in TIMED else SEEDS
    count = numbers(frame, counted) if counted in frame else np.full(len(frame), np.nan)
    if name in TIMED:
        with np.errstate(divide="ignore", invalid="ignore"):
            value, low, high = np.log(value), np.log(low), np.log(high)
    return stats.from_interval(value, low, high, count)


def against(frame: pd.DataFrame, base: Rows, word: str, reading: Reading | None = None) -> pd.DataFrame:
    """`frame` with `latency_ratio`, its 95 % interval and `verdict`: each row against the row at its place of `base`.

    *same*: the interval lies within 1 ± MARGIN; else *faster* or *slower*: the ratio is not 1, after Holm's correction
    over the rows of its run; else *inconclusive*. What is compared with itself has `word` for a verdict. -1 in `base`
    stands for no row: all four are then unknown.
    """
    latency = numbers(frame, "latency")
    rows = np.flatnonzero((base >= 0) & ~np.isnan(latency) & ~np.isnan(latency[base]))
    found = difference(frame, "latency", rows, base[rows], reading)
    own = base[rows] == rows
    found = choose(own, Estimate(np.zeros(len(rows)), np.zeros(len(rows)), np.full(len(rows), np.inf)), found)
    said = np.full(len(rows), word, dtype=object)
    runs = frame[RUN].to_numpy()[rows] if RUN in frame else np.zeros(len(rows))
    for run in pd.unique(runs):
        here = np.flatnonzero((runs == run) & ~own)
        said[here] = verdicts(found[here])
    low, high = found.interval()
    known = found.freedom > 0
    columns = {RATIO: (found.value, rows), f"{RATIO}_low": (low[known], rows[known])}
    columns[f"{RATIO}_high"] = (high[known], rows[known])
    made = {name: _spread(values, at, len(frame)).set_axis(frame.index) for name, (values, at) in columns.items()}
    verdict = pd.Series(pd.NA, index=frame.index, dtype="string")
    verdict.iloc[rows] = said
    return frame.assign(**made, **{VERDICT: verdict})


def verdicts(found: Estimate, margin: float = MARGIN, level: float = LEVEL) -> NDArray[np.object_]:
    """One of VERDICTS for each ratio, all of one table."""
    low, high = found.interval(1 - level)
    said = np.full(len(found.log), "inconclusive", dtype=object)
    sure = stats.holm(found.probability) <= level
    said[sure & (found.log < 0)] = "faster"
    said[sure & (found.log > 0)] = "slower"
    said[(low >= 1 - margin) & (high <= 1 + margin)] = "same"
    return said


def base_of(frame: pd.DataFrame, chosen: NDArray[np.bool_]) -> Rows:
    """For each row the first of the chosen rows on its workload, -1 without one."""
    group = workloads(frame, SUBJECT).to_numpy()
    found = np.full(int(group.max(initial=-1)) + 1, -1, dtype=np.intp)
    rows = np.flatnonzero(chosen)[::-1]
    found[group[rows]] = rows
    return found[group]


def named(frame: pd.DataFrame, baseline: str) -> NDArray[np.bool_]:
    """Which rows are the baseline's: an operator string as it stands in `options`, or an operator's name that has one
    row a workload. UsageError where none is, or where a name means several settings."""
    exactly = (frame["options"] == baseline).fillna(False).to_numpy(dtype=bool)
    if exactly.any():
        return exactly
    rows = (frame["operator"] == baseline).fillna(False).to_numpy(dtype=bool)
    settings = [str(text) for text in frame.loc[rows, "options"].dropna().unique()]
    workload = [name for name in frame.columns if is_axis(name) and name not in SUBJECT]
    if len(settings) == 1 or (settings and not frame.loc[rows].duplicated(workload).any()):
        return rows
    if settings:
        raise UsageError(f"--baseline {baseline} means several rows; allowed: {'; '.join(settings)}")
    allowed = [str(text) for text in frame["options"].dropna().unique()]
    match = nearest(baseline, allowed)
    hint = f"did you mean {match!r}? " if match else ""
    plain = dict.fromkeys(str(name) for name in frame["operator"].dropna())
    shown = allowed if len(allowed) <= MANY else [*plain, "or any of them with its options"]
    raise UsageError(f"--baseline {baseline!r} is not in this table; {hint}allowed: {'; '.join(shown) or 'none'}")


def choose(first: NDArray[np.bool_], one: Estimate, other: Estimate) -> Estimate:
    """One estimate where `first` holds, else the other."""
    pairs = zip((one.log, one.error, one.freedom), (other.log, other.error, other.freedom), strict=True)
    return Estimate(*(np.where(first, *pair) for pair in pairs))


def numbers(frame: pd.DataFrame, name: str) -> Numbers:
    """A column as numbers, NaN where unknown."""
    return np.asarray(frame[name].to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)


def _spread(values: Numbers, rows: Rows, length: int) -> pd.Series:
    """The values at their rows, NA elsewhere."""
    column = pd.Series(pd.NA, index=range(length), dtype="Float64")
    column.iloc[rows] = values
    return column

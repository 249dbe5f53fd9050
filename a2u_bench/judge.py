"""Verdicts: each latency's ratio to a baseline's on the same workload, and what the samples allow to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from a2u_bench import ratios
from a2u_bench.errors import UsageError, nearest
from a2u_bench.frames import RUN, is_axis, samples_by_case, workloads
from a2u_bench.ratios import Ratios, Samples
from a2u_bench.runs import Run

MARGIN = 0.02
"""Two latencies whose ratio surely lies within 1 ± this share are the same for any purpose."""

LEVEL = 0.05
"""How often a table may name a difference that is none: in all its comparisons together, by Holm's correction."""

SUBJECT = ("operator", "variant", "options")
"""The columns that say which operator; the other axes are the workload."""

RATIO, VERDICT = "latency_ratio", "verdict"
VERDICTS = ("faster", "slower", "same", "inconclusive")

SamplesOf = Mapping[tuple[str, str], Samples]
"""The samples of each case, by the label of its run ("" where there is one run alone) and its id."""


def samples_of(runs: Sequence[Run]) -> SamplesOf:
    """The raw samples of these runs, under the labels that `frames.runs_to_frame` gives them."""
    return gathered(samples_by_case(runs))


def gathered(samples: Mapping[tuple[str, str], Sequence[Mapping[str, object]]]) -> SamplesOf:
    """Stored samples by process and round."""
    return {key: rounds for key, listed in samples.items() for rounds in ratios.gather(listed).values()}


def against(
    frame: pd.DataFrame, baseline: str, margin: float = MARGIN, samples: SamplesOf | None = None
) -> pd.DataFrame:
    """`frame` with `latency_ratio`, its 95 % interval (`_low`, `_high`) and `verdict`; NA where there is no baseline.

    *same*: the interval lies within 1 ± `margin`; else *faster* or *slower*: the ratio is not 1, after Holm's
    correction over the table; else *inconclusive*. With `samples` the ratio is taken round by round, as `ratios`
    says; without, it is the ratio of the medians, and less is sure. `baseline` is an operator string as it stands in
    `options`, or an operator's name that has one row a workload.
    """
    frame = frame.reset_index(drop=True)
    chosen = _baseline_rows(frame, baseline)
    workload = [name for name in frame.columns if is_axis(name) and name not in SUBJECT]
    reference = frame.loc[chosen, workload].assign(base=frame.index[chosen]).drop_duplicates(workload)
    base = frame[workload].merge(reference, on=workload, how="left", sort=False)["base"]
    rows = np.flatnonzero(base.notna() & frame["latency"].notna())
    rows = rows[frame["latency"].iloc[base.iloc[rows].astype(int)].notna().to_numpy()] if len(rows) else rows
    found = _ratios(frame, rows, base.iloc[rows].to_numpy(dtype=int), samples or {})
    own = chosen.to_numpy()[rows]
    said = np.full(len(rows), "baseline", dtype=object)
    said[~own] = verdicts(_of(found, ~own), margin)
    low, high = found.interval()
    columns = {RATIO: found.value, f"{RATIO}_low": low, f"{RATIO}_high": high}
    known = found.freedom > 0
    made = {name: _spread(values, rows, len(frame), known | (name == RATIO)) for name, values in columns.items()}
    verdict = pd.Series(pd.NA, index=frame.index, dtype="string")
    verdict.iloc[rows] = said
    verdict[chosen] = "baseline"
    return frame.assign(**made, **{VERDICT: verdict})


def verdicts(found: Ratios, margin: float = MARGIN, level: float = LEVEL) -> np.ndarray:
    """One of VERDICTS for each ratio, all of one table."""
    low, high = found.interval(1 - level)
    said = np.full(len(found.log), "inconclusive", dtype=object)
    sure = ratios.holm(found.probability) <= level
    said[sure & (found.log < 0)] = "faster"
    said[sure & (found.log > 0)] = "slower"
    said[(low >= 1 - margin) & (high <= 1 + margin)] = "same"
    return said


def best(frame: pd.DataFrame, samples: SamplesOf | None = None, level: float = LEVEL) -> pd.Series:
    """Which rows are significantly fastest on their workload: the fastest, and those not surely slower than it.

    None where nobody on the workload is surely slower, since nothing then stands out.
    """
    frame = frame.reset_index(drop=True)
    group = workloads(frame, SUBJECT)
    fastest = frame["latency"].groupby(group).transform("min")
    holds = frame["latency"].notna() & (frame["latency"] == fastest).fillna(False)
    first = pd.Series(frame.index[holds], index=group[holds]).groupby(level=0).first()
    rows = np.flatnonzero(frame["latency"].notna())
    found = _ratios(frame, rows, first.reindex(group.iloc[rows]).to_numpy(dtype=int), samples or {})
    worse = np.zeros(len(frame), dtype=bool)
    worse[rows] = (ratios.holm(found.probability) <= level) & (found.log > 0)
    slower = pd.Series(worse, index=frame.index)
    stands_out = slower.groupby(group).transform("any")
    return frame["latency"].notna() & ~slower & stands_out


def _ratios(frame: pd.DataFrame, rows: np.ndarray, base: np.ndarray, samples: SamplesOf) -> Ratios:
    """The ratio of each of `rows` to the row of `base` beside it."""
    times = [frame[name].to_numpy(dtype=float, na_value=np.nan) for name in ("latency", "latency_low", "latency_high")]
    median, low, high = times
    processes = frame["processes"].to_numpy(dtype=float, na_value=np.inf)
    freedom = np.minimum(processes[rows], processes[base]) - 1
    mine, theirs = ((median[at], low[at], high[at]) for at in (rows, base))
    found = ratios.from_intervals(mine, theirs, freedom)
    if not samples:
        return found
    labels = frame[RUN].astype(str).to_numpy() if RUN in frame else np.full(len(frame), "")
    keys = list(zip(labels, frame["case"].astype(str), strict=True))
    log, error, free = found.log.copy(), found.error.copy(), found.freedom.copy()
    for index, (row, other) in enumerate(zip(rows, base, strict=True)):
        first, second = samples.get(keys[row]), samples.get(keys[other])
        if first and second:
            one = ratios.within_a_run(first, second)
            log[index], error[index], free[index] = float(one.log), float(one.error), float(one.freedom)
    return Ratios(log, error, free)


def _of(found: Ratios, chosen: np.ndarray) -> Ratios:
    return Ratios(found.log[chosen], found.error[chosen], found.freedom[chosen])


def _spread(values: np.ndarray, rows: np.ndarray, length: int, known: np.ndarray) -> pd.Series:
    """The values at their rows, NA elsewhere and where they are not known."""
    column = pd.Series(pd.NA, index=range(length), dtype="Float64")
    column.iloc[rows[known]] = values[known]
    return column


def _baseline_rows(frame: pd.DataFrame, baseline: str) -> pd.Series:
    """Which rows are the baseline's. UsageError where none is, or where a name means several settings."""
    exactly = (frame["options"] == baseline).fillna(False).astype(bool)
    if exactly.any():
        return exactly
    named = (frame["operator"] == baseline).fillna(False).astype(bool)
    settings = [str(text) for text in frame.loc[named, "options"].dropna().unique()]
    workload = [name for name in frame.columns if is_axis(name) and name not in SUBJECT]
    if len(settings) == 1 or (settings and not frame.loc[named].duplicated(workload).any()):
        return named
    if settings:
        raise UsageError(f"--baseline {baseline} means several rows; allowed: {'; '.join(settings)}")
    allowed = [str(text) for text in frame["options"].dropna().unique()]
    match = nearest(baseline, allowed)
    hint = f"did you mean {match!r}? " if match else ""
    raise UsageError(f"--baseline {baseline!r} is not in this table; {hint}allowed: {'; '.join(allowed) or 'none'}")

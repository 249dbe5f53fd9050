"""Verdicts: the ratio of each latency to a baseline's on the same workload, and what the intervals allow to say."""

from __future__ import annotations

import pandas as pd

from a2u_bench.errors import UsageError, nearest
from a2u_bench.frames import is_axis

MARGIN = 0.02
"""Two latencies whose ratio surely lies within 1 ± this share are the same for any purpose."""

SUBJECT = ("operator", "variant", "options")
"""The columns that say which operator; the other axes are the workload."""

RATIO, VERDICT = "latency_ratio", "verdict"


def against(frame: pd.DataFrame, baseline: str, margin: float = MARGIN) -> pd.DataFrame:
    """`frame` with `latency_ratio` and `verdict`: faster, slower, same or inconclusive; NA where there is no baseline.

    `baseline` is an operator string as it stands in `options`, or an operator's name that has one row a workload.
    """
    chosen = _baseline_rows(frame, baseline)
    workload = [name for name in frame.columns if is_axis(name) and name not in SUBJECT]
    times = ["latency", "latency_low", "latency_high"]
    reference = frame.loc[chosen, [*workload, *times]].rename(columns={name: f"base_{name}" for name in times})
    reference = reference.drop_duplicates(workload)
    joined = frame.reset_index(drop=True).merge(reference, on=workload, how="left", sort=False)
    ratio = joined["latency"] / joined["base_latency"]
    low = joined["latency_low"] / joined["base_latency_high"]
    high = joined["latency_high"] / joined["base_latency_low"]
    verdict = pd.Series(pd.NA, index=joined.index, dtype="string")
    verdict[low.notna() & high.notna()] = "inconclusive"
    verdict[(high < 1).fillna(False)] = "faster"
    verdict[(low > 1).fillna(False)] = "slower"
    verdict[((low >= 1 - margin) & (high <= 1 + margin)).fillna(False)] = "same"
    verdict[chosen.reset_index(drop=True)] = "baseline"
    return frame.reset_index(drop=True).assign(**{RATIO: ratio.astype("Float64"), VERDICT: verdict})


def _baseline_rows(frame: pd.DataFrame, baseline: str) -> pd.Series:
    """Which rows are the baseline's. UsageError where none is, or where a name means several settings."""
    exactly = (frame["options"] == baseline).fillna(False).astype(bool)
    if exactly.any():
        return exactly
    named = (frame["operator"] == baseline).fillna(False).astype(bool)
    settings = [str(text) for text in frame.loc[named, "options"].dropna().unique()]
    if len(settings) == 1:
        return named
    if settings:
        raise UsageError(f"--baseline {baseline} means several rows; allowed: {'; '.join(settings)}")
    allowed = [str(text) for text in frame["options"].dropna().unique()]
    match = nearest(baseline, allowed)
    hint = f"did you mean {match!r}? " if match else ""
    raise UsageError(f"--baseline {baseline!r} is not in this table; {hint}allowed: {'; '.join(allowed) or 'none'}")

"""Which rows are the best of their workload in a measure: what a table sets in bold."""

from __future__ import annotations

import pandas as pd

from a2u_bench import judge
from a2u_bench.frames import is_axis
from a2u_bench.judge import SUBJECT, SamplesOf
from a2u_bench.record import BY_NAME

PLAIN = ("macs_fvcore", "macs_torch")
"""Other counts of what `macs` says: nobody is better in them."""

SAME = (*SUBJECT, "pair")


def best(frame: pd.DataFrame, name: str, samples: SamplesOf | None = None) -> pd.Series:
    """Whether each row is the best of its workload in this measure, or not surely worse than the best.

    Latencies are judged as `judge.best` does; of another measure with an interval (`<name>_low`, `<name>_high`) those
    are surely worse whose interval lies beyond the best one's; without an interval a value is what it is. Nobody is
    best where nobody is surely worse.
    """
    nobody = pd.Series(False, index=frame.index)
    if name not in BY_NAME or not BY_NAME[name].better or name in PLAIN or frame[name].isna().all():
        return nobody
    if name == "latency":
        return judge.best(frame, samples).set_axis(frame.index)
    sign = -1.0 if BY_NAME[name].better == "higher" else 1.0
    value = sign * frame[name].astype("Float64")
    ends = [value, value]
    if f"{name}_low" in frame:
        ends = [(sign * frame[f"{name}_{end}"]).fillna(value) for end in ("low", "high")]
    near, far = ends if sign > 0 else ends[::-1]
    groups = _groups(frame)
    least = value.groupby(groups).transform("min")
    reach = far.where(value == least).groupby(groups).transform("max")
    worse = (near > reach).fillna(False).astype(bool)
    return value.notna() & ~worse & worse.groupby(groups).transform("any")


def _groups(frame: pd.DataFrame) -> pd.Series:
    """A number for the workload of each row."""
    axes = [str(name) for name in frame.columns if is_axis(str(name)) and name not in SAME]
    varying = [name for name in axes if frame[name].nunique(dropna=False) > 1]
    if not varying:
        return pd.Series(0, index=frame.index)
    return frame.groupby(varying, dropna=False, sort=False).ngroup()

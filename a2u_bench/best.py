"""Which rows are the best of their workload in a measure: what a table sets in bold."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from a2u_bench import judge
from a2u_bench.frames import workloads
from a2u_bench.judge import SUBJECT, SamplesOf
from a2u_bench.record import BY_NAME

PLAIN = ("macs_fvcore", "macs_torch")
"""Other counts of what `macs` says: nobody is better in them."""

SAME = (*SUBJECT, "pair")


def best(frame: pd.DataFrame, names: Sequence[str], samples: SamplesOf | None = None) -> dict[str, pd.Series]:
    """For each measure, whether each row is the best of its workload in it, or not surely worse than the best.

    Latencies are judged as `judge.best` does; of another measure with an interval (`<name>_low`, `<name>_high`) those
    are surely worse whose interval lies beyond the best one's; without an interval a value is what it is. Nobody is
    best where nobody is surely worse; measures in which nobody can be are left out.
    """
    groups = workloads(frame, SAME)
    found = {}
    for name in names:
        if name in BY_NAME and BY_NAME[name].better and name not in PLAIN and frame[name].notna().any():
            if name == "latency":
                found[name] = judge.best(frame, samples).set_axis(frame.index)
            else:
                found[name] = _best(frame, name, groups)
    return found


def _best(frame: pd.DataFrame, name: str, groups: pd.Series) -> pd.Series:
    sign = -1.0 if BY_NAME[name].better == "higher" else 1.0
    value = sign * frame[name].astype("Float64")
    ends = [value, value]
    if f"{name}_low" in frame:
        ends = [(sign * frame[f"{name}_{end}"]).fillna(value) for end in ("low", "high")]
    near, far = ends if sign > 0 else ends[::-1]
    least = value.groupby(groups).transform("min")
    reach = far.where(value == least).groupby(groups).transform("max")
    worse = (near > reach).fillna(False).astype(bool)
    return value.notna() & ~worse & worse.groupby(groups).transform("any")

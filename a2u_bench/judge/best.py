"""Which rows are the best of their workload in a measure: what a table sets in bold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from a2u_bench import stats
from a2u_bench.columns import BY_NAME, RATIO, SHOWN, SUBJECT, VERDICT
from a2u_bench.judge import verdicts
from a2u_bench.judge.verdicts import LEVEL, difference
from a2u_bench.store.frames import workloads

if TYPE_CHECKING:
    from a2u_bench.judge.reading import Reading

PLAIN = ("macs_fvcore", "macs_torch", "upsampling_latency", "upsampling_macs")
"""Other counts of what `macs` says, and shares of a whole that differs: nobody is better in them."""

SAME = (*SUBJECT, "pair")


def best(frame: pd.DataFrame, names: Sequence[str], reading: Reading | None = None) -> dict[str, pd.Series]:
    """For each measure, whether each row is the best of its workload in it, or not significantly worse than the best.

    The best latency is that of the first in `verdicts.ordering`. Significance is that of `judge.difference` to the best
    one, after Holm's correction over the table. Worse are also a
    latency that is *slower* than another one of the table, by its verdict, and whatever is behind a row that is worse.
    Nobody is best where nobody is significantly worse, nor with a zero, which is there to have no such cost at all;
    measures in which nobody can be are left out. `frame` is a part of the reading's, with its index.
    """
    found = {}
    for name in names:
        judged = name == RATIO or (name in BY_NAME and name not in PLAIN)  # not the ends of an interval of ratios
        if judged and SHOWN[name].better and frame[name].notna().any():
            found[name] = _best(frame, "latency" if name == RATIO else name, reading)
    return found


def _best(frame: pd.DataFrame, name: str, reading: Reading | None) -> pd.Series:
    sign = -1.0 if BY_NAME[name].better == "higher" else 1.0
    group = workloads(frame, SAME)
    value = pd.Series(sign * verdicts.numbers(frame, name))
    if name == "latency":
        value = pd.Series(verdicts.ordering(frame, reading)).replace(np.inf, np.nan)
    rows = np.flatnonzero(value.notna())
    first = value.iloc[rows].groupby(group.to_numpy()[rows]).transform("idxmin").to_numpy(dtype=np.intp)
    rows, first = rows[rows != first], first[rows != first]
    found = difference(frame, name, rows, first, reading)
    worse = np.zeros(len(frame), dtype=bool)
    worse[rows] = (stats.holm(found.probability) <= LEVEL) & (sign * found.log > 0)
    if name == "latency" and reading is not None and VERDICT in frame:
        here = np.isin(reading.against[frame.index.to_numpy()], frame.index.to_numpy())
        worse |= here & (frame[VERDICT] == "slower").fillna(False).to_numpy(dtype=bool)
    least = value.where(worse).groupby(group.to_numpy()).transform("min")  # of those that are worse
    known = value.notna() & (value != 0) & (value < least)
    return pd.Series(known.to_numpy(), index=frame.index)

"""Which rows nothing beats: no other row is at least as good in everything and significantly better in something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from a2u_bench import stats
from a2u_bench.columns import BY_NAME
from a2u_bench.judge import verdicts
from a2u_bench.judge.verdicts import LEVEL

if TYPE_CHECKING:
    from a2u_bench.judge.reading import Reading


def front(frame: pd.DataFrame, measures: Sequence[str], reading: Reading | None = None) -> pd.Series:
    """Whether each row is on the Pareto front of these measures. Rows that lack one of them are not.

    Of the rows that are as good in everything the best one in a measure must be significantly better there, as
    `judge.difference` says after Holm's correction, so that a difference that may be chance puts nobody off the front.
    Latencies are as good as `judge.ordering` says: by the ratio to the reference where all have one.
    """
    values = np.stack([_costs(frame, name, reading) for name in measures], 1)  # [row, measure]
    known = ~np.isnan(values).any(1)
    beaten = np.zeros(len(frame), dtype=bool)
    rows = np.flatnonzero(known)
    for place, name in enumerate(measures):
        others = np.array([_best_as_good(values, row, place) for row in rows], dtype=np.intp)
        found = verdicts.difference(frame, name, rows, others, reading)
        is_better = _sign(name) * found.log > 0
        beaten[rows] |= is_better & (stats.holm(found.probability) <= LEVEL)
    return pd.Series(known & ~beaten, index=frame.index)


def _best_as_good(values: np.ndarray, row: np.intp, place: int) -> int:
    """Of the rows that are as good as this one in everything, itself among them, the best in one measure."""
    as_good = np.flatnonzero((values <= values[row]).all(1))
    return int(as_good[np.argmin(values[as_good, place])])


def _costs(frame: pd.DataFrame, name: str, reading: Reading | None) -> np.ndarray:
    """A measure as numbers of which less is better; NaN where unknown."""
    if name == "latency":
        values = verdicts.ordering(frame, reading)
        return np.where(np.isinf(values), np.nan, values)
    return _sign(name) * verdicts.numbers(frame, name)


def _sign(name: str) -> float:
    return -1.0 if BY_NAME[name].better == "higher" else 1.0

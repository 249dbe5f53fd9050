"""Which rows nothing beats: no other row is at least as good in everything and surely better in something."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from a2u_bench.record import BY_NAME


def front(frame: pd.DataFrame, measures: Sequence[str]) -> pd.Series:
    """Whether each row is on the Pareto front of these measures. Rows that lack one of them are not.

    Where a measure has an interval (`<name>_low`, `<name>_high`), a row is surely better only when the intervals do
    not touch, so that a difference that may be chance puts nobody off the front.
    """
    values, lows, highs = (np.stack([_costs(frame, name, end) for name in measures], 1) for end in ("", "low", "high"))
    known = ~np.isnan(values).any(1)
    on = known.copy()
    for row in np.flatnonzero(known):
        as_good = (values <= values[row]).all(1)
        surely = (highs < lows[row]).any(1)
        on[row] = not (as_good & surely & known).any()
    return pd.Series(on, index=frame.index)


def _costs(frame: pd.DataFrame, name: str, end: str) -> np.ndarray:
    """A measure, or an end of its interval, as numbers of which less is better; NaN where unknown."""
    sign = -1.0 if BY_NAME[name].better == "higher" else 1.0
    if end and sign < 0:
        end = "high" if end == "low" else "low"
    values = frame[name].astype("Float64")
    bound = f"{name}_{end}"
    if end and bound in frame:
        values = frame[bound].astype("Float64").fillna(values)
    return sign * values.to_numpy(dtype=float, na_value=np.nan)

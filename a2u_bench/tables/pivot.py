"""A table by keys: some down the side, the others across, so that each case has a row and a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """Where each row of a frame stands: its line and its column; and which frame rows stand for a line, a column.

    Cases that would stand in one place, as one that was measured twice, take lines of their own.
    """

    line: NDArray[np.int64]
    column: NDArray[np.int64]
    lines: NDArray[np.int64]
    columns: NDArray[np.int64]


def grid(frame: pd.DataFrame, side: Sequence[str], across: Sequence[str]) -> Grid:
    """Lines by `side`, columns by `across`, both in the order in which they first appear."""
    column = _numbers(frame, across)
    place = pd.DataFrame({"side": _numbers(frame, side), "column": column})
    place["turn"] = place.groupby(["side", "column"], sort=False).cumcount()
    line = _numbers(place, ("side", "turn"))
    return Grid(line, column, _firsts(line), _firsts(column))


def pivot(frame: pd.DataFrame, side: Sequence[str], across: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """The grid as a frame: the columns of `side`, then for each `across` its values, NA where there is no case.

    Such a column is named after its value and its keys: `latency dtype=float32 shape=1x64x32x32`.
    """
    frame = frame.reset_index(drop=True)
    where = grid(frame, side, across)
    made = {name: frame[name].iloc[where.lines].reset_index(drop=True) for name in side}
    for number, first in enumerate(where.columns):
        rows = np.flatnonzero(where.column == number)
        keys = " ".join(f"{name}={_text(frame[name].iloc[first])}" for name in across)
        for name in values:
            found = frame[name].iloc[rows].set_axis(where.line[rows])
            made[f"{name} {keys}".strip()] = found.reindex(range(len(where.lines)))
    return pd.DataFrame(made)


def _numbers(frame: pd.DataFrame, names: Sequence[str]) -> NDArray[np.int64]:
    if not names:
        return np.zeros(len(frame), dtype=np.int64)
    return np.asarray(frame.groupby(list(names), dropna=False, sort=False).ngroup(), dtype=np.int64)


def _firsts(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first place of each number from 0 on."""
    return np.unique(numbers, return_index=True)[1].astype(np.int64)


def _text(value: object) -> str:
    return "unknown" if pd.isna(value) else str(value)  # type: ignore[call-overload]

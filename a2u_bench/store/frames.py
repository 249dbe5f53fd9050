"""Rows as pandas frames: one typed column for each of COLUMNS, unknown values as NA; selecting and sorting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from a2u_bench.columns import COLUMNS, FLOOR_SHARE, RUN, SHAPE, SIDES, Column, is_axis
from a2u_bench.errors import UsageError, unknown
from a2u_bench.store.read import Run

SEEDS = "seeds"
"""How many seeds ended ok; in a frame that `seeds.over_seeds` made."""

SEED = "seed"

TEXT = pd.StringDtype("python")
"""Texts as Python has them, whatever is installed: pyarrow's refuse half of a character, which a file may hold."""


def to_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A frame with every column of the schema, in its order: string, Int64 or Float64."""
    frame = {column.name: _column([row.get(column.name) for row in rows], column) for column in COLUMNS}
    return derive(pd.DataFrame(frame))


def derive(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the columns that follow from others of the same row: the shape of z, the share of the floor."""
    batch, channels, height, width = (frame[name].astype(TEXT) for name in SIDES)
    shape = batch + "x" + channels + "x" + height + "x" + width
    return frame.assign(**{SHAPE: shape, FLOOR_SHARE: frame["floor"] / frame["latency"]})


def _column(values: list[Any], column: Column) -> Any:
    if column.dtype == "string":
        return pd.array(values, dtype=TEXT)
    unknown = np.array([value is None for value in values], dtype=bool)
    numbers = [0 if value is None else value for value in values]
    if column.dtype == "Int64":  # by way of no float, which would round the largest
        return pd.arrays.IntegerArray(np.array(numbers, dtype=np.int64), unknown)
    return pd.arrays.FloatingArray(np.array(numbers, dtype=np.float64), unknown)


def runs_to_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """All rows of the runs, in order; several runs, or the runs of a merged one, are told apart by a first column,
    `run`."""
    held = [to_frame(run.rows) for run in runs]
    if len(runs) == 1 and held[0]["origin"].isna().all():
        return held[0]
    for frame, label in zip(held, _labels(runs), strict=True):
        names = [label_of(label, origin) for origin in to_values(frame["origin"])]
        frame.insert(0, RUN, pd.Series(names, index=frame.index, dtype=TEXT))
    return pd.concat(held, ignore_index=True)


def labelled(runs: Sequence[Run]) -> list[tuple[str, Run]]:
    """Each run with what `run` says of its rows that have no origin: "" where one is read."""
    return list(zip(_labels(runs), runs, strict=True))


def samples_by_case(runs: Sequence[Run]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The raw samples of each case, by what `run` says of its row ("" where there is no such column) and its id."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for label, run in labelled(runs):
        for sample in run.samples:
            found.setdefault((label_of(label, sample.get("origin")), sample["case"]), []).append(sample)
    return found


def _labels(runs: Sequence[Run]) -> list[str]:
    return run_labels(runs) if len(runs) > 1 else [""]


def label_of(run: str, origin: str | None) -> str:
    """What `run` says of a row of this origin."""
    return "/".join(filter(None, (run, origin)))


def run_labels(runs: Sequence[Run]) -> list[str]:
    """A short name for each run: its folder's, or the whole path where two share it."""
    names = [run.path.resolve().name for run in runs]
    return [name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)]


def sort(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Rows by these columns, unknown values last; a minus before a name turns its order. Otherwise as they were."""
    if not keys:
        return frame
    names = [key.removeprefix("-") for key in keys]
    for name in names:
        if name not in frame:
            raise unknown("column to sort by", name, list(map(str, frame.columns)))
    if len(set(names)) < len(names):
        raise UsageError(f"a column is named twice in --sort {','.join(keys)}; allowed: each once")
    order = [(part, key.startswith("-")) for key, name in zip(keys, names, strict=True) for part in _parts(name)]
    for name, falling in reversed(order):  # one by one: stable, and each with its own order
        frame = frame.sort_values(name, ascending=not falling, kind="stable", na_position="last")
    return frame


def _parts(name: str) -> tuple[str, ...]:
    return SIDES if name == SHAPE else (name,)


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain Python values, unknown ones None, for JSON."""
    names = list(frame.columns)  # asking pandas for them anew in each row takes most of the time
    columns = [to_values(frame[name]) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def to_values(column: pd.Series) -> list[Any]:
    """A column's plain Python values, None where unknown."""
    values: list[Any] = column.array.to_numpy(dtype=object, na_value=None).tolist()
    return values


def is_trained(frame: pd.DataFrame) -> pd.Series:
    """Which rows are of a training."""
    return frame["task"].notna()


def workloads(frame: pd.DataFrame, apart_from: Sequence[str]) -> pd.Series:
    """A number for the workload of each row: rows with one number differ in no axis but those of `apart_from`."""
    axes = [str(name) for name in frame.columns if is_axis(str(name)) and name not in apart_from]
    varying = [name for name in axes if not agree(frame[name])]
    if not varying:
        return pd.Series(0, index=frame.index)
    return frame.groupby(varying, dropna=False, sort=False).ngroup()


def agree(column: pd.Series) -> bool:
    """Whether every row has the same value, or none has one."""
    if column.empty:
        return True
    unknown = column.isna()
    return bool(unknown.all() or (not unknown.any() and (column == column.iloc[0]).all()))

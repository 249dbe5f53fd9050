"""Workloads in words: the axes that rows have in common as a title says them, and those in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from a2u_bench.columns import BY_NAME, RUN, SHAPE
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import SEEDS, agree, is_trained, to_values
from a2u_bench.tables.column import times

WORKLOAD = (RUN, "network", SHAPE, "scale", "dtype", "layout", "mode", "runtime", "device", "threads", "allocator")
"""The axes of rows of costs, in the order in which they are said."""

TRAINING = (RUN, "task", "data", "preset", "images", "epochs", "learning_rate", SEEDS, "device", "threads")
"""The same two for rows of trainings."""

UNSAID = ("allocator", "network")
"""Of these nothing is said where they are empty."""

USUAL = ("allocator", "kept")
"""What goes without saying: how every run has been measured that does not ask for another way."""

SAID = {
    "allocator": "freed memory {}",
    "network": "in {}",
    "epochs": "{} epochs",
    "images": "{} images",
    "learning_rate": "rate {:g}",
    SEEDS: "{} seeds",
}


def in_common(frame: pd.DataFrame, apart_from: Sequence[str] = ()) -> str:
    """The axes on which all rows agree, but for those in `apart_from`, as a title says them."""
    if frame.empty:
        return "no rows"
    in_networks = "network" in frame and bool(frame["network"].notna().any())
    has_no_scale = in_networks and bool((frame["scale"] == 1).all())  # each place in a network has its own
    unsaid = (*apart_from, "scale") if has_no_scale else apart_from
    said = [(name, frame[name].iloc[0]) for name in shared(frame, unsaid)]
    shape = "image " if in_networks else "z "
    return plain(", ".join(axis_text(name, value, shape) for name, value in said if _is_said(name, value)))


def apart(frame: pd.DataFrame) -> list[str]:
    """A name for each row: the operator, and the axes on which rows differ."""
    frame = with_names(frame.reset_index(drop=True))
    trained = all_trained(frame)
    agreed = shared(frame, ())
    varying = [name for name in (TRAINING if trained else WORKLOAD) if name in frame and name not in agreed]
    columns = [
        [axis_text(name, value) if _is_said(name, value) else "" for value in to_values(frame[name])]
        for name in varying
    ]
    subjects = [
        "unknown" if value is None else plain(value) for value in to_values(frame["pair" if trained else "options"])
    ]
    return [", ".join(map(plain, filter(None, parts))) for parts in zip(subjects, *columns, strict=True)]


def _is_said(name: str, value: Any) -> bool:
    return not (name in UNSAID and pd.isna(value)) and (name, value) != USUAL


def shared(frame: pd.DataFrame, apart_from: Sequence[str]) -> list[str]:
    """The axes on which all rows agree, but for those in `apart_from`."""
    workload = TRAINING if all_trained(frame) else WORKLOAD
    return [name for name in workload if name in frame and name not in apart_from and agree(frame[name])]


def all_trained(frame: pd.DataFrame) -> bool:
    """Whether every row is of a training."""
    return len(frame) > 0 and bool(is_trained(frame).all())


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that lack the operator's string are named after what they have."""
    if not frame["options"].isna().any():
        return frame
    names = frame["options"]
    for other in ("operator", "case"):
        names = names.fillna(frame[other]) if other in frame else names
    return frame.assign(options=names)


def axis_text(name: str, value: Any, before_shape: str = "z ") -> str:
    """An axis and its value as a title says them: `scale 2`, `4 threads`, `z 1×64×32×32`, `float32`."""
    if pd.isna(value):
        return f"{name} unknown"
    if name == "scale":
        return f"scale {value}"
    if name == "threads":
        return f"{value} thread{'' if value == 1 else 's'}"
    if name == "network":
        value = value.rpartition("/")[2]  # in which folder its file lies is not said
    if name in SAID:
        text = SAID[name].format(value)
        return text.removesuffix("s") if value == 1 else text
    if name in BY_NAME and BY_NAME[name].dtype != "string":
        return f"{BY_NAME[name].label} {value}"
    return f"{before_shape}{times(value)}" if name == SHAPE else str(value)

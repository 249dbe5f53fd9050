"""A frame becomes a table of text: headings with units, cells, and notes on what is not in the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from a2u_bench import units
from a2u_bench.columns import BY_NAME, RANKED, RATIO, RUN, SHAPE, VERDICT
from a2u_bench.errors import unknown
from a2u_bench.sanitize import plain, some
from a2u_bench.store.frames import SEEDS, agree, is_trained, to_records, to_values
from a2u_bench.tables.column import UNKNOWN, column, times
from a2u_bench.tables.pivot import grid
from a2u_bench.tables.table import Heading, Table

__all__ = ["MEASURES", "SCORES", "SHAPE", "Heading", "Table", "apart", "axis_text", "in_common", "lay_out", "scores"]

MEASURES = (
    *("params", "macs", "macs_fvcore", "latency", RATIO, "peak_memory", "saved_memory"),
    *("upsampling_latency", "upsampling_macs", VERDICT),
)
"""The columns shown when none are chosen, where they are known."""

WORKLOAD = (RUN, "network", SHAPE, "scale", "dtype", "layout", "mode", "runtime", "device", "threads", "allocator")
SCORES = ("psnr", "ssim", "mae", "rmse", "edge_psnr", "sad", "mse", "grad", "conn")
RESTORED = ("section", "gain", "share", "edge_share", "gap", "loss", "core_time")
"""The scores of restored features."""

TRAINING = (
    RUN,
    "task",
    "data",
    "features",
    "guide",
    "folds",
    "preset",
    "images",
    "epochs",
    "learning_rate",
    SEEDS,
    "device",
    "threads",
)
"""The same two for rows of trainings."""

IN_A_GRID = ("latency", *RANKED, "macs", "params")
"""Of these the first that is known is shown where keys stand across and no column is chosen."""

UNSAID = ("allocator", "network", "features", "guide", "folds")
"""Of these nothing is said where they are empty."""

SAID = {
    "allocator": "freed memory {}",
    "network": "in {}",
    "features": "features {}",
    "guide": "guide {}",
    "folds": "{} folds",
    "epochs": "{} epochs",
    "images": "{} images",
    "learning_rate": "rate {:g}",
    SEEDS: "{} seeds",
}


def lay_out(
    frame: pd.DataFrame,
    columns: Sequence[str] = (),
    by: Sequence[str] = (),
    convention: str = "mac",
    notes: Sequence[str] = (),
    bold: Mapping[str, pd.Series] | None = None,
    most: int | None = None,
) -> Table:
    """The table of a frame. Axes on which all rows agree stand in the title, the others are columns.

    The first key of `by` stands at the side, before the other axes; each combination of the others is a column, or
    one for each of `columns`. `columns` chooses what is shown after the axes. `bold` tells by measure which rows are
    best. Beyond `most` lines a note says how many are not shown. Raises UsageError for names that are no column.
    """
    frame = _with_names(frame.reset_index(drop=True))
    allowed = [str(name) for name in frame.columns]
    for name in (*columns, *by):
        if name not in allowed:
            raise unknown("column", name, allowed)
    trained = _all_trained(frame)
    subject, workload, measures = ("pair", TRAINING, scores(frame)) if trained else ("options", WORKLOAD, MEASURES)
    keys = list(dict.fromkeys(subject if name in ("operator", "variant") else name for name in by))
    across = keys[1:]
    shared = _shared(frame, keys)
    varying = [name for name in workload if name in frame and name not in keys and name not in shared]
    side = [*keys[:1], *(name for name in (subject, *varying) if name not in keys)]
    title = [in_common(frame, keys)]
    shown = [name for name in columns or measures if name in frame and name not in (*side, *across)]
    said = [*_unwell(frame), *notes]
    best = bold or {}
    if across and len(frame):
        shown = shown if columns else [name for name in IN_A_GRID if name in frame and frame[name].notna().any()][:1]
        built = _across(frame, side, across, shown, convention, best)
        if len(shown) == 1:
            title.insert(0, column(frame, shown[0], convention, most=0)[0].label)
    else:
        if not columns:
            shown = [name for name in shown if frame[name].notna().any() and not _says_nothing(frame, name)]
            if (frame["status"] != "ok").fillna(True).any():
                shown.append("status")
        built = [(*column(frame, name, convention, most=most), _marks(best, name, most)) for name in (*side, *shown)]
    lines = len(frame) if not across else len(built[0][1]) if built else 0
    if most is not None and lines > most:
        said.insert(0, f"{units.whole(most)} of {units.whole(lines)} lines are shown; --all shows every one")
    rows = tuple(zip(*(texts[:most] for _, texts, _ in built), strict=True))
    marked = frozenset((row, place) for place, (_, _, marks) in enumerate(built) for row in marks if row < len(rows))
    return Table(
        plain(", ".join(filter(None, title))),
        tuple(heading for heading, _, _ in built),
        rows,
        tuple(map(plain, said)),
        marked,
    )


def scores(trained: pd.DataFrame) -> tuple[str, ...]:
    """The scores of these trainings that are shown when no columns are chosen."""
    return RESTORED if trained["gain"].notna().any() else SCORES


def in_common(frame: pd.DataFrame, apart_from: Sequence[str] = ()) -> str:
    """The axes on which all rows agree, but for those in `apart_from`, as a title says them."""
    if frame.empty:
        return "no rows"
    in_networks = "network" in frame and bool(frame["network"].notna().any())
    has_no_scale = in_networks and bool((frame["scale"] == 1).all())  # each place in a network has its own
    unsaid = (*apart_from, "scale") if has_no_scale else apart_from
    said = [(name, frame[name].iloc[0]) for name in _shared(frame, unsaid)]
    shape = "image " if in_networks else "z "
    return plain(", ".join(axis_text(name, value, shape) for name, value in said if _is_said(name, value)))


def apart(frame: pd.DataFrame) -> list[str]:
    """A name for each row: the operator, and the axes on which rows differ."""
    frame = _with_names(frame.reset_index(drop=True))
    trained = _all_trained(frame)
    shared = _shared(frame, ())
    varying = [name for name in (TRAINING if trained else WORKLOAD) if name in frame and name not in shared]
    columns = [
        [axis_text(name, value) if _is_said(name, value) else "" for value in to_values(frame[name])]
        for name in varying
    ]
    subjects = [
        "unknown" if value is None else plain(value) for value in to_values(frame["pair" if trained else "options"])
    ]
    return [", ".join(map(plain, filter(None, parts))) for parts in zip(subjects, *columns, strict=True)]


def _is_said(name: str, value: Any) -> bool:
    return name not in UNSAID or not pd.isna(value)


def _shared(frame: pd.DataFrame, apart_from: Sequence[str]) -> list[str]:
    workload = TRAINING if _all_trained(frame) else WORKLOAD
    return [name for name in workload if name in frame and name not in apart_from and agree(frame[name])]


def _all_trained(frame: pd.DataFrame) -> bool:
    return len(frame) > 0 and bool(is_trained(frame).all())


def _with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that lack the operator's string are named after what they have."""
    if not frame["options"].isna().any():
        return frame
    names = frame["options"]
    for other in ("operator", "case"):
        names = names.fillna(frame[other]) if other in frame else names
    return frame.assign(options=names)


def _says_nothing(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column, which nobody asked for, holds what goes without saying: nothing is saved for a backward pass
    that never comes, fvcore counts what the formula does, and only a baseline is there for its verdicts."""
    if name == "saved_memory":
        return not frame[name].any() and bool((frame["mode"] == "inference").all())
    if name == "macs_fvcore":
        return bool((frame[name].isna() | (frame[name] == frame["macs"]).fillna(False)).all())
    return name == VERDICT and not (frame[name] == "baseline").any()


Built = tuple[Heading, list[str], list[int]]
"""A column of the table: its heading, its texts, the rows that are set in bold."""


def _marks(best: Mapping[str, pd.Series], name: str, most: int | None) -> list[int]:
    return [int(row) for row in np.flatnonzero(best[name][:most])] if name in best else []


def _across(
    frame: pd.DataFrame,
    side: Sequence[str],
    across: Sequence[str],
    shown: Sequence[str],
    convention: str,
    best: Mapping[str, pd.Series],
) -> list[Built]:
    """The columns of a grid: those at the side, then for each combination of `across` what is shown of it."""
    where = grid(frame, side, across)
    built: list[Built] = []
    for name in side:
        heading, texts = column(frame.iloc[where.lines], name, convention)
        built.append((heading, texts, []))
    columns = [(*column(frame, name, convention), set(_marks(best, name, None))) for name in shown]
    for number, first in enumerate(where.columns):
        label = ", ".join(axis_text(name, frame[name].iloc[first], "") for name in across)
        rows = np.flatnonzero(where.column == number)
        for heading, texts, marks in columns:
            placed = [UNKNOWN] * len(where.lines)
            for row in rows:
                placed[where.line[row]] = texts[row]
            said = label if len(columns) == 1 else f"{label} {heading.label}"
            bold = [int(where.line[row]) for row in rows if row in marks]
            built.append((Heading(heading.name, said, heading.unit, heading.right), placed, bold))
    return built


def axis_text(name: str, value: Any, before_shape: str = "z ") -> str:
    """An axis and its value as a title says them: `scale 2`, `4 threads`, `z 1×64×32×32`, `float32`."""
    if pd.isna(value):
        return f"{name} unknown"
    if name == "scale":
        return f"scale {value}"
    if name == "threads":
        return f"{value} thread{'' if value == 1 else 's'}"
    if name in SAID:
        text = SAID[name].format(value)
        return text.removesuffix("s") if value == 1 else text
    if name in BY_NAME and BY_NAME[name].dtype != "string":
        return f"{BY_NAME[name].label} {value}"
    return f"{before_shape}{times(value)}" if name == SHAPE else str(value)


def _unwell(frame: pd.DataFrame) -> list[str]:
    """One note for each way in which cases did not end ok, with its reason and who is meant."""
    sick = frame[(frame["status"] != "ok").fillna(True)]
    who: dict[tuple[str, str], dict[str, None]] = {}
    for row in to_records(sick[["status", "reason", "options", "pair"]]):
        who.setdefault((row["status"], row["reason"] or ""), {})[row["pair"] or row["options"] or "unknown"] = None
    notes = []
    for (status, reason), names in who.items():
        notes.append(f"{status}: {some(names)}{' – ' if reason else ''}{reason}")
    return notes

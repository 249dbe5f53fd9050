"""A frame becomes a table of text: headings with units, cells, and notes on what is not in the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench import units
from a2u_bench.columns import RANKED, RATIO, RUN, SHAPE, SHOWN, VERDICT
from a2u_bench.errors import unknown
from a2u_bench.sanitize import plain, some
from a2u_bench.store.frames import to_records, to_values
from a2u_bench.tables.column import UNKNOWN, column, label_of
from a2u_bench.tables.pivot import grid
from a2u_bench.tables.table import Heading, Table
from a2u_bench.tables.workload import TRAINING, WORKLOAD, all_trained, apart, axis_text, in_common, shared, with_names

__all__ = [
    "EVERY",
    "MEASURES",
    "SCORES",
    "SHAPE",
    "Heading",
    "Marks",
    "Table",
    "apart",
    "axis_text",
    "in_common",
    "lay_out",
    "scores",
]

MEASURES = (
    *("params", "macs", "macs_fvcore", "latency", RATIO, "peak_memory", "process_memory", "saved_memory"),
    *("upsampling_latency", VERDICT),
)
"""The columns shown when none are chosen, where they are known."""

SCORES = ("psnr", "ssim", "mae", "rmse", "edge_psnr", "sad", "mse", "grad", "conn")
RESTORED = ("section", "gain", "share", "edge_share", "gap", "loss", "core_time")
"""The scores of networks, and those of restored features."""

IN_A_GRID = ("latency", *RANKED, "macs", "params")
"""Of these the first that is known is shown where keys stand across and no column is chosen."""

EVERY = "all"
"""The name that stands for every measure that holds something."""


@dataclass(frozen=True)
class Marks:
    """What is said of rows beside their numbers, in the order of the frame: by measure which are `best`, and which are
    "better" or "worse" than the reference (`tones`, "" for neither); which rows are of a person's `own` operators."""

    best: Mapping[str, pd.Series] = field(default_factory=dict)
    tones: Mapping[str, pd.Series] = field(default_factory=dict)
    own: Sequence[bool] = ()


def lay_out(
    frame: pd.DataFrame,
    columns: Sequence[str] = (),
    by: Sequence[str] = (),
    convention: str = "mac",
    notes: Sequence[str] = (),
    marks: Marks | None = None,
    most: int | None = None,
    decimals: int | None = None,
) -> Table:
    """The table of a frame. Axes on which all rows agree stand in the title, the others are columns.

    The first key of `by` stands at the side, before the other axes; each combination of the others is a column, or
    one for each of `columns`. `columns` chooses what is shown after the axes, EVERY all that hold something; none has
    the heading of one of the axes. Beyond `most` lines a note says how many are not shown. `decimals` as in `column`.
    Raises UsageError for names that are no column.
    """
    frame = with_names(frame.reset_index(drop=True))
    allowed = [str(name) for name in frame.columns]
    if EVERY in columns:
        columns = [name for name in allowed if _holds_a_measure(frame, name)]
    for name in (*columns, *by):
        if name not in allowed:
            raise unknown("column", name, allowed)
    trained = all_trained(frame)
    subject, workload, measures = ("pair", TRAINING, scores(frame)) if trained else ("options", WORKLOAD, MEASURES)
    keys = list(dict.fromkeys(subject if name in ("operator", "variant") else name for name in by))
    across = keys[1:]
    agreed = shared(frame, keys)
    varying = [name for name in workload if name in frame and name not in keys and name not in agreed]
    side = [*keys[:1], *(name for name in (subject, *varying) if name not in keys)]
    title = [in_common(frame, keys)]
    taken = {label_of(name) for name in (*side, *across)}
    shown = [name for name in dict.fromkeys(columns or measures) if name in frame and label_of(name) not in taken]
    said = [*_unwell(frame), *notes]
    marks = marks or Marks()
    if across and len(frame):
        shown = shown if columns else [name for name in IN_A_GRID if name in frame and frame[name].notna().any()][:1]
        built, lines_of = _across(frame, side, across, shown, convention, marks, decimals)
        if len(shown) == 1:
            title.insert(0, column(frame, shown[0], convention, most=0)[0].label)
    else:
        if not columns:
            shown = [name for name in shown if frame[name].notna().any() and not _says_nothing(frame, name)]
            if (frame["status"] != "ok").fillna(True).any():
                shown.append("status")
        built = [
            (*column(frame, name, convention, most=most, decimals=decimals), _said(marks, name))
            for name in (*side, *shown)
        ]
        lines_of = np.arange(len(frame))
    lines = len(lines_of)
    if most is not None and lines > most:
        said.insert(0, f"{units.whole(most)} of {units.whole(lines)} lines are shown; --all shows every one")
    rows = tuple(zip(*(texts[:most] for _, texts, _ in built), strict=True))
    told = {(row, place): words for place, (_, _, by_row) in enumerate(built) for row, words in by_row.items()}
    told = {at: words for at, words in told.items() if at[0] < len(rows)}
    own = [line for line, row in enumerate(lines_of[:most]) if marks.own and marks.own[row]]
    return Table(
        plain(", ".join(filter(None, title))),
        tuple(heading for heading, _, _ in built),
        rows,
        tuple(map(plain, said)),
        frozenset(at for at, words in told.items() if BEST in words),
        {at: tone for at, words in told.items() for tone in words if tone != BEST},
        own[0] if own and own[0] > 0 else None,
        tuple(to_values(frame["operator"].fillna("").iloc[lines_of[:most]])) if "operator" in frame else (),
    )


def scores(trained: pd.DataFrame) -> tuple[str, ...]:
    """The scores of these trainings that are shown when no columns are chosen."""
    return RESTORED if trained["gain"].notna().any() else SCORES


def _says_nothing(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column, which nobody asked for, holds what goes without saying: nothing is saved for a backward pass
    that never comes, fvcore counts what the formula does, and only a baseline is there for its verdicts."""
    if name == "saved_memory":
        return not frame[name].any() and bool((frame["mode"] == "inference").all())
    if name == "macs_fvcore":
        return bool((frame[name].isna() | (frame[name] == frame["macs"]).fillna(False)).all())
    return name == VERDICT and not (frame[name] == "baseline").any()


BEST = "best"

Built = tuple[Heading, list[str], dict[int, tuple[str, ...]]]
"""A column of the table: its heading, its texts, what is said of them by row."""


def _said(marks: Marks, name: str) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for place in np.flatnonzero(marks.best[name]) if name in marks.best else ():
        found[int(place)] = (BEST,)
    for row, tone in enumerate(marks.tones[name]) if name in marks.tones else ():
        if tone:
            found[row] = (*found.get(row, ()), tone)
    return found


def _holds_a_measure(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column is a measure that holds something and whose interval does not stand in another's cells."""
    end = name.endswith(("_low", "_high")) and name.rpartition("_")[0] in frame
    measure = name in SHOWN and SHOWN[name].role in ("measure", "derived") and name not in (RUN, SHAPE)
    return measure and not end and bool(frame[name].notna().any())


def _across(
    frame: pd.DataFrame,
    side: Sequence[str],
    across: Sequence[str],
    shown: Sequence[str],
    convention: str,
    marks: Marks,
    decimals: int | None,
) -> tuple[list[Built], NDArray[np.int64]]:
    """The columns of a grid: those at the side, then for each combination of `across` what is shown of it; and the row
    that each line begins with."""
    where = grid(frame, side, across)
    built: list[Built] = []
    for name in side:
        heading, texts = column(frame.iloc[where.lines], name, convention)
        built.append((heading, texts, {}))
    columns = [(*column(frame, name, convention, decimals=decimals), _said(marks, name)) for name in shown]
    for number, first in enumerate(where.columns):
        label = ", ".join(axis_text(name, frame[name].iloc[first], "") for name in across)
        rows = np.flatnonzero(where.column == number)
        for heading, texts, words in columns:
            placed = [UNKNOWN] * len(where.lines)
            for row in rows:
                placed[where.line[row]] = texts[row]
            said = label if len(columns) == 1 else f"{label} {heading.label}"
            told = {int(where.line[row]): words[int(row)] for row in rows if int(row) in words}
            built.append((Heading(heading.name, said, heading.unit, heading.right), placed, told))
    return built, where.lines


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

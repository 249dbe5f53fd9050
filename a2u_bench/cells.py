"""A frame becomes a table of text: headings with units, cells, and notes on what is not in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from a2u_bench import units
from a2u_bench.errors import unknown
from a2u_bench.frames import RUN, is_axis, to_records
from a2u_bench.judge import RATIO, VERDICT
from a2u_bench.plain import plain
from a2u_bench.record import BY_NAME

SHAPE = "shape"
MEASURES = ("params", "macs", "macs_fvcore", "latency", "peak_memory", "saved_memory", RATIO, VERDICT)
"""The columns shown when none are chosen, where they are known."""

WORKLOAD = (RUN, SHAPE, "scale", "dtype", "layout", "mode", "runtime", "device", "threads")
LABELS = {
    "macs": "{work}",
    "macs_fvcore": "fvcore",
    "peak_memory": "peak mem",
    RATIO: "ratio",
    VERDICT: "verdict",
    RUN: "run",
}
WORK = ("macs", "macs_fvcore")
UNKNOWN = ""


@dataclass(frozen=True)
class Heading:
    """A column's name in the schema, what is written over it, its unit with the prefix, and which side it keeps to."""

    name: str
    label: str
    unit: str = ""
    right: bool = True
    whole: bool = False  # never broken into lines
    most: int | None = None  # letters of width, beyond which words go to the next line

    @property
    def text(self) -> str:
        """Label and unit as one text."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


@dataclass(frozen=True)
class Table:
    """Text, ready for any renderer: each row of `cells` has one text a heading."""

    title: str
    headings: tuple[Heading, ...]
    cells: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def lay_out(
    frame: pd.DataFrame,
    columns: Sequence[str] = (),
    by: Sequence[str] = (),
    convention: str = "mac",
    notes: Sequence[str] = (),
) -> Table:
    """The table of a frame. Axes on which all rows agree stand in the title, the others are columns.

    `columns` chooses what is shown after the axes, `by` which axes come first. Raises UsageError for names that
    are no column.
    """
    work, factor = units.CONVENTIONS[convention]
    frame = frame.assign(**{SHAPE: _shapes(frame)})
    allowed = [str(name) for name in frame.columns]
    for name in (*columns, *by):
        if name not in allowed:
            raise unknown("column", name, allowed)
    shared = [name for name in WORKLOAD if name in frame and name not in by and _agree(frame[name])]
    varying = [name for name in WORKLOAD if name in frame and name not in by and name not in shared]
    lead = ["options" if name == "operator" else name for name in by]
    lead += [name for name in ("options", *varying) if name not in lead]
    body = [name for name in columns or MEASURES if name in frame and name not in lead]
    if not columns:
        body = [name for name in body if frame[name].notna().any()]
        if (frame["status"] != "ok").fillna(True).any():
            body.append("status")
    built = [_column(frame, name, work, factor) for name in (*lead, *body)]
    said = (*_unwell(frame), *notes)
    title = ", ".join(_axis_text(name, frame[name].iloc[0]) for name in shared) if len(frame) else "no rows"
    rows = tuple(zip(*(texts for _, texts in built), strict=True))
    return Table(plain(title), tuple(heading for heading, _ in built), rows, tuple(plain(text) for text in said))


def _column(frame: pd.DataFrame, name: str, work: str, factor: int) -> tuple[Heading, list[str]]:
    values = frame[name]
    label = LABELS.get(name, BY_NAME[name].label if name in BY_NAME else name).format(work=work)
    if name == "options":
        label = "operator"
    if name in WORK and name != "macs" and factor != 1:
        label = f"{label} {work}"
    if name == RATIO:
        return Heading(name, label), [UNKNOWN if pd.isna(value) else units.ratio(value) for value in values]
    if is_axis(name) or name == SHAPE or pd.api.types.is_string_dtype(values.dtype):
        numeric = pd.api.types.is_numeric_dtype(values.dtype)
        return Heading(name, label, right=numeric), [UNKNOWN if pd.isna(v) else plain(str(v)) for v in values]
    if name in WORK:
        values = values * factor
    if name == "samples":
        return Heading(name, label), [UNKNOWN if pd.isna(value) else str(value) for value in values]
    scale = units.scale_for(float(value) for value in values if not pd.isna(value))
    heading = Heading(name, label, scale.prefix + (BY_NAME[name].unit if name in BY_NAME else ""))
    if name == "latency":
        bounds = zip(values, frame["latency_low"], frame["latency_high"], strict=True)
        return heading, [_spread_text(value, low, high, scale) for value, low, high in bounds]
    return heading, [UNKNOWN if pd.isna(value) else units.exact(float(value), scale) for value in values]


def _spread_text(value: Any, low: Any, high: Any, scale: units.Scale) -> str:
    """`1.234 ±0.012`, or the value alone where its interval is unknown."""
    if pd.isna(value):
        return UNKNOWN
    if pd.isna(low) or pd.isna(high):
        return units.exact(float(value), scale)
    text, half = units.with_spread(float(value), float(low), float(high), scale)
    return f"{text} ±{half}"


def _shapes(frame: pd.DataFrame) -> pd.Series:
    batch, channels, height, width = (frame[name].astype("string") for name in ("batch", "channels", "height", "width"))
    return batch + "×" + channels + "×" + height + "×" + width


def _agree(values: pd.Series) -> bool:
    return len(values) == 0 or bool(values.fillna(pd.NA).nunique(dropna=False) == 1)


def _axis_text(name: str, value: Any) -> str:
    if pd.isna(value):
        return f"{name} unknown"
    if name == "scale":
        return f"scale {value}"
    if name == "threads":
        return f"{value} thread{'' if value == 1 else 's'}"
    return f"z {value}" if name == SHAPE else str(value)


def _unwell(frame: pd.DataFrame) -> list[str]:
    """One note for each way in which cases did not end ok, with its reason and who is meant."""
    sick = frame[(frame["status"] != "ok").fillna(True)]
    who: dict[tuple[str, str], dict[str, None]] = {}
    for row in to_records(sick[["status", "reason", "options"]]):
        who.setdefault((row["status"], row["reason"] or ""), {})[row["options"] or "unknown"] = None
    notes = []
    for (status, reason), names in who.items():
        shown = "; ".join(list(names)[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        notes.append(f"{status}: {shown}{' – ' if reason else ''}{reason}")
    return notes

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
from a2u_bench.seeds import SEEDS, is_trained

SHAPE = "shape"
MEASURES = ("params", "macs", "macs_fvcore", "latency", "peak_memory", "saved_memory", RATIO, VERDICT)
"""The columns shown when none are chosen, where they are known."""

WORKLOAD = (RUN, SHAPE, "scale", "dtype", "layout", "mode", "runtime", "device", "threads")
SCORES = ("psnr", "ssim", "mae", "rmse", "edge_psnr")
TRAINING = (RUN, "task", "data", "preset", "images", "epochs", "learning_rate", SEEDS, "device", "threads")
"""The same two for rows of trainings."""

LABELS = {
    "macs": "{work}",
    "latency": "latency",
    "macs_fvcore": "fvcore",
    "macs_torch": "torch",
    "peak_memory": "peak mem",
    RATIO: "ratio",
    VERDICT: "verdict",
    RUN: "run",
}
SAID = {"epochs": "{} epochs", "images": "{} images", "learning_rate": "rate {:g}", SEEDS: "{} seeds"}
WORK = ("macs", "macs_fvcore", "macs_torch")
UNKNOWN = ""
UNPREFIXED = ("", "dB")
"""Units of quantities that are no counts and take no prefix: a millidecibel says nothing to anyone."""


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
    trained = len(frame) > 0 and bool(is_trained(frame).all())
    subject, workload, measures = ("pair", TRAINING, SCORES) if trained else ("options", WORKLOAD, MEASURES)
    shared = [name for name in workload if name in frame and name not in by and _agree(frame[name])]
    varying = [name for name in workload if name in frame and name not in by and name not in shared]
    lead = [subject if name == "operator" else name for name in by]
    lead += [name for name in (subject, *varying) if name not in lead]
    body = [name for name in columns or measures if name in frame and name not in lead]
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
    if name in ("samples", SEEDS):
        return Heading(name, label), [UNKNOWN if pd.isna(value) else str(value) for value in values]
    counted = name not in BY_NAME or BY_NAME[name].unit not in UNPREFIXED or BY_NAME[name].dtype == "Int64"
    scale = units.scale_for(float(v) for v in values if not pd.isna(v)) if counted else units.UNSCALED
    heading = Heading(name, label, scale.prefix + (BY_NAME[name].unit if name in BY_NAME else ""))
    if f"{name}_low" in frame:
        bounds = zip(values, frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
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
    if name in SAID:
        text = SAID[name].format(value)
        return text.removesuffix("s") if value == 1 else text
    return f"z {value}" if name == SHAPE else str(value)


def _unwell(frame: pd.DataFrame) -> list[str]:
    """One note for each way in which cases did not end ok, with its reason and who is meant."""
    sick = frame[(frame["status"] != "ok").fillna(True)]
    who: dict[tuple[str, str], dict[str, None]] = {}
    for row in to_records(sick[["status", "reason", "options", "pair"]]):
        who.setdefault((row["status"], row["reason"] or ""), {})[row["pair"] or row["options"] or "unknown"] = None
    notes = []
    for (status, reason), names in who.items():
        shown = "; ".join(list(names)[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        notes.append(f"{status}: {shown}{' – ' if reason else ''}{reason}")
    return notes

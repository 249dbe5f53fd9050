"""Which operators fit a budget, and which of those nothing else that fits beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from a2u_bench import units
from a2u_bench.columns import BY_NAME, RANKED, SHAPE
from a2u_bench.errors import UsageError, unknown
from a2u_bench.judge import pareto
from a2u_bench.judge.reading import Reading
from a2u_bench.sanitize import some
from a2u_bench.store.frames import to_records

ALIASES = {"memory": "peak_memory", "mem": "peak_memory", "time": "latency", "quality": "psnr"}
ALLOWED = tuple(name for name, column in BY_NAME.items() if column.role == "measure" and column.better)

KINDS = {
    "s": ("time with its unit", "2ms, 20us or 1s"),
    "B": ("size with its unit", "64MB, 64MiB or 1GB"),
    "dB": ("number of decibels", "30dB or 30"),
    "": ("plain number", "2M, 1500 or 0.9"),
}
"""What a quantity of each unit is called, and how one is written."""

FITS, FRONT = "fits", "front"
EDGE = "perhaps"  # the value is within the limit, the end of its interval is not


@dataclass(frozen=True)
class Limit:
    """A quantity and how far it may go, in SI units: at most, or at least where more is better."""

    name: str
    value: float
    text: str


FLAGS = (SHAPE, "scale", "mode")
"""Axes that `recommend` has a flag for; the others are chosen by --filter."""


@dataclass(frozen=True)
class Advice:
    """Rows that fit, with whether they are on the front, and sentences on the others."""

    rows: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def front(self) -> pd.DataFrame:
        """The rows that nothing else that fits beats."""
        return self.rows[self.rows[FRONT]]


def read_budget(texts: Sequence[str]) -> tuple[Limit, ...]:
    """Limits from `latency=2ms,memory=64MB`. UsageError for what is no quantity, no measure, or named twice."""
    parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    limits: dict[str, Limit] = {}
    for part in parts:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UsageError(f"--budget {part!r}: no value. Allowed: NAME=QUANTITY, such as latency=2ms,memory=64MB")
        name = ALIASES.get(key, key)
        if name not in ALLOWED:
            raise unknown("quantity in --budget", key, [*ALIASES, *ALLOWED])
        if name in limits:
            raise UsageError(f"--budget names {name} twice; allowed: each quantity once")
        unit = BY_NAME[name].unit
        if value.startswith("-"):
            raise UsageError(
                f"--budget {part}: below zero. Allowed: a number from 0 up, such as latency=2ms,memory=64MB"
            )
        if unit in units.USUAL and value and not value[-1].isalpha():
            example = f"{key}={value}{units.USUAL[unit]}"
            raise UsageError(f"--budget {part}: no unit. Allowed: a number with its unit, such as {example}")
        try:
            limits[name] = Limit(name, units.read(value, unit), part)
        except ValueError:
            kind, example = KINDS[unit]
            raise UsageError(
                f"--budget {part}: {value!r} is no {kind}. Allowed: a {kind}, such as {key}={example}"
            ) from None
    if not limits:
        raise UsageError("--budget is empty. Allowed: NAME=QUANTITY, such as latency=2ms,memory=64MB")
    return tuple(limits.values())


def advise(frame: pd.DataFrame, limits: Sequence[Limit], reading: Reading | None = None) -> Advice:
    """The rows that ended ok within every limit, and which of them are on the front.

    The front is over the quantities of the budget, latency, and quality where it is known. A row that lacks a quantity
    of the budget is not judged, and the notes name it.
    """
    frame = with_exports(frame)
    well = frame[(frame["status"] == "ok").fillna(False).astype(bool)]
    lacking = well[[limit.name for limit in limits]].isna().any(axis=1)
    judged = well[~lacking]
    within, certainly = _within(judged, limits, ""), _within(judged, limits, "far")
    fitting = judged[within]
    fitting = fitting.assign(
        **{FITS: pd.Series(["yes" if sure else EDGE for sure in certainly[within]], fitting.index, dtype="string")}
    )
    objectives = [limit.name for limit in limits]
    objectives += [name for name in ("latency", *RANKED) if name not in objectives and fitting[name].notna().any()]
    quality = [name for name in RANKED if name in objectives]
    on = pareto.front(fitting, objectives, reading) if len(fitting) else pd.Series([], dtype=bool)
    rows = fitting.assign(**{FRONT: on}).sort_values([FRONT, limits[0].name], ascending=[False, True], kind="stable")
    words = ", ".join(BY_NAME[name].label.partition(",")[0] for name in objectives)
    notes = []
    if rows.empty:
        notes.append(_closest(judged, limits))
    beaten = rows[~rows[FRONT]]
    if quality:
        lacks = beaten[quality].isna().any(axis=1)
        unscored, beaten = beaten[lacks], beaten[~lacks]
        notes += _named("fit too, but no quality of theirs is known", unscored)
    notes += _named(
        f"fit too, but something that fits is nowhere worse and significantly better somewhere ({words})", beaten
    )
    notes += _named("over the budget", judged[~within])
    notes += _named("not judged, since they did not end ok", frame.drop(well.index))
    notes += _named("not judged, since a quantity of the budget is unknown", well[lacking])
    if not quality and len(rows):
        notes.append("no quality is known here, so the plainest wins; name a run of `a2u-bench quality` as well")
    if (rows.loc[rows[FRONT], FITS] == EDGE).any():
        notes.append(f"{EDGE}: the value fits, the far end of its interval does not")
    return Advice(rows.reset_index(drop=True), tuple(notes))


def with_exports(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with `compiles` filled, where it is unknown, from cases of the same operator that ran compiled."""
    compiled = frame[(frame["runtime"] == "compile").fillna(False).astype(bool)]
    found: dict[str, str] = {}
    for options, status in zip(compiled["options"], compiled["status"], strict=True):
        if status == "ok":
            found[options] = "yes"
        elif status == "failed":
            found.setdefault(options, "no")
    told = frame["options"].map(found).astype("string")
    return frame.assign(compiles=frame["compiles"].fillna(told))


def must_agree(frame: pd.DataFrame, axis: str) -> None:
    """UsageError where rows differ in this axis: a budget has no one answer for all of them."""
    known = [str(value) for value in frame[axis].dropna().unique()]
    if len(known) > 1:
        flag = f"--{axis} " if axis in FLAGS else f"--filter {axis}="
        raise UsageError(f"the run has more than one {axis}; choose: {' or '.join(f'{flag}{one}' for one in known)}")


def _within(frame: pd.DataFrame, limits: Sequence[Limit], end: str) -> pd.Series:
    """Which rows keep every limit: by their values, or by the far ends of their intervals."""
    kept = pd.Series(True, index=frame.index)
    for limit in limits:
        more_is_better = BY_NAME[limit.name].better == "higher"
        values = frame[limit.name]
        bound = f"{limit.name}_{'low' if more_is_better else 'high'}"
        if end and bound in frame:
            values = frame[bound]
        kept &= (values >= limit.value if more_is_better else values <= limit.value).fillna(False).astype(bool)
    return kept


def _closest(judged: pd.DataFrame, limits: Sequence[Limit]) -> str:
    """What to say where nothing fits: who comes closest, and by how much it misses."""
    misses = []
    for row in to_records(judged):
        ratios = [
            (limit.value / row[limit.name]) if BY_NAME[limit.name].better == "higher" else row[limit.name] / limit.value
            for limit in limits
            if row[limit.name] and limit.value
        ]
        misses.append((max(ratios, default=float("inf")), str(row["options"])))
    asked = ", ".join(limit.text for limit in limits)
    if not misses:
        return f"nothing fits {asked}: no case has all of these quantities"
    factor, name = min(misses)
    return f"nothing fits {asked}; closest: {name}, {units.ratio(factor)} times as much as one of the limits"


def _named(words: str, rows: pd.DataFrame) -> list[str]:
    return [f"{words}: {some(rows['options'], 6)}"] if len(rows) else []

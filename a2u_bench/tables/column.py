"""A column of a frame becomes a heading and texts, with one prefix for the whole column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from a2u_bench import units
from a2u_bench.columns import BY_NAME, FLOOR_SHARE, RATIO, SHAPE, SHOWN, is_axis
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import SEEDS, to_values
from a2u_bench.tables.table import Heading

LABELS = {
    "macs": "{work}",
    "latency": "latency",
    "macs_fvcore": "fvcore",
    "macs_torch": "torch",
    "peak_memory": "peak mem",
    "saved_memory": "saved mem",
    "options": "operator",
    "upsampling_latency": "ups. time",
    "upsampling_macs": "ups. {work}",
}
SHARES = ("upsampling_latency", "upsampling_macs")
UNKNOWN = ""
WORK = ("macs", "macs_fvcore", "macs_torch")
ENDS = ("", "_low", "_high")
UNPREFIXED = ("", "dB")
"""Units of quantities that are no counts and take no prefix: a millidecibel says nothing to anyone."""


def column(
    frame: pd.DataFrame,
    name: str,
    convention: str = "mac",
    measure: str = "",
    most: int | None = None,
    decimals: int | None = None,
) -> tuple[Heading, list[str]]:
    """The heading of a column and the texts of its first `most` rows; the prefix is that of all rows.

    `measure` says whose unit the values have, where `name` is no column of the schema. Counts have at most `decimals`
    of them, but two digits that say something.
    """
    measure = measure or name
    factor = units.CONVENTIONS[convention][1]
    values = frame[name]
    label = label_of(name, convention)
    if name == FLOOR_SHARE:
        return Heading(name, label), [UNKNOWN if v is None else units.ratio(v) for v in to_values(values[:most])]
    if name in SHARES:
        return Heading(name, label, "%"), [UNKNOWN if v is None else f"{100 * v:.1f}" for v in to_values(values[:most])]
    if name == RATIO:
        return Heading(name, label), ratio_texts(*(to_values(frame[f"{name}{end}"][:most]) for end in ENDS))
    if is_axis(name) or pd.api.types.is_string_dtype(values.dtype):
        numeric = pd.api.types.is_numeric_dtype(values.dtype)
        words = _words(to_values(values[:most]))
        return Heading(name, label, right=numeric), [times(word) for word in words] if name == SHAPE else words
    if name in ("samples", SEEDS):
        return Heading(name, label), _words(to_values(values[:most]))
    schema = BY_NAME.get(measure)
    counted = schema is None or schema.unit not in UNPREFIXED or schema.dtype == "Int64"
    parts = [values, *(frame[f"{name}_{end}"] for end in ("low", "high") if f"{name}_low" in frame)]
    scale = common_scale([values * factor if measure in WORK else values]) if counted else units.UNSCALED
    numbers = [to_values(part[:most] * factor if measure in WORK else part[:most]) for part in parts]
    heading = Heading(name, label, scale.prefix + (schema.unit if schema else ""))
    if decimals is not None and schema is not None and schema.dtype == "Int64" and len(numbers) == 1:
        return heading, units.counts(numbers[0], scale, decimals)
    return heading, spread_texts(numbers, scale)


def label_of(name: str, convention: str = "mac") -> str:
    """What is written over a column."""
    work, factor = units.CONVENTIONS[convention]
    label = LABELS.get(name, SHOWN[name].label if name in SHOWN else name).format(work=work)
    return f"{label} {work}" if name in WORK and name != "macs" and factor != 1 else label


def by_headings(names: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The names, with or without a minus before them, of which those that are headings become their columns."""
    labels = {name: (LABELS.get(name, name), SHOWN[name].label) for name in columns if name in SHOWN}
    works = [work for work, _ in units.CONVENTIONS.values()]
    found = {
        label.format(work=work).casefold(): name
        for name, both in reversed(labels.items())  # of two with one heading the first is meant
        for label in both
        for work in works
    }

    def meant(name: str) -> str:
        return name if name in columns else found.get(name.casefold(), name)

    return tuple(f"-{meant(name[1:])}" if name.startswith("-") else meant(name) for name in names)


def spread_texts(columns: Sequence[Sequence[Any]], scale: units.Scale) -> list[str]:
    """`1.234 ±0.012`, a wide interval as `0.12–406`, or the value alone where its interval is unknown.

    `columns`: the values alone, or the values and both ends of their intervals; None is unknown.
    """
    if len(columns) == 1:
        return units.exacts(columns[0], scale)
    return [
        UNKNOWN
        if value is None
        else units.exact(value, scale)
        if low is None or high is None
        else units.measured(value, low, high, scale)
        for value, low, high in zip(*columns, strict=True)
    ]


def ratio_texts(values: Sequence[Any], lows: Sequence[Any], highs: Sequence[Any]) -> list[str]:
    """`2.02 ±0.08`; what is compared with itself is 1."""
    return [
        UNKNOWN
        if value is None
        else units.ratio(value)
        if low is None or high is None
        else "1"
        if low == value == high == 1
        else units.measured(value, low, high)
        for value, low, high in zip(values, lows, highs, strict=True)
    ]


def common_scale(columns: Sequence[pd.Series]) -> units.Scale:
    """The prefix that suits the numbers of all these columns."""
    numbers = np.concatenate([np.abs(values.to_numpy(dtype=float, na_value=0.0)) for values in columns])
    sizes = numbers[numbers > 0]
    middle = len(sizes) // 2
    return units.scale_for([float(np.partition(sizes, middle)[middle])] if len(sizes) else [])


def times(shape: str) -> str:
    """A shape as it is printed: 1×64×32×32."""
    return shape.replace("x", "×")


def _words(values: Sequence[Any]) -> list[str]:
    """Values as text, each different one cleaned once."""
    known: dict[Any, str] = {None: UNKNOWN}
    return [known[value] if value in known else known.setdefault(value, plain(str(value))) for value in values]

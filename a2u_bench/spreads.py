"""Whole columns of numbers become text, letter for letter as `units` writes each: the same rules, all rows at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2u_bench import units

UNKNOWN = ""
SPREAD, BETWEEN = " ±", "–"
_HALF, _ENDS = f"%.*f{SPREAD}%.*f", f"%.*f (%.*f{BETWEEN}%.*f)"

POWERS = range(-100, 100)
"""Exponents of ten among which a half-width is looked up; beyond, a row is written by itself."""


def spread_texts(columns: Sequence[Sequence[Any]], scale: units.Scale) -> list[str]:
    """`1.234 ±0.012`, `1.20 (1.19–1.35)` where the interval is lopsided, or the value alone where it is unknown.

    `columns`: the values alone, or the values and both ends of their intervals; None is unknown.
    """
    if len(columns) == 1:
        return units.exacts(columns[0], scale)
    value, low, high = (np.array(column, dtype=float) for column in columns)  # None becomes NaN
    scaled, lowest, highest = (numbers / scale.factor for numbers in (value, low, high))
    half = np.abs(highest - lowest) / 2
    steps = _steps()
    usual = (half >= steps[0]) & (half < steps[-1]) & ~np.isnan(value)
    places = _places(np.where(usual, scaled, 1.0), np.where(usual, half, 1.0))
    shorter, longer = np.sort([value - low, high - value], axis=0)
    lopsided = (high > low) & ((longer > 2 * shorter) | ((low >= 0) & ((high - low) / 2 > value)))
    last = np.float_power(10.0, -places)
    usual &= ~(lopsided & (_is_less(lowest, last) | _is_less(highest, last)))  # an end with digits farther behind
    cells = zip(*(part.tolist() for part in (usual, lopsided, places, scaled, half, lowest, highest)), strict=True)
    return [
        _alone(columns[0][row], columns[1][row], columns[2][row], scale)
        if not known
        else _ENDS % (count, number, count, least, count, most)
        if leans
        else _HALF % (count, number, count, width)
        for row, (known, leans, count, number, width, least, most) in enumerate(cells)
    ]


def _alone(value: Any, low: Any, high: Any, scale: units.Scale) -> str:
    if value is None:
        return UNKNOWN
    if low is None or high is None:
        return units.exact(float(value), scale)
    if units.is_lopsided(float(value), float(low), float(high)):
        text, lowest, highest = units.with_interval(float(value), float(low), float(high), scale)
        return f"{text} ({lowest}{BETWEEN}{highest})"
    text, half = units.with_spread(float(value), float(low), float(high), scale)
    return f"{text}{SPREAD}{half}"


def _is_less(end: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether an end that is not 0 could be written as 0 in front of the last place."""
    return (end != 0) & (np.abs(end) < last)


def _places(scaled: NDArray[np.float64], half: NDArray[np.float64]) -> NDArray[np.int64]:
    """Digits after the point, as `units.with_spread` has them."""
    places = -(np.searchsorted(_steps(), half, side="right") - 1 + POWERS[0])
    most = [5 - math.floor(math.log10(number)) if number else math.inf for number in np.abs(scaled).tolist()]
    return np.maximum(0, np.minimum(places, most)).astype(np.int64)


@cache
def _steps() -> NDArray[np.float64]:
    """For each power of ten the least number that has a 2 as its first of two digits: there a digit less is written."""
    near = [float(f"1.95e{power}") for power in POWERS]
    return np.array([x if f"{x:.1e}".startswith("2") else math.nextafter(x, math.inf) for x in near])

"""One column of stored rows: numbers in an array, texts in a list, and which of them are known."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from a2u_bench.record import Column

LARGEST = 1e300  # of a number: beyond it, arithmetic would overflow

_NOTHING = frozenset({type(None)})
_TYPES = {name: _NOTHING | {kind} for name, kind in (("string", str), ("Int64", int), ("Float64", float))}

Add = Callable[[str, int], None]
"""Takes what is wrong and the number of the line."""


@dataclass
class Values:
    """One column: the values, and for each whether it is known. What stands for an unknown one means nothing."""

    values: Any  # array of numbers, or a list of texts
    known: bytearray = field(default_factory=bytearray)

    def at(self, index: int) -> Any:
        """The value, None where it is unknown."""
        return self.values[index] if self.known[index] else None

    def pad(self, length: int) -> None:
        """Unknown values up to this length."""
        missing = length - len(self.known)
        self.known.extend(bytes(missing))
        if isinstance(self.values, list):
            self.values.extend([None] * missing)
        else:
            self.values.frombytes(bytes(self.values.itemsize * missing))

    def where(self, kept: Sequence[int]) -> Values:
        """Those that are to be kept."""
        values = compress(self.values, kept)
        return Values(
            list(values) if isinstance(self.values, list) else array(self.values.typecode, values),
            bytearray(compress(self.known, kept)),
        )


def held(values: Sequence[Any], column: Column, unknown: bool = True) -> Values:
    """Values as a column has them; `unknown` where some may be None. OverflowError for an integer that has no room."""
    known = bytearray(value is not None for value in values) if unknown else bytearray(b"\1" * len(values))
    if column.dtype == "string":
        return Values(list(values), known)
    numbers = [0 if value is None else value for value in values] if unknown else values
    return Values(array("q" if column.dtype == "Int64" else "d", numbers), known)


def checked(values: Sequence[Any], column: Column, add: Add, numbers: Sequence[int]) -> Values:
    """The values that have the column's type, None for the others, which `add` is told of."""
    kinds = set(map(type, values))  # quicker than to look at each
    try:
        if kinds <= _TYPES[column.dtype]:
            found = held(values, column, not kinds.isdisjoint(_NOTHING))
            # The sum is NaN or infinite where one of them is, so that comparing the largest means something.
            if column.dtype != "Float64" or sum(map(abs, found.values)) < LARGEST:
                return found
    except OverflowError:  # an integer that has no room
        pass
    return held([_typed(value, column, add, number) for value, number in zip(values, numbers, strict=True)], column)


def _typed(value: Any, column: Column, add: Add, number: int) -> Any:
    """The value if it has the column's type, else None and a problem."""
    if value is None:
        return None
    if column.dtype == "string" and isinstance(value, str):
        return value
    if not isinstance(value, bool) and isinstance(value, (int, float)) and column.dtype != "string":
        if column.dtype == "Float64" and abs(value) < LARGEST:
            return float(value)
        if column.dtype == "Int64" and -(2**63) <= value < 2**63 and int(value) == value:
            return int(value)
    add(f"{column.name} is no {column.dtype}, taken as unknown", number)
    return None

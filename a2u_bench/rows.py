"""Rows held by column: a hundred thousand of them in the room that a tenth would take as dictionaries.

Values are checked some hundred rows at a time; only a column in which something is odd is looked at value by value.
A row that is not the last word on its case (`record.is_open`) is there until a later one of the case takes its place.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress
from typing import Any, overload

from a2u_bench.record import BY_NAME, STATUSES, Column, is_open

CHUNK = 200
LARGEST = 1e300  # of a number: beyond it, arithmetic would overflow

_INTERVALS = {name for name in BY_NAME if f"{name}_low" in BY_NAME}

_KNOWN, _NOTHING = frozenset(STATUSES), frozenset({type(None)})

Key = tuple[Any, Any]
"""A case and its origin: in a merged run a case may stand once for each."""

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

    def keep(self, chosen: bytearray) -> None:
        """The values that are chosen by a 1, without the others."""
        left = compress(self.values, chosen)
        self.values = list(left) if isinstance(self.values, list) else array(self.values.typecode, left)
        self.known = bytearray(compress(self.known, chosen))

    def pad(self, length: int) -> None:
        """Unknown values up to this length."""
        missing = length - len(self.known)
        self.known.extend(bytes(missing))
        if isinstance(self.values, list):
            self.values.extend([None] * missing)
        else:
            self.values.frombytes(bytes(self.values.itemsize * missing))


class Rows(Sequence[dict[str, Any]]):
    """A sequence of rows as dictionaries, made when asked for; `columns` has them by the names of the schema."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.columns: dict[str, Values] = {name: Values(_empty(column)) for name, column in BY_NAME.items()}
        self._texts: dict[str, str] = {}  # each text once: most repeat in every row
        self._open: dict[Key, int] = {}  # where rows are that a later one may take the place of
        self._replaced: list[int] = []  # where rows are of which one has
        self._length = 0
        for chunk in _chunks(rows):
            self._add(_by_column(chunk), len(chunk))
        self._end()

    @classmethod
    def read(cls, batches: Iterable[Sequence[tuple[int, Mapping[str, Any]]]], add: Add) -> Rows:
        """Rows from numbered lines of a file, in batches: what is of the wrong kind is unknown, what is no row is left
        out."""
        rows = cls()
        seen: set[Key] = set()
        for chunk in filter(None, batches):
            numbers = [number for number, _ in chunk]
            found = _by_column([content for _, content in chunk])
            for name in found.keys() - BY_NAME.keys():
                for number, content in chunk:
                    if name in content:
                        add(f"unknown column {name[:40]!r}, set aside", number)
            table = {
                name: _checked(values, BY_NAME[name], add, numbers) for name, values in found.items() if name in BY_NAME
            }
            for name in _INTERVALS & table.keys():
                _leave_out_broken(table, name, add, numbers)
            nothing = [None] * len(chunk)
            cases, statuses, origins = (table.get(name, nothing) for name in ("case", "status", "origin"))
            keys = list(zip(cases, origins, strict=True))
            last = _last_words(statuses, table.get("stopped", nothing))
            sound = all(cases) and _KNOWN.issuperset(statuses) and all(last)
            if sound and len(set(keys)) == len(keys) and seen.isdisjoint(keys):
                seen.update(keys)
                rows._add(table, len(keys))
                continue
            kept = [bool(case) and status in STATUSES for case, status in zip(cases, statuses, strict=True)]
            for number, key, good, is_last in zip(numbers, keys, kept, last, strict=True):
                if not good:
                    add("no case or no known status, left out", number)
                elif key in seen:
                    add("a case that stands above already; both kept, and each is judged", number)
                elif is_last:
                    seen.add(key)
            rows._add({name: list(compress(values, kept)) for name, values in table.items()}, sum(kept))
        rows._end()
        return rows

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """These rows, after the others, as they will be read from a file."""
        for chunk in _chunks(rows):
            found = {name: values for name, values in _by_column(chunk).items() if name in BY_NAME}
            nowhere = [0] * len(chunk)
            self._add(
                {name: _checked(values, BY_NAME[name], _ignore, nowhere) for name, values in found.items()}, len(chunk)
            )
        self._end()

    def _add(self, table: Mapping[str, Sequence[Any]], count: int) -> None:
        """So many rows, given by column. Columns without a known value are left behind, until one comes or the end."""
        if self._open or "timeout" in table.get("status", ()):
            self._replace(table, count)
        for name, values in table.items():
            kinds = set(map(type, values))  # quicker than to compare each value with None
            if kinds == _NOTHING or name not in BY_NAME:
                continue
            unknown = not kinds.isdisjoint(_NOTHING)
            into = self.columns[name]
            into.pad(self._length)
            if isinstance(into.values, list):
                into.values.extend(map(self._texts.setdefault, values, values))
            else:
                into.values.extend([0 if value is None else value for value in values] if unknown else values)
            into.known.extend([value is not None for value in values] if unknown else b"\1" * count)
        self._length += count

    def _replace(self, table: Mapping[str, Sequence[Any]], count: int) -> None:
        """Note which rows those that come take the place of, and of which of them a later one may."""
        nothing = [None] * count
        cases, origins, statuses, stops = (table.get(name, nothing) for name in ("case", "origin", "status", "stopped"))
        last = _last_words(statuses, stops)
        for place, (case, origin, is_last) in enumerate(zip(cases, origins, last, strict=True), self._length):
            earlier = self._open.pop((case, origin), None)
            if earlier is not None:
                self._replaced.append(earlier)
            if not is_last:
                self._open[case, origin] = place

    def _end(self) -> None:
        for values in self.columns.values():
            values.pad(self._length)
        if not self._replaced:
            return
        chosen = bytearray(b"\1" * self._length)
        for place in self._replaced:
            chosen[place] = 0
        for values in self.columns.values():
            values.keep(chosen)
        moved = list(accumulate(chosen, initial=0))
        self._open = {key: moved[place] for key, place in self._open.items()}
        self._replaced, self._length = [], sum(chosen)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return {name: values.at(index) for name, values in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Rows({list(self)!r})"


def _ignore(what: str, line: int) -> None: ...


def _last_words(statuses: Sequence[Any], stops: Sequence[Any]) -> list[bool]:
    """Of each row, whether it is the last word on its case."""
    if "timeout" not in statuses:
        return [True] * len(statuses)
    return [not is_open(status, stopped) for status, stopped in zip(statuses, stops, strict=True)]


def _by_column(rows: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """The values of each name, None where a row lacks it. Rows of one program name the same columns in one order.

    Names of the schema without a value, most of them in a run, are left out before anything looks at them again.
    """
    names = list(rows[0])
    found: Iterable[tuple[str, Sequence[Any]]]
    if all(list(row) == names for row in rows):
        found = zip(names, zip(*(row.values() for row in rows), strict=True), strict=True)
    else:
        found = ((name, [row.get(name) for row in rows]) for name in dict.fromkeys(chain.from_iterable(rows)))
    count = len(rows)
    return {
        name: values
        for name, values in found
        if values[0] is not None or name not in BY_NAME or values.count(None) < count
    }


def _empty(column: Column) -> Any:
    return [] if column.dtype == "string" else array("q" if column.dtype == "Int64" else "d")


def _checked(values: Sequence[Any], column: Column, add: Add, numbers: Sequence[int]) -> Sequence[Any]:
    """The values that have the column's type, None for the others, which `add` is told of."""
    if all_of_type(values, column):
        return values
    return [_typed(value, column, add, number) for value, number in zip(values, numbers, strict=True)]


def _leave_out_broken(table: dict[str, Sequence[Any]], name: str, add: Add, numbers: Sequence[int]) -> None:
    """Both ends of an interval are unknown where they are the wrong way round or the value lies outside of them."""
    ends = [f"{name}_low", f"{name}_high"]
    if not table.keys() >= set(ends):
        return
    columns = [table[one] for one in (ends[0], name, ends[1])]
    good = [
        low is None or high is None or (low <= high if value is None else low <= value <= high)
        for low, value, high in zip(*columns, strict=True)
    ]
    if all(good):
        return
    for number, holds in zip(numbers, good, strict=True):
        if not holds:
            add(f"{name} lies outside its interval, or the interval ends before it begins: taken as unknown", number)
    for one in ends:
        table[one] = [value if holds else None for value, holds in zip(table[one], good, strict=True)]


def all_of_type(values: Sequence[Any], column: Column) -> bool:
    """Whether nothing here needs a second look: quick, and False where in doubt."""
    kinds = set(map(type, values))
    if kinds <= _NOTHING:
        return True
    unknown = not kinds.isdisjoint(_NOTHING)
    kinds -= _NOTHING
    if column.dtype == "string":
        return kinds == {str}
    known = [value for value in values if value is not None] if unknown else values
    if column.dtype == "Int64":
        return kinds == {int} and min(known) >= -(2**63) and max(known) < 2**63
    # The sum is NaN or infinite where one of them is, so that comparing the largest means something.
    return kinds == {float} and sum(map(abs, known)) < LARGEST


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


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

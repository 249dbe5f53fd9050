"""Rows held by column: a hundred thousand of them in the room that a tenth would take as dictionaries.

Values are checked some hundred rows at a time; only a column in which something is odd is looked at value by value.
A row that is not the last word on its case (`record.is_open`) is there until a later one of the case takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from operator import le
from typing import Any, overload

from a2u_bench.record import BY_NAME, GONE, STATUSES, is_open
from a2u_bench.values import Add, Values, checked, held

CHUNK = 200

_INTERVALS = {name for name in BY_NAME if f"{name}_low" in BY_NAME}

_KNOWN = frozenset(STATUSES)

Key = tuple[Any, Any]
"""A case and its origin: in a merged run a case may stand once for each."""

Batch = tuple[Sequence[int], Sequence[dict[str, Any]]]
"""Some lines of a file: their numbers and what each says."""


class Rows(Sequence[dict[str, Any]]):
    """A sequence of rows as dictionaries, made when asked for; `columns` has them by the names of the schema."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.columns: dict[str, Values] = {name: held((), column) for name, column in BY_NAME.items()}
        self._texts: dict[str, str] = {}  # each text once: most repeat in every row
        self._open: dict[Key, int] = {}  # where rows are that a later one may take the place of
        self._replaced: list[int] = []  # where rows are of which one has
        self._length = 0
        for chunk in _chunks(rows):
            found = {name: values for name, values in _by_column(chunk).items() if name in BY_NAME}
            self._add({name: held(values, BY_NAME[name]) for name, values in found.items()}, len(chunk))
        self._end()

    @classmethod
    def read(cls, batches: Iterable[Batch], add: Add) -> Rows:
        """Rows from numbered lines of a file, in batches: what is of the wrong kind is unknown, what is no row is left
        out."""
        rows = cls()
        seen: set[Key] = set()
        for numbers, chunk in batches:
            if not chunk:
                continue
            found = _by_column(chunk)
            for name in found.keys() - BY_NAME.keys() - GONE:
                for number, content in zip(numbers, chunk, strict=True):
                    if name in content:
                        add(f"unknown column {name[:40]!r}, set aside", number)
            table = {
                name: checked(values, BY_NAME[name], add, numbers) for name, values in found.items() if name in BY_NAME
            }
            for name in _INTERVALS & table.keys():
                _leave_out_broken(table, name, add, numbers)
            nothing = Values([None] * len(chunk))
            cases, statuses, origins, stops = (
                table.get(name, nothing).values for name in ("case", "status", "origin", "stopped")
            )
            keys = list(zip(cases, origins, strict=True))
            new, last = set(keys), _last_words(statuses, stops)
            sound = all(cases) and _KNOWN.issuperset(statuses) and all(last)
            if sound and len(new) == len(keys) and seen.isdisjoint(new):
                seen |= new
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
            rows._add({name: values.where(kept) for name, values in table.items()}, sum(kept))
        rows._end()
        return rows

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """These rows, after the others, as they will be read from a file."""
        for chunk in _chunks(rows):
            found = {name: values for name, values in _by_column(chunk).items() if name in BY_NAME}
            nowhere = [0] * len(chunk)
            self._add(
                {name: checked(values, BY_NAME[name], _ignore, nowhere) for name, values in found.items()}, len(chunk)
            )
        self._end()

    def _add(self, table: Mapping[str, Values], count: int) -> None:
        """So many rows, given by column. Columns that are not given are left behind, until one is or the end."""
        if self._open or ("status" in table and "timeout" in table["status"].values):
            self._replace(table, count)
        for name, more in table.items():
            into = self.columns[name]
            into.pad(self._length)
            repeated = isinstance(into.values, list) and BY_NAME[name].role != "key"
            into.values.extend(self._shared(more.values) if repeated else more.values)
            into.known.extend(more.known)
        self._length += count

    def _shared(self, texts: list[Any]) -> Iterable[Any]:
        """The same texts, each held once, however many rows have it."""
        if texts and texts.count(texts[0]) == len(texts):
            return [self._texts.setdefault(texts[0], texts[0])] * len(texts)
        return map(self._texts.setdefault, texts, texts)

    def _replace(self, table: Mapping[str, Values], count: int) -> None:
        """Note which rows those that come take the place of, and of which of them a later one may."""
        nothing = Values([None] * count)
        cases, origins, statuses, stops = (
            table.get(name, nothing).values for name in ("case", "origin", "status", "stopped")
        )
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
        self.columns = {name: values.where(chosen) for name, values in self.columns.items()}
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


def _leave_out_broken(table: Mapping[str, Values], name: str, add: Add, numbers: Sequence[int]) -> None:
    """Both ends of an interval are unknown where they are the wrong way round or the value lies outside of them."""
    if not table.keys() >= {f"{name}_low", f"{name}_high"}:
        return
    low, value, high = table[f"{name}_low"], table[name], table[f"{name}_high"]
    if all(map(le, low.values, value.values)) and all(map(le, value.values, high.values)):
        return  # nearly always, and at once; what is unknown is held as 0
    for place, number in enumerate(numbers):
        if not (low.known[place] and high.known[place]):
            continue
        middle = value.values[place] if value.known[place] else low.values[place]
        if not low.values[place] <= middle <= high.values[place]:
            add(f"{name} lies outside its interval, or the interval ends before it begins: taken as unknown", number)
            low.known[place] = high.known[place] = 0


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

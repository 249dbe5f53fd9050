"""Rows as strangers may have written them: each becomes a dictionary with every column, of its type or None."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from a2u_bench.columns import BY_NAME, GONE, STATUSES, Column, is_open

LARGEST = 1e300  # of a number: beyond it, arithmetic would overflow

Row = dict[str, Any]

Add = Callable[[str, int], None]
"""Takes what is wrong and the number of the line."""

_EMPTY: Row = dict.fromkeys(BY_NAME)
_TYPES = {name: {"string": str, "Int64": int, "Float64": float}[column.dtype] for name, column in BY_NAME.items()}
_INTERVALS = tuple((f"{name}_low", name, f"{name}_high") for name in BY_NAME if f"{name}_low" in BY_NAME)


def read(lines: Iterable[tuple[int, Mapping[str, Any]]], add: Add, reference: object = None) -> list[Row]:
    """Rows from numbered lines: a value of the wrong type is unknown, a line that is no row is left out.

    `reference`: the options of the run's.
    """
    rows = []
    seen: dict[tuple[Any, Any], Row] = {}
    for number, content in lines:
        row = checked(content, add, number)
        key = row["case"], row["origin"]
        if not row["case"] or row["status"] not in STATUSES:
            add("no case or no known status, left out", number)
            continue
        if key in seen and not _gives_way(seen[key], row, reference):
            add("a case that stands above already; both kept, and each is judged", number)
        else:
            seen[key] = row
        rows.append(row)
    return last_words(rows, reference)


def checked(content: Mapping[str, Any], add: Add = lambda what, line: None, number: int = 0) -> Row:
    """The whole row, with None for what is missing or has another type; `add` is told of what was."""
    row = dict(_EMPTY)
    for name, value in content.items():
        if value is None:
            continue
        if name not in BY_NAME:
            if name not in GONE:
                add(f"unknown column {name[:40]!r}, set aside", number)
        elif type(value) is str and _TYPES[name] is str:  # as nearly every text
            row[name] = value
        else:
            row[name] = _typed(value, BY_NAME[name], add, number)
    for low, middle, high in _INTERVALS:
        if row[low] is not None and row[high] is not None:
            value = row[low] if row[middle] is None else row[middle]
            if not row[low] <= value <= row[high]:
                row[low] = row[high] = None
                what = "lies outside its interval, or the interval ends before it begins: taken as unknown"
                add(f"{middle} {what}", number)
    return row


def last_words(rows: Sequence[Row], reference: object = None) -> list[Row]:
    """The rows without those of which a later one of the case has taken the place."""
    last = {(row["case"], row["origin"]): row for row in rows}
    found = ((row, last[row["case"], row["origin"]]) for row in rows)
    return [row for row, later in found if later is row or not _gives_way(row, later, reference)]


def _gives_way(row: Row, later: Row, reference: object) -> bool:
    """Whether a later row of its case takes the place of a row: of one that is open, and of the reference's where it
    counts more processes, because a run that goes on times that again."""
    more = later["options"] is not None and later["options"] == reference
    return is_open(row["status"], row["stopped"]) or (more and (row["processes"] or 0) < (later["processes"] or 0))


def _typed(value: Any, column: Column, add: Add, number: int) -> Any:
    """The value if it has the column's type, else None and a problem."""
    if column.dtype == "string" and isinstance(value, str):
        return value
    if not isinstance(value, bool) and isinstance(value, (int, float)) and column.dtype != "string":
        if column.dtype == "Float64" and abs(value) < LARGEST:
            return float(value)
        if column.dtype == "Int64" and -(2**63) <= value < 2**63 and int(value) == value:
            return int(value)
    add(f"{column.name} is no {column.dtype}, taken as unknown", number)
    return None

"""The cells of a line of a table, and the columns of a run that the words of its heading name."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

from a2u_bench.columns import SHOWN
from a2u_bench.tables.column import LABELS
from a2u_bench.units import CONVENTIONS

ANY: frozenset[str] = frozenset()
"""What a cell may be of whose heading names no column: any."""

_UNIT = re.compile(r"\s*[\[(][^\])]*[\])]$")


def split(line: str) -> list[str]:
    """The cells of a row of LaTeX, Markdown or CSV; of any other line one, which is all of it."""
    if "&" in line:
        return [cell.strip("\\ ") for cell in line.split("&")]
    if "|" in line:
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    try:
        return next(csv.reader([line], delimiter=";" if ";" in line else ",", strict=True), [])
    except csv.Error:
        return [line]


def heading(line: str) -> tuple[frozenset[str], ...]:
    """For each cell of a heading the columns that it names; () where a line names fewer than two."""
    found = tuple(_known().get(_UNIT.sub("", cell).strip().casefold(), ANY) for cell in split(line))
    return found if sum(map(bool, found)) > 1 else ()


def under(line: str, columns: Sequence[frozenset[str]]) -> list[tuple[str, frozenset[str]]]:
    """The cells of a line, each with the columns whose numbers it may hold; the whole line where it has other cells."""
    cells = split(line)
    if not columns or len(cells) != len(columns):
        return [(line, ANY)]
    return list(zip(cells, columns, strict=True))


def _known() -> Mapping[str, frozenset[str]]:
    """What may stand over a column, in small letters: its name, and the word of any table."""
    found: dict[str, frozenset[str]] = {}
    for name, column in SHOWN.items():
        words = {name, column.label, *(LABELS.get(name, name).format(work=work) for work, _ in CONVENTIONS.values())}
        for word in map(str.casefold, words):
            found[word] = found.get(word, ANY) | {name}
    return found

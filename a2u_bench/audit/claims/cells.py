"""The cells of a line of a table, and the columns of a run that the words of its heading name."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain

from a2u_bench.columns import SHOWN, is_axis
from a2u_bench.tables.column import LABELS
from a2u_bench.units import CONVENTIONS, PREFIXES

UNNAMED: frozenset[str] = frozenset()
"""The columns that words name which are no heading of ours."""

PER_CENT = -2
"""Of what is a share: the power of ten of per cent."""

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


@dataclass(frozen=True)
class Over:
    """What stands over a cell: its words, the columns that they name, and the power of ten in which these count, where
    the heading has a unit."""

    words: str
    columns: frozenset[str] = UNNAMED
    exponent: int | None = None


def heading(line: str) -> tuple[Over, ...]:
    """What the cells of a heading say; () where a line names fewer than two columns, or none with measured numbers."""
    found = tuple(map(_over, split(line)))
    if "&" not in line and "|" not in line and all(one.words in SHOWN for one in found):  # a CSV's, in SI units
        found = tuple(replace(one, exponent=0) for one in found)
    named = [one.columns for one in found if one.columns]
    return found if len(named) > 1 and any(map(_is_measured, chain(*named))) else ()


def with_units(over: Sequence[Over], line: str) -> tuple[Over, ...]:
    """The heading with the units of the line below it, where that has nothing else."""
    cells = split(line)
    if len(cells) != len(over) or not all(_UNIT.fullmatch(cell) for cell in cells if cell):
        return tuple(over)
    return tuple(replace(one, exponent=_exponent(cell)) if cell else one for one, cell in zip(over, cells, strict=True))


def under(line: str, over: Sequence[Over]) -> list[tuple[str, Over]]:
    """The cells of a line, each with what stands over it, but those under unknown words; or the whole line where it is
    no row below the heading."""
    cells = split(line)
    if not over or len(cells) != len(over):
        return [(line, Over(""))]
    return [(cell, one) for cell, one in zip(cells, over, strict=True) if one.columns]


def text(line: str, over: Sequence[Over], column: str) -> str:
    """The cell of a line that stands under a column of texts, or ""."""
    cells = split(line)
    found = [cell for cell, one in zip(cells, over, strict=False) if column in one.columns]
    return found[0] if len(cells) == len(over) and len(found) == 1 else ""


def _is_measured(column: str) -> bool:
    return SHOWN[column].dtype != "string" and not is_axis(column)


def _over(cell: str) -> Over:
    words, unit = _UNIT.sub("", cell).strip(), _UNIT.search(cell)
    return Over(words, _known().get(words.casefold(), UNNAMED), _exponent(unit[0]) if unit else None)


def _exponent(unit: str) -> int | None:
    """The power of ten of `[k]`, `[ms]`, `[MB]` or `[%]`; None of what is no unit of ours."""
    text = unit.strip("[]() ")
    if text == "%":
        return PER_CENT
    prefix = next((text.removesuffix(one) for one in ("dB", "B", "s") if text.endswith(one)), text)
    return next((exponent for exponent, known in PREFIXES.items() if known == prefix), None)


@cache
def _known() -> Mapping[str, frozenset[str]]:
    """What may stand over a column, in small letters: its name, and the word of any table."""
    found: dict[str, frozenset[str]] = {}
    for name, column in SHOWN.items():
        words = {name, column.label, *(LABELS.get(name, name).format(work=work) for work, _ in CONVENTIONS.values())}
        for word in map(str.casefold, words):
            found[word] = found.get(word, UNNAMED) | {name}
    return found

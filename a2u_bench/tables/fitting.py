"""A table in a terminal's width: long names fold at their punctuation, numbers beyond it come in further parts."""

from __future__ import annotations

import re
from dataclasses import replace

from rich.cells import cell_len

from a2u_bench.tables.table import Table

GAP = 1
"""Blanks between two columns."""

NARROWEST = 20
"""Letters that a column of names keeps where the numbers beside it come in parts anyway."""

_PIECE = re.compile(r"[^\s:,=/]*[:,=/]+|[^\s:,=/]+|\s+")


def fit(table: Table, width: int, fold: bool = True) -> list[Table]:
    """The table, or its parts, each with the columns of text at its left; as it is where there is nothing to cut.

    Without `fold` no cell gets a second line.
    """
    lead = next((place for place, heading in enumerate(table.headings) if heading.right), len(table.headings))
    if lead in (0, len(table.headings)) or _total(widths := _widths(table)) <= width:
        return [table]
    longest = max(range(lead), key=widths.__getitem__)
    rest = width - _total(widths) + widths[longest]  # for the longest names, with all numbers beside them
    if fold and rest >= _narrowest(table, longest):
        return [_folded(table, longest, rest)]
    room = width - _total(widths[:lead]) - GAP
    if fold and (room < max(widths[lead:]) or room < width // 3):
        table = _folded(table, longest, max(_narrowest(table, longest), NARROWEST))
        widths = _widths(table)
        room = width - _total(widths[:lead]) - GAP
    return _parts(table, widths, lead, room)


def _parts(table: Table, widths: list[int], lead: int, room: int) -> list[Table]:
    """The table cut between its columns of numbers, as many in a part as have room; one at least."""
    groups: list[list[int]] = [[]]
    for place in range(lead, len(widths)):
        if groups[-1] and _total([widths[one] for one in [*groups[-1], place]]) > room:
            groups.append([])
        groups[-1].append(place)
    if len(groups) == 1:
        return [table]
    parts = []
    for number, group in enumerate(groups):
        places = [*range(lead), *group]
        cells = tuple(tuple(row[place] for place in places) for row in table.cells)
        bold = frozenset((row, places.index(place)) for row, place in table.bold if place in places)
        tones = {(row, places.index(place)): tone for (row, place), tone in table.tones.items() if place in places}
        title = table.title if number == 0 else f"{table.title} (part {number + 1} of {len(groups)})"
        notes = table.notes if number == len(groups) - 1 else ()
        headings = tuple(table.headings[place] for place in places)
        parts.append(Table(title, headings, cells, notes, bold, tones, table.rule))
    return parts


def _folded(table: Table, place: int, width: int) -> Table:
    cells = tuple(
        tuple(_lines(text, width) if at == place else text for at, text in enumerate(row)) for row in table.cells
    )
    return replace(table, cells=cells)


def _lines(text: str, width: int) -> str:
    """A name in lines of at most so many letters, broken after its punctuation; a longer piece stays whole."""
    lines = [""]
    for piece in _PIECE.findall(text):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
            piece = piece.lstrip()
        lines[-1] += piece
    return "\n".join(lines)


def _narrowest(table: Table, place: int) -> int:
    """Letters of the longest piece of a column of names, and of its heading."""
    pieces = {piece.rstrip() for row in table.cells for piece in _PIECE.findall(row[place])}
    return max(map(cell_len, [table.headings[place].label, *pieces]))


def _total(widths: list[int]) -> int:
    return sum(widths) + GAP * max(len(widths) - 1, 0)


def _widths(table: Table) -> list[int]:
    found = []
    for place, heading in enumerate(table.headings):
        lines = {line for row in table.cells for line in row[place].split("\n")}
        longest = max(map(cell_len, lines), default=0)
        unit = cell_len(heading.unit) + 2 if heading.unit else 0
        found.append(max(cell_len(heading.label), unit, min(longest, heading.most or longest)))
    return found

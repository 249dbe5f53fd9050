"""Markdown: the table as GitHub and pandoc read it, best in bold, notes as a list under it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from a2u_bench.export._once import bold, columns, escaped
from a2u_bench.export._tables import tables
from a2u_bench.plain import plain
from a2u_bench.sheet import Sheet
from a2u_bench.table import Table

_SPECIAL = str.maketrans(
    {letter: f"\\{letter}" for letter in "\\`*_{}[]|~$"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
)
_LIST = re.compile(r"([#+-]|\d+[.)])(?=\s|$)")


def write(sheet: Sheet) -> Iterator[str]:
    """The tables of the sheet as Markdown."""
    for number, table in enumerate(tables(sheet, "markdown")):
        if number:
            yield "\n"
        yield from lines(table)


def lines(table: Table) -> Iterator[str]:
    """One table: its title, its cells in columns of one width, its notes."""
    if table.title:
        yield f"**{escape(table.title)}**\n\n"
    heads, rules, fields, shown = [], [], [], []
    for heading, texts, best in zip(table.headings, columns(table), bold(table), strict=True):
        cells = escaped(texts, escape)
        for row in best:
            cells[row] = cells[row] and f"**{cells[row]}**"
        head = escape(heading.text)
        width = max(3, len(head), max(map(len, cells), default=0))
        field = f"%{width}s" if heading.right else f"%-{width}s"
        heads.append(field % head)
        rules.append("-" * (width - 1) + (":" if heading.right else "-"))
        fields.append(field)
        shown.append(cells)
    yield _line(heads)
    yield _line(rules)
    line = _line(fields)
    yield from (line % cells for cells in zip(*shown, strict=True))
    if table.notes:
        yield "\n" + "".join(f"- {escape(note)}\n" for note in table.notes)


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = plain(text).translate(_SPECIAL)
    return _LIST.sub(r"\\\1", text) if _LIST.match(text) and not text[0].isdigit() else text


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |\n"

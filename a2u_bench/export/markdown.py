"""Markdown: the table as GitHub and pandoc read it, best in bold, notes under it, how it was made in a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from a2u_bench.export._tables import document, written
from a2u_bench.export.html import hidden
from a2u_bench.sanitize import plain
from a2u_bench.tables.table import Table
from a2u_bench.tables.view import View

_SPECIAL = str.maketrans(
    {letter: f"\\{letter}" for letter in "\\`*_{}[]|~$"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
)
_LIST = re.compile(r"([#+-]|\d+[.)])(?=\s|$)")


def write(view: View) -> Iterator[str]:
    """The tables of the view as Markdown."""
    made = document(view, "markdown")
    for number, table in enumerate(made.tables):
        if number:
            yield "\n"
        yield from lines(table)
    if made.comments:
        yield "\n<!--\n" + "".join(f"{hidden(line)}\n" for line in made.comments) + "-->\n"


def lines(table: Table) -> Iterator[str]:
    """One table: its title, its cells in columns of one width, its notes."""
    if table.title:
        yield f"**{escape(table.title)}**\n\n"
    heads = [escape(heading.text) for heading in table.headings]
    rows = written(table, escape, "**{}**")
    widths = [max(3, *map(len, column)) for column in zip(heads, *rows, strict=True)]
    sides = [heading.right for heading in table.headings]
    yield _line(heads, widths, sides)
    yield _line(
        ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, sides, strict=True)], widths, sides
    )
    for row in rows:
        yield _line(row, widths, sides)
    if table.notes:
        yield "\n" + "".join(f"- {escape(note)}\n" for note in table.notes)


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = plain(text).translate(_SPECIAL)
    return _LIST.sub(r"\\\1", text) if _LIST.match(text) and not text[0].isdigit() else text


def _line(texts: Sequence[str], widths: Sequence[int], sides: Sequence[bool]) -> str:
    cells = (
        f"{text:>{width}}" if right else f"{text:<{width}}"
        for text, width, right in zip(texts, widths, sides, strict=True)
    )
    return f"| {' | '.join(cells)} |\n"

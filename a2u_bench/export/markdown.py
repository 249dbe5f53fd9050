"""Markdown: the table as GitHub and pandoc read it, best in bold, notes as a list under it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from a2u_bench.cells import Table
from a2u_bench.export._tables import tables
from a2u_bench.plain import plain
from a2u_bench.sheet import Sheet

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_LIST = re.compile(r"([#+-]|\d+[.)])(?=\s|$)")


def write(sheet: Sheet) -> Iterator[str]:
    """The tables of the sheet as Markdown."""
    for number, table in enumerate(tables(sheet, "markdown")):
        yield ("\n" if number else "") + lines(table)


def lines(table: Table) -> str:
    """One table: its title, its cells in columns of one width, its notes."""
    grid = [[escape(heading.text) for heading in table.headings]]
    for row, texts in enumerate(table.cells):
        grid.append([_bold(escape(text), (row, place) in table.bold) for place, text in enumerate(texts)])
    widths = [max(3, *(len(texts[place]) for texts in grid)) for place in range(len(table.headings))]
    sides = [heading.right for heading in table.headings]
    made = [_line([_pad(*one) for one in zip(texts, widths, sides, strict=True)]) for texts in grid]
    rule = _line(["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, sides, strict=True)])
    said = [f"- {escape(note)}" for note in table.notes]
    parts = [f"**{escape(table.title)}**"] if table.title else []
    parts += ["\n".join([made[0], rule, *made[1:]]), *(["\n".join(said)] if said else [])]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = _SPECIAL.sub(r"\\\1", plain(text))
    text = "".join(_ENTITIES.get(letter, letter) for letter in text)
    return _LIST.sub(r"\\\1", text) if _LIST.match(text) and not text[0].isdigit() else text


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best and text else text


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"

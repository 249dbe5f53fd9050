"""Markdown: the table as GitHub and pandoc read it, best in bold, notes as a list under it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

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
        if number:
            yield "\n"
        yield from lines(table)


def lines(table: Table) -> Iterator[str]:
    """One table: its title, its cells in columns of one width, its notes."""
    if table.title:
        yield f"**{escape(table.title)}**\n\n"
    columns = list(zip(*table.cells, strict=True)) or [()] * len(table.headings)
    heads, rules, padded = [], [], []
    for place, (heading, texts) in enumerate(zip(table.headings, columns, strict=True)):
        escaped = {text: escape(text) for text in set(texts)}
        best = {row: f"**{escaped[texts[row]]}**" for row, column in table.bold if column == place and texts[row]}
        head = escape(heading.text)
        width = max(3, len(head), *map(len, escaped.values()), *map(len, best.values()))
        filled = {text: _pad(shown, width, heading.right) for text, shown in escaped.items()}
        cells = [filled[text] for text in texts]
        for row, shown in best.items():
            cells[row] = _pad(shown, width, heading.right)
        heads.append(_pad(head, width, heading.right))
        rules.append("-" * (width - 1) + (":" if heading.right else "-"))
        padded.append(cells)
    yield _line(heads)
    yield _line(rules)
    yield from map(_line, zip(*padded, strict=True))
    if table.notes:
        yield "\n" + "".join(f"- {escape(note)}\n" for note in table.notes)


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = _SPECIAL.sub(r"\\\1", plain(text))
    text = "".join(_ENTITIES.get(letter, letter) for letter in text)
    return _LIST.sub(r"\\\1", text) if _LIST.match(text) and not text[0].isdigit() else text


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |\n"

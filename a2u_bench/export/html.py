"""HTML: the table as one page that stands alone, without scripts and without anything from the network."""

from __future__ import annotations

import html
from collections.abc import Iterator

from a2u_bench.export._tables import document, written
from a2u_bench.sanitize import plain
from a2u_bench.tables.table import Table
from a2u_bench.tables.view import View

OWN = ' class="own"'
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = (
    "body{font:14px/1.4 sans-serif;margin:2em}"
    "table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid;margin:1em 0}"
    "caption{text-align:left;padding-bottom:.5em}"
    "th,td{padding:.15em .6em;text-align:left;white-space:nowrap}"
    "thead{border-bottom:1px solid}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}"
    ".own td{border-top:1px solid}"
    "p,ul{font-size:.85em}"
    "ul{padding-left:1.2em}"
)


def write(view: View) -> Iterator[str]:
    """The tables of the view as one page."""
    made = document(view, "html")
    found = made.tables
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(found[0].title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )
    for table in found:
        yield from _table(table)
    yield "".join(f"<!-- {hidden(line)} -->\n" for line in made.comments)
    yield "</body>\n</html>\n"


def hidden(text: str) -> str:
    """Text for within a comment, which it cannot end."""
    return plain(text).replace("<", "&lt;").replace(">", "&gt;")


def escape(text: str) -> str:
    """Text that HTML shows as it is, in elements and attributes."""
    return html.escape(plain(text))


def _table(table: Table) -> Iterator[str]:
    sides = [' class="n"' if heading.right else "" for heading in table.headings]
    yield f"<table>\n<caption>{escape(table.title)}</caption>\n<thead>\n<tr>"
    for heading, side in zip(table.headings, sides, strict=True):
        yield f'<th scope="col"{side}>{escape(heading.text)}</th>'
    yield "</tr>\n</thead>\n<tbody>\n"
    for row, cells in enumerate(written(table, escape, "<strong>{}</strong>")):
        texts = "".join(f"<td{side}>{cell}</td>" for side, cell in zip(sides, cells, strict=True))
        yield f"<tr{OWN if row == table.rule else ''}>{texts}</tr>\n"
    yield "</tbody>\n</table>\n"
    if len(table.notes) == 1:
        yield f"<p>{escape(table.notes[0])}</p>\n"
    elif table.notes:
        yield "<ul>\n" + "".join(f"<li>{escape(note)}</li>\n" for note in table.notes) + "</ul>\n"

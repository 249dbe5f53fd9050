"""The tables that a document takes from a view: every line, with the notes that let a reader run them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from a2u_bench.export import _provenance as provenance
from a2u_bench.tables.table import Table
from a2u_bench.tables.view import Request, View

BOLD = "bold: best, or not significantly worse than the best"


def tables(view: View, form: str) -> list[Table]:
    """The tables of the view; under the last stand hardware, convention, n and commands."""
    found = view.tables()
    shown = [heading.name for table in found for heading in table.headings]
    said = provenance.notes(view.reading, view.frame, shown, view.request.convention, command(view, form))
    if any(table.bold for table in found):
        said = (BOLD, *said)
    return [*found[:-1], replace(found[-1], notes=(*found[-1].notes, *said))]


def written(table: Table, escape: Callable[[str], str], strong: str) -> list[list[str]]:
    """The cells as `escape` writes them, the best ones within `strong`, such as `**{}**`."""
    known = {text: escape(text) for text in set(chain.from_iterable(table.cells))}
    rows = [[known[text] for text in row] for row in table.cells]
    for row, place in table.bold:
        rows[row][place] = rows[row][place] and strong.format(rows[row][place])
    return rows


def command(view: View, form: str) -> list[str]:
    """The arguments of the command that makes this export again."""
    request, plain = view.request, Request()
    arguments = ["export", *(str(run.path) for run in view.runs), "--format", form]
    if request.convention != plain.convention:
        arguments += ["--convention", request.convention]
    if request.baseline is not None:
        arguments += ["--baseline", request.baseline]
    for flag, values in (("--by", request.by), ("--columns", request.columns), ("--sort", request.order)):
        arguments += _joined(flag, values)
    if request.variants:
        arguments.append("--variants")
    for condition in request.filters:
        arguments += ["--filter", condition]
    return arguments


def _joined(flag: str, values: Sequence[str]) -> list[str]:
    if not values:
        return []
    text = ",".join(values)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]

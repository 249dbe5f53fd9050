"""The tables that a document takes from a view: every line, a sentence under them, and in comments how to make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from a2u_bench.columns import VERDICT
from a2u_bench.export import _provenance as provenance
from a2u_bench.judge.reading import Reading
from a2u_bench.tables.request import Request
from a2u_bench.tables.table import Table
from a2u_bench.tables.view import View


@dataclass(frozen=True)
class Document:
    """Tables with their notes, and lines that belong into comments of the file."""

    tables: tuple[Table, ...]
    comments: tuple[str, ...]


def document(view: View, form: str) -> Document:
    """The tables of the view with as many notes as were asked for."""
    request = view.request
    full = request.notes == "full"
    found = (view if full else replace(view, request=replace(request, notes="none"))).tables()
    shown = [heading.name for table in found for heading in table.headings]
    about = provenance.notes(view.reading, view.frame, shown, request.convention, command(view, form))
    bold = [provenance.BOLD] if any(table.bold for table in found) else []
    under: list[str] = []
    if full:
        under = [*bold, *about]
    elif request.notes == "short":
        told = provenance.sentence(view.reading, view.frame, shown, request.convention, _reference(view))
        under = ["; ".join([*filter(None, [told.removesuffix(".")]), *bold]) + "."] if told or bold else []
    said = [() if request.notes == "none" else table.notes for table in found]
    said[-1] = (*said[-1], *under)
    titles = [request.caption or _caption(table.title) for table in found]
    made = [replace(table, title=title, notes=notes) for table, title, notes in zip(found, titles, said, strict=True)]
    return Document(tuple(made), (*(() if full else view.brief), *about))


def _caption(title: str) -> str:
    """A title as it can stand over a table in a document, where no command above says what it is of."""
    if title.startswith(("z ", "in ")):
        return f"Costs of upsampling{',' if title.startswith('z ') else ''} {title}"
    return title


def _reference(view: View) -> str:
    """What the ratios of the view are to, as its tables name it; "" where that differs from run to run."""
    reading: Reading = view.reading
    own = view.named(reading.frame.loc[reading.frame[VERDICT].isin(["reference", "baseline"]).fillna(False)])
    names = own["options"].dropna().unique()
    return str(names[0]) if len(names) == 1 else ""


def written(table: Table, escape: Callable[[str], str], strong: str) -> list[list[str]]:
    """The cells as `escape` writes them, the best ones within `strong`, such as `**{}**`."""
    known = {text: escape(text) for text in set(chain.from_iterable(table.cells))}
    rows = [[known[text] for text in row] for row in table.cells]
    for row, place in table.bold:
        rows[row][place] = rows[row][place] and strong.format(rows[row][place])
    return rows


def command(view: View, form: str) -> list[str]:
    """The arguments of the command that makes this export again."""
    request, usual = view.request, Request()
    arguments = ["export", *(str(run.path) for run in view.runs), "--format", form]
    if request.convention != usual.convention:
        arguments += ["--convention", request.convention]
    if request.baseline is not None:
        arguments += ["--baseline", request.baseline]
    for flag, values in (("--by", request.by), ("--columns", request.columns), ("--sort", request.order)):
        arguments += _joined(flag, values)
    if request.variants:
        arguments.append("--variants")
    for condition in request.filters:
        arguments += ["--filter", condition]
    if request.as_typed:
        arguments += ["--names", "option"]
    if request.notes != "short":
        arguments += ["--notes", request.notes]
    return arguments


def _joined(flag: str, values: Sequence[str]) -> list[str]:
    if not values:
        return []
    text = ",".join(values)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]

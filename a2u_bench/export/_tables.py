"""The tables that a document takes from a view: every line, a sentence under them, and in comments how to make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from a2u_bench.columns import BASES, VERDICT
from a2u_bench.export import _provenance as provenance
from a2u_bench.judge.reading import Reading
from a2u_bench.store.frames import run_labels, to_values
from a2u_bench.tables.request import Request
from a2u_bench.tables.summary import of_trainings
from a2u_bench.tables.table import Table
from a2u_bench.tables.view import View


@dataclass(frozen=True)
class Document:
    """Tables with their notes, and lines that belong into comments of the file."""

    tables: tuple[Table, ...]
    comments: tuple[str, ...]


def document(view: View, form: str) -> Document:
    """The tables of the view with as many notes as were asked for, each with its own."""
    request = view.request
    full = request.notes == "full"
    found = (view if full else replace(view, request=replace(request, notes="none"))).tables()
    facts = [provenance.facts(view.reading, view.frame, _shown(table), request.convention) for table in found]
    under: list[tuple[str, ...]] = [()] * len(found)
    comments = [*view.brief, *view.left_out(), *chain.from_iterable(map(of_trainings, view.trainings()))]
    if full:
        names = {*run_labels(view.runs), *filter(None, to_values(view.named(view.frame)["options"]))}
        notes = [(*table.notes, *_bold(table), *said) for table, said in zip(found, facts, strict=True)]
        under = [tuple(filter(None, (provenance.printed(note, names) for note in said))) for said in notes]
        comments = [note for table in found for note in table.notes if not provenance.printed(note)]
    elif request.notes == "short":
        under = [(*table.notes, *_sentence(view, table)) for table in found]
    made = [
        replace(table, title=request.caption or _caption(table), notes=notes)
        for table, notes in zip(found, under, strict=True)
    ]
    commands = provenance.commands(view.reading, command(view, form))
    return Document(tuple(made), tuple(dict.fromkeys([*comments, *chain.from_iterable(facts), *commands])))


def _shown(table: Table) -> list[str]:
    return [heading.name for heading in table.headings]


def _bold(table: Table) -> list[str]:
    return [provenance.BOLD] if table.bold else []


def _sentence(view: View, table: Table) -> list[str]:
    """What a reader must know of a table, in one sentence; none where nothing must be known."""
    told = provenance.sentence(view.reading, view.frame, _shown(table), view.request.convention, _reference(view))
    parts = [*filter(None, [told.removesuffix(".")]), *_bold(table)]
    return [f"{'; '.join(parts)}."] if parts else []


def _caption(table: Table) -> str:
    """A title as it can stand over a table in a document, where no command above says what it is of."""
    title = table.title
    if any(heading.name == "pair" for heading in table.headings):
        return f"Quality of upsampling: {title}"
    if title.startswith(("z ", "in ")):
        return f"Costs of upsampling{',' if title.startswith('z ') else ''} {title}"
    return title


def _reference(view: View) -> str:
    """What the ratios of the view are to, as its tables name it; "" where that differs from run to run."""
    reading: Reading = view.reading
    own = view.named(reading.frame.loc[reading.frame[VERDICT].isin(BASES).fillna(False)])
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
    for flag, text in (("--label", request.label), ("--bib", request.bibliography)):
        arguments += _joined(flag, [text] if text else [])
    caption = _joined("--caption", [request.caption] if request.caption else [])
    return [*map(provenance.without_folders, arguments), *caption]


def _joined(flag: str, values: Sequence[str]) -> list[str]:
    if not values:
        return []
    text = ",".join(values)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]

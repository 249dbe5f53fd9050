"""The text of a reproduced table: its cells with their verdicts, costs that were asked alone, facts, and sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain

from a2u_bench import operators, units
from a2u_bench.audit.published import FLOPS, MACS, UNITS, PublishedCell, PublishedSite, PublishedTable, Source
from a2u_bench.audit.published.reproduce import VERDICTS, OperatorCost, Reproduced, shown
from a2u_bench.audit.published.table import Fact
from a2u_bench.errors import UsageError
from a2u_bench.operators import papers
from a2u_bench.paper_names import label, setting
from a2u_bench.sanitize import plain
from a2u_bench.tables.column import UNKNOWN
from a2u_bench.tables.table import Heading, Table

WORK = {"mac": MACS, "flop": FLOPS}
SEVERAL = "; "
"""Stands between the parts of a reason."""

NAMED = 2
"""Authors of a source that are all named."""

COUNTED = "work: multiply-adds of convolutions, linear layers and wᵀz; no bias, norm, softmax or pooling"
OF_WHOLE = "; that of a whole network as its authors counted it, in the lines below"


def texts(
    table: PublishedTable, cells: Sequence[Reproduced], costs: Sequence[OperatorCost], convention: str
) -> list[Table]:
    """Up to three tables of text, each only where it has rows."""
    built = []
    if cells:
        built.append(_cells(table, cells, WORK[convention]))
    if any(one.lines for one in cells):
        built.append(_lines(cells, convention))
    if costs:
        built.append(_costs(table, costs, convention))
    if table.facts:
        built.append(_facts(table))
    return built


def _cells(table: PublishedTable, cells: Sequence[Reproduced], unit: str) -> Table:
    called = _called(table)
    moved = any(one.cell.unit not in ("", unit) for one in cells)
    headings = [
        Heading("operator", "operator", right=False),
        Heading("quantity", "cost", right=False, whole=True),
        Heading("published", "published"),
        Heading("recomputed", "recomputed"),
        Heading("verdict", "verdict", right=False),
        Heading("source", "source", right=False, whole=True),
    ]
    rows = []
    for one in cells:
        cell, printed = one.cell, one.cell.printed
        reading = printed.reading(unit) if cell.unit else printed
        recomputed = UNKNOWN if one.recomputed is None else reading.write(one.recomputed)
        row = [called(cell), _cost(one), printed.text, recomputed]
        rows.append([*row, one.verdict, cell.source.key if cell.source else UNKNOWN])
        if moved:
            rows[-1].insert(3, reading.write(printed.value, 0) if cell.unit not in ("", unit) else UNKNOWN)
    if moved:
        headings.insert(3, Heading("moved", f"in {unit}"))
    notes = [f"{verdict}: {VERDICTS[verdict]}" for verdict in dict.fromkeys(one.verdict for one in cells)]
    notes += [*_reasons(cells, called), _typed(cells, called)]
    counted = f"{COUNTED}{OF_WHOLE if any(one.lines for one in cells) else ''}"
    notes += [_sites(table.sites), counted] + ([f"recomputed work is in {unit}: {UNITS[unit][1]}"] if moved else [])
    return _text(table.title, headings, rows, [*notes, *_citations(one.cell.source for one in cells)])


def _called(table: PublishedTable) -> Callable[[PublishedCell], str]:
    """What a cell's row is called: as it was printed, with the note that tells several of that name apart."""
    alike: dict[str, set[str]] = {}
    for cell in table.cells:
        alike.setdefault(cell.label, set()).add(cell.operator)

    def called(cell: PublishedCell) -> str:
        apart = [cell.note] if cell.note and len(alike[cell.label]) > 1 else []
        return ", ".join([shown(cell.label), *apart])

    return called


def _typed(cells: Sequence[Reproduced], called: Callable[[PublishedCell], str]) -> str:
    """Which operator each name stands for."""
    pairs = dict.fromkeys((called(one.cell), shown(one.cell.operator)) for one in cells)
    return f"typed: {'; '.join(f'{name} as {operator}' for name, operator in pairs)}"


def _reasons(cells: Sequence[Reproduced], called: Callable[[PublishedCell], str]) -> list[str]:
    """How each cell was recomputed: once what is so of most cells of a cost, then what is so of an operator's."""
    reasons: dict[str, list[list[str]]] = {}
    for one in cells:
        reasons.setdefault(_cost(one), []).append(one.why.split(SEVERAL))
    usual: dict[str, list[str]] = {}
    for cost, found in reasons.items():
        counts = Counter(chain.from_iterable(found))
        usual[cost] = [part for part, count in counts.items() if part and count > max(1, len(found) / 2)]
    where: dict[tuple[str, str], list[str]] = {}
    for one in cells:
        parts, common = one.why.split(SEVERAL), usual[_cost(one)]
        own = [part for part in parts if part not in common] if set(common) <= set(parts) else parts
        name = called(one.cell)
        own = [part for part in own if name != f"{one.cell.label}, {part}"]
        if any(own):
            where.setdefault((name, SEVERAL.join(own)), []).append(_cost(one))
    most = [f"{cost}, unless said otherwise below: {SEVERAL.join(parts)}" for cost, parts in usual.items() if parts]
    return most + [f"{name}, {' and '.join(costs)}: {own}" for (name, own), costs in where.items()]


def _cost(one: Reproduced) -> str:
    return one.cell.unit or one.cell.quantity


def _costs(table: PublishedTable, costs: Sequence[OperatorCost], convention: str) -> Table:
    word, factor = units.CONVENTIONS[convention]
    params = units.scale_for(cost.params or 0 for cost in costs)
    work = units.scale_for((cost.macs or 0) * factor for cost in costs)
    headings = [
        Heading("operator", "operator", right=False),
        Heading("params", "params", params.prefix),
        Heading("macs", word, work.prefix),
    ]
    rows = []
    for cost in costs:
        known = cost.params is not None and cost.macs is not None
        counts = [(cost.params or 0, params), ((cost.macs or 0) * factor, work)]
        rows.append([shown(cost.operator), *(units.exact(n, scale) if known else UNKNOWN for n, scale in counts)])
    skipped: dict[str, list[str]] = {}
    for cost in costs:
        if cost.reason:
            skipped.setdefault(cost.reason, []).append(shown(cost.operator))
    notes = [f"skipped: {'; '.join(names)} – {reason}" for reason, names in skipped.items()]
    return _text(table.title, headings, rows, [_sites(table.sites), COUNTED, *notes])


def _lines(cells: Sequence[Reproduced], convention: str) -> Table:
    """What the count of each whole network is the sum of."""
    headings = [
        Heading("quantity", "cost", right=False),
        Heading("what", "counted in the whole network", right=False),
        Heading("count", "count"),
    ]
    rows = []
    for one in cells:
        factor = units.CONVENTIONS[convention][1] if one.cell.unit else 1
        rows += [[one.cell.quantity, line.what, f"{factor * line.count:,}"] for line in one.lines]
        if one.lines:
            rows.append([one.cell.quantity, "together", f"{factor * sum(line.count for line in one.lines):,}"])
    return _text("", headings, rows, [])


def _facts(table: PublishedTable) -> Table:
    headings = [
        Heading("operator", "operator", right=False),
        Heading("quantity", "published only", right=False),
        Heading("printed", "value"),
        Heading("source", "source", right=False, whole=True),
    ]
    printed = {cell.operator: cell.label for cell in table.cells}
    facts = [replace(fact, operator=printed.get(fact.operator) or _in_papers(fact.operator)) for fact in table.facts]
    rows = [[fact.operator, fact.quantity, fact.printed, fact.source.key if fact.source else UNKNOWN] for fact in facts]
    notes = list(dict.fromkeys(f"{_of_which(facts, fact)}: {fact.note}" for fact in facts if fact.note))
    cited = {cell.source for cell in table.cells}
    new = (fact.source for fact in table.facts if fact.source not in cited)
    return _text("", headings, rows, [*notes, *_citations(new)])


def _in_papers(operator: str) -> str:
    """An operator string as a paper's table names it; as it is where it is not ours."""
    try:
        found = operators.operator(operator)
    except UsageError:
        return operator
    usual, name = operators.operator(found.name), label(found.name, papers.known())
    return name if found.text == usual.text else f"{name}, {setting(found.variant, usual.variant)}"


def _of_which(facts: Sequence[Fact], one: Fact) -> str:
    """The quantity that a note is about, and the operators where it is not about all that have this quantity."""
    alike = [fact for fact in facts if fact.quantity == one.quantity]
    about = [fact for fact in alike if fact.note == one.note]
    values = ", ".join(f"{fact.operator} {fact.printed}" for fact in about)
    return one.quantity if about == alike else f"{one.quantity} of {values}"


def _text(title: str, headings: Sequence[Heading], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> Table:
    cells = tuple(tuple(plain(text) for text in row) for row in rows)
    return Table(plain(title), tuple(headings), cells, tuple(plain(note) for note in notes))


def _sites(found: Iterable[PublishedSite]) -> str:
    """Where the operators sit, in one line."""
    sites = []
    for site in found:
        guide = f", guide {site.guide_channels}" if site.guide_channels else ""
        scale = f", scale {site.scale}" if site.scale != 2 else ""
        sites.append(f"{site.count} × ({site.channels}×{site.height}×{site.width}{guide}{scale})")
    return f"z: {' + '.join(sites)}"


def _citations(sources: Iterable[Source | None]) -> list[str]:
    """A line for each source, as it is met: its authors, or the first of many, and where it can be read."""
    lines = []
    for source in dict.fromkeys(source for source in sources if source):
        authors = source.authors.split(", ")
        who = source.authors if len(authors) <= NAMED else f"{authors[0]} et al."
        found = f"arXiv {source.arxiv}" if source.arxiv else f"“{source.title}”"
        venue = f"{source.venue} " if source.venue != "arXiv" else ""
        where = f"; {source.where}" if source.where else ""
        lines.append(f"{source.key}: {who}, {venue}{source.year}, {found}{where}")
    return lines

"""LaTeX: tables for `\\input`, ruled by booktabs, numbers aligned by siunitx 3, notes in small print under them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from a2u_bench.errors import UsageError
from a2u_bench.export._tables import document
from a2u_bench.export.tex.cells import NAMES, Cells, printed
from a2u_bench.export.tex.fit import Fit, fit, lines_of, pages
from a2u_bench.export.tex.text import escape, foldable, start
from a2u_bench.sanitize import plain
from a2u_bench.tables.table import Table
from a2u_bench.tables.view import View

SECTION = "section"
LEFT_OUT = ("macs_fvcore", "status", SECTION, "gap", "loss", "core_time")
"""Columns that a paper does without unless they are asked for: the first equals the MACs, notes say the second,
sections stand over their rows, and the others are of the training rather than of what it came to."""

DECIMALS = 2
"""That counts have in a paper."""

FEWEST = 3
"""Columns that a table keeps, however wide they are."""


def write(view: View) -> Iterator[str]:
    """The tables of the view, each a `table` of its own; in comments what they need and how they were made."""
    request, made = view.request, document(view, "latex")
    yield "% needs \\usepackage{booktabs} and \\usepackage{siunitx}, version 3\n"
    yield "".join(f"% {_comment(line)}\n" for line in made.comments)
    first = request.label or f"tab:{_as_label(request.file or view.runs[0].path.resolve().name)}"
    for number, table in enumerate(made.tables):
        label = first if number == 0 else f"{first}-{number + 1}"
        yield from lines(table, label, () if request.columns else LEFT_OUT, request.cited)


def _as_label(text: str) -> str:
    """A text as a label of LaTeX may hold it."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text) or "a2u-bench"


def check_label(text: str) -> None:
    """UsageError for a label that LaTeX or its readers could not use."""
    if not re.fullmatch(r"[A-Za-z0-9.:/_+-]{1,100}", text):
        raise UsageError(f"--label {text!r}: allowed: letters, digits and . : / _ + -, such as tab:cost")


@dataclass(frozen=True)
class _Set:
    """A table as it is set: its columns, how they fit, and what stands over each row that begins a section."""

    table: Table
    columns: Sequence[Cells]
    fit: Fit
    sections: Mapping[int, str]


def lines(
    table: Table, label: str, left_out: Sequence[str] = (), cited: Mapping[str, str] | None = None
) -> Iterator[str]:
    """One table: its caption, its rows between rules, its notes; where a page does not hold it, its rows go on in
    another.

    `left_out`: names of columns that nobody asked for; where there are some, those are left out too, from the right,
    that would make it too wide. `cited`: keys of papers by operator, each cited where its operator first stands.
    """
    columns = [column for column in _columns(table, cited or {}) if column.heading.name not in left_out]
    chosen = fit([column.tex for column in columns])
    too_wide: list[Cells] = []
    while chosen.over and left_out and len(columns) > FEWEST and columns[-1].numbers:
        too_wide.insert(0, columns.pop())
        chosen = fit([column.tex for column in columns])
    if too_wide:
        names = ", ".join(column.heading.name for column in too_wide)
        yield f"% without {_comment(names)}, which would make it too wide; --columns chooses\n"
    if chosen.over:
        yield f"% some {chosen.over:.0f} points wider than a page of article: choose fewer --columns\n"
    made = _Set(table, columns, chosen, _sections(table) if SECTION in left_out else {})
    parts = pages([_height(made, row) for row in range(len(table.cells))], chosen)
    for part in parts:
        yield from _float(made, part, "" if part.start else label, is_last=part is parts[-1])


def _float(made: _Set, rows: range, label: str, is_last: bool) -> Iterator[str]:
    """Some rows as a float; without a label they go on with the table before."""
    size, name = made.fit.size, "table*" if made.fit.wide else "table"
    yield f"\\begin{{{name}}}\n\\centering\n\\{size.name}\n\\setlength{{\\tabcolsep}}{{{made.fit.gap:g}pt}}\n"
    yield "\\setlength{\\belowcaptionskip}{4pt}\n"
    if label:
        yield f"\\caption{{{escape(made.table.title)}}}\n\\label{{{label}}}\n"
    else:
        yield "\\addtocounter{table}{-1}\n\\caption{(continued)}\n"
    yield "\\sisetup{text-series-to-math = true, propagate-math-font = true, group-digits = integer}\n"
    folded = f">{{\\raggedright\\arraybackslash\\hangindent=1em}}p{{{made.fit.room:.1f}pt}}"
    kinds = [folded if place == made.fit.folded else column.kind for place, column in enumerate(made.columns)]
    yield f"\\begin{{tabular}}{{@{{}}{' '.join(kinds)}@{{}}}}\n\\toprule\n"
    yield _line([column.head(column is made.columns[-1]) for column in made.columns])
    if any(column.heading.unit for column in made.columns):
        yield _line([column.unit_head(column is made.columns[-1]) for column in made.columns])
    yield "\\midrule\n"
    across = sum(1 + column.spreads for column in made.columns)
    for row in rows:
        if row > rows.start and (row == made.table.rule or row in made.sections):
            yield "\\midrule\n"
        if section := _over(made.sections, row, rows.start):
            yield f"\\multicolumn{{{across}}}{{@{{}}l}}{{\\itshape {escape(section)}}} \\\\\n"
        columns = enumerate(made.columns)
        yield _line([one.cell(row, place == made.fit.folded, one is made.columns[-1]) for place, one in columns])
    yield "\\bottomrule\n\\end{tabular}\n"
    if made.table.notes and is_last:
        yield f"\n\\smallskip\n{{\\{'scriptsize' if size.name == 'scriptsize' else 'footnotesize'}\\raggedright\n"
        yield "".join(f"{start(foldable(note))}\\par\n" for note in made.table.notes)
        yield "}\n"
    yield f"\\end{{{name}}}\n"


def _columns(table: Table, cited: Mapping[str, str]) -> Iterator[Cells]:
    """The columns as they are printed; operators that have a key cite it where they first stand."""
    first = {subject: row for row, subject in reversed(list(enumerate(table.subjects)))}
    keys = {row: cited[subject] for subject, row in first.items() if subject in cited}
    columns = zip(*table.cells, strict=True) if table.cells else [()] * len(table.headings)
    for place, (heading, texts) in enumerate(zip(table.headings, columns, strict=True)):
        named = heading.name in NAMES
        if heading.name == "pair" and not any("/" in text for text in texts):
            heading = replace(heading, label="operator")
        best = frozenset(row for row, at in table.bold if at == place)
        yield Cells(heading, list(map(printed, texts)) if heading.right else texts, best, keys if named else {})


def _sections(table: Table) -> dict[int, str]:
    """The first row of each section, and what that is called; none where rows of one are apart."""
    place = next((place for place, heading in enumerate(table.headings) if heading.name == SECTION), None)
    if place is None:
        return {}
    runs = [list(rows) for _, rows in groupby(range(len(table.cells)), lambda row: table.cells[row][place])]
    found = {rows[0]: table.cells[rows[0]][place] for rows in runs}
    return found if 1 < len(found) == len(set(found.values())) else {}


def _over(sections: Mapping[int, str], row: int, first: int) -> str:
    """What stands over a row: where its section or a page begins, the section."""
    if row in sections:
        return sections[row]
    return next((sections[at] for at in sorted(sections, reverse=True) if at < row), "") if row == first else ""


def _height(made: _Set, row: int) -> int:
    """Lines that a row takes."""
    place = made.fit.folded
    text = "" if place is None else made.columns[place].tex.folds[row]
    return lines_of(text, made.fit.room / made.fit.size.quad) + 2 * (row in made.sections)


def _comment(text: str) -> str:
    return plain(text).replace("\\", "/")


def _line(texts: Sequence[str]) -> str:
    return f"{' & '.join(texts)} \\\\\n"

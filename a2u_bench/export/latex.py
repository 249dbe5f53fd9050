"""LaTeX: a table for `\\input`, ruled by booktabs, numbers aligned by siunitx 3, notes in small print under it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress

from a2u_bench.errors import UsageError
from a2u_bench.export._fit import BREAKS, TexColumn, fit
from a2u_bench.export._tables import document
from a2u_bench.sanitize import plain
from a2u_bench.tables.table import Heading, Table
from a2u_bench.tables.view import View
from a2u_bench.units import SPREAD

PREFIXES = {
    "p": "pico",
    "n": "nano",
    "µ": "micro",
    "m": "milli",
    "k": "kilo",
    "M": "mega",
    "G": "giga",
    "T": "tera",
    "P": "peta",
}
UNITS = {"s": "second", "B": "byte", "dB": "decibel"}
FOLDED = r">{\raggedright\arraybackslash\hangindent=1em}X"
SPREADS = r"@{\,}l"
"""A column of its own for ± and what follows it, since siunitx sets no space before it in a table."""

APART = "\0"  # in no plain text
BACKSLASH = "\\"
SPECIAL = {
    APART: "{}",
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{''}",
    "`": r"\textasciigrave{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "µ": r"$\mu$",
    "τ": r"$\tau$",
    "→": r"$\rightarrow$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
}
ACCENTED = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝŒ")
"""Letters that every encoding of fonts has; others are given by their number, since LaTeX would stop at them."""

_PLAIN = re.compile("[0-9A-Za-z ,.:;=/()-]*")

_NUMBER = re.compile(rf"-?(?P<whole>\d+)(?:\.(?P<part>\d+))?(?:{SPREAD}(?P<half>[\d.]+))?")


MOST_ROWS = 40
"""Rows that fit a page, with notes."""

LEFT_OUT = ("macs_fvcore", "status")
"""Columns that a paper does without unless they are asked for: the first equals the MACs, notes say the second."""


def write(view: View) -> Iterator[str]:
    """The tables of the view, each a `table` of its own; in comments what they need and how they were made."""
    request, made = view.request, document(view, "latex")
    yield "% needs \\usepackage{booktabs, tabularx} and \\usepackage{siunitx}, version 3\n"
    yield "".join(f"% {plain(line).replace(BACKSLASH, '/')}\n" for line in made.comments)
    first = request.label or f"tab:{label_of(view.runs[0].path.resolve().name)}"
    for number, table in enumerate(made.tables):
        label = first if number == 0 else f"{first}-{number + 1}"
        yield from lines(table, label, () if request.columns else LEFT_OUT, request.cited)


def label_of(text: str) -> str:
    """A text as a label of LaTeX may hold it."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text) or "a2u-bench"


def check_label(text: str) -> None:
    """UsageError for a label that LaTeX or its readers could not use."""
    if not re.fullmatch(r"[A-Za-z0-9.:/_+-]{1,100}", text):
        raise UsageError(f"--label {text!r}: allowed: letters, digits and . : / _ + -, such as tab:cost")


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, with the fonts that every document has."""
    apart = re.sub("-(?=-)", f"-{APART}", plain(text))  # else two of them, as before a flag, become a dash
    return apart if _PLAIN.fullmatch(apart) else "".join(map(_letter, apart))


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    return letter if letter.isascii() or letter in ACCENTED else rf"\texttt{{U+{ord(letter):04X}}}"


def lines(
    table: Table, label: str, left_out: Sequence[str] = (), cited: Mapping[str, str] | None = None
) -> Iterator[str]:
    """One table without the columns of these names: its caption, its rows between rules, its notes.

    `cited`: keys of papers by operator, each of which is cited where its operator first stands.
    """
    kept = [heading.name not in left_out for heading in table.headings]
    headings = list(compress(table.headings, kept))
    cells = list(compress(zip(*table.cells, strict=True), kept)) if table.cells else [()] * len(headings)
    best = list(compress([{row for row, at in table.bold if at == place} for place in range(len(kept))], kept))
    kinds = list(map(_kind, headings, cells))
    chosen = fit([_measured(*column, bool(cited)) for column in zip(headings, cells, map(bool, best), strict=True)])
    float_name = "table*" if chosen.wide else "table"
    if chosen.over:
        yield f"% some {chosen.over:.0f} points wider than a page of article: choose fewer --columns\n"
    if len(table.cells) > MOST_ROWS:
        yield f"% {len(table.cells)} rows are more than a page holds: choose some with --filter\n"
    yield f"\\begin{{{float_name}}}\n\\centering\n\\{chosen.size}\n\\setlength{{\\tabcolsep}}{{{chosen.gap:g}pt}}\n"
    yield f"\\setlength{{\\belowcaptionskip}}{{4pt}}\n\\caption{{{escape(table.title)}}}\n\\label{{{label}}}\n"
    yield "\\sisetup{text-series-to-math = true, propagate-math-font = true}\n"
    folded = chosen.folded
    if folded is not None:
        kinds[folded] = FOLDED
    name, target = ("tabular", "") if folded is None else ("tabularx", "{\\linewidth}")
    columns = [
        [_cell(text, kind, row in marked) for row, text in enumerate(texts)]
        for texts, kind, marked in zip(cells, kinds, best, strict=True)
    ]
    _cite(columns, headings, table.subjects, cited or {})
    yield f"\\begin{{{name}}}{target}{{@{{}}{' '.join(kinds)}@{{}}}}\n\\toprule\n"
    yield _line([_head(heading.label, kind) for heading, kind in zip(headings, kinds, strict=True)])
    if any(heading.unit for heading in headings):
        yield _line([_unit_head(heading.unit, kind) for heading, kind in zip(headings, kinds, strict=True)])
    yield "\\midrule\n"
    for row, texts in enumerate(zip(*columns, strict=True)):
        yield "\\midrule\n" * (row == table.rule) + _line(texts)
    yield f"\\bottomrule\n\\end{{{name}}}\n"
    if table.notes:
        yield "\n\\smallskip\n{\\footnotesize\\raggedright\n"
        yield "".join(f"{_start(_foldable(note))}\\par\n" for note in table.notes)
        yield "}\n"
    yield f"\\end{{{float_name}}}\n"


def _measured(heading: Heading, texts: Sequence[str], best: bool, cites: bool) -> TexColumn:
    """A column as its width is reckoned: every number with as many digits after the point as any has."""
    shown = [f"{text} [00]" if cites and heading.name == "options" else text for text in texts]
    if heading.right:
        found = [match for text in texts if (match := _NUMBER.fullmatch(text))]
        whole = max((len(match["whole"]) for match in found), default=0)
        part = "0" * max((len(match["part"] or "") for match in found), default=0)
        half = f" ± 0.{part}" if any(match["half"] for match in found) else ""
        shown.append(f"{'0' * whole}.{part}{half}")
    return TexColumn((heading.label, f"[{heading.unit}]"), shown, best, not heading.right)


def _kind(heading: Heading, texts: Sequence[str]) -> str:
    """The column's type: aligned at the decimal point where it holds numbers, else at its side."""
    numbers = [found for text in texts if (found := _NUMBER.fullmatch(text))]
    if not heading.right or not numbers or any(text and not _NUMBER.fullmatch(text) for text in texts):
        return "r" if heading.right else "l"
    whole = max(len(found["whole"]) for found in numbers)
    part = max(len(found["part"] or "") for found in numbers)
    return f"S[table-format={whole}.{part}]{SPREADS if any(found['half'] for found in numbers) else ''}"


def _foldable(text: str) -> str:
    """Text that may go on in the next line after a comma, a colon or a slash, even where no blank follows."""
    return r"\allowbreak{}".join(escape(part) for part in BREAKS.split(text))


def _cite(
    columns: Sequence[list[str]], headings: Sequence[Heading], subjects: Sequence[str], cited: Mapping[str, str]
) -> None:
    """Adds its citation to the first name of each operator that has a key."""
    place = next((place for place, heading in enumerate(headings) if heading.name == "options"), None)
    if place is None:
        return
    first = {subject: row for row, subject in reversed(list(enumerate(subjects)))}
    for subject, row in first.items():
        if subject in cited:
            columns[place][row] += f"~\\cite{{{cited[subject]}}}"


def _head(text: str, kind: str) -> str:
    return _over(escape(text), kind)


def _unit_head(text: str, kind: str) -> str:
    return _over(f"[{_unit(text)}]" if text else "", kind)


def _over(text: str, kind: str) -> str:
    if kind.endswith(SPREADS):
        return f"\\multicolumn{{2}}{{c}}{{{text}}}"
    return f"{{{text}}}" if kind.startswith("S") else _start(text)


def _unit(text: str) -> str:
    name = next((unit for unit in UNITS if text.endswith(unit) and text.removesuffix(unit) in ("", *PREFIXES)), "")
    if not name:
        return escape(text)
    prefix = text.removesuffix(name)
    return f"\\unit{{{f'{chr(92)}{PREFIXES[prefix]}' if prefix else ''}\\{UNITS[name]}}}"


def _cell(text: str, kind: str, best: bool) -> str:
    if not kind.startswith("S"):
        shown = _foldable(text) if kind == FOLDED else escape(text)
        return f"\\textbf{{{shown}}}" if best else _start(shown)
    number, spread, half = text.partition(SPREAD)
    parts = [number, f"$\\pm$\\,{half}" if spread else ""] if kind.endswith(SPREADS) else [number]
    return " & ".join(f"\\bfseries {part}" if best and part else part for part in parts)


def _start(text: str) -> str:
    """A cell that LaTeX does not take for an argument of the line end before it."""
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def _line(texts: Sequence[str]) -> str:
    return f"{' & '.join(texts)} \\\\\n"

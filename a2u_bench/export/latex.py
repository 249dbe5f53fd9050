"""LaTeX: a table for `\\input`, ruled by booktabs, numbers aligned by siunitx 3, notes in small print under it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import compress

from a2u_bench.export._fit import BREAKS, TexColumn, fit
from a2u_bench.export._tables import tables
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
APART = "\0"  # in no plain text
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
    """The tables of the view, each a `table` of its own."""
    yield "% needs \\usepackage{booktabs, tabularx} and \\usepackage{siunitx}, version 3\n"
    for number, table in enumerate(tables(view, "latex")):
        label = f"tab:{_label(view.runs[0].path.resolve().name)}{f'-{number + 1}' if number else ''}"
        yield from lines(table, label, () if view.request.columns else LEFT_OUT)


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, with the fonts that every document has."""
    apart = re.sub("-(?=-)", f"-{APART}", plain(text))  # else two of them, as before a flag, become a dash
    return apart if _PLAIN.fullmatch(apart) else "".join(map(_letter, apart))


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    return letter if letter.isascii() or letter in ACCENTED else rf"\texttt{{U+{ord(letter):04X}}}"


def lines(table: Table, label: str, left_out: Sequence[str] = ()) -> Iterator[str]:
    """One table without the columns of these names: its caption, its rows between rules, its notes."""
    kept = [heading.name not in left_out for heading in table.headings]
    headings = list(compress(table.headings, kept))
    cells = list(compress(zip(*table.cells, strict=True), kept)) if table.cells else [()] * len(headings)
    best = list(compress([{row for row, at in table.bold if at == place} for place in range(len(kept))], kept))
    kinds = list(map(_kind, headings, cells))
    chosen = fit(list(map(_measured, headings, cells, map(bool, best))))
    float_name = "table*" if chosen.wide else "table"
    if chosen.over:
        yield f"% some {chosen.over:.0f} points wider than a page of article: choose fewer --columns\n"
    if len(table.cells) > MOST_ROWS:
        yield f"% {len(table.cells)} rows are more than a page holds: choose some with --filter\n"
    yield f"\\begin{{{float_name}}}\n\\centering\n\\{chosen.size}\n\\setlength{{\\tabcolsep}}{{{chosen.gap:g}pt}}\n"
    yield f"\\caption{{{escape(table.title)}}}\n\\label{{{label}}}\n"
    yield "\\sisetup{separate-uncertainty = true, text-series-to-math = true, propagate-math-font = true}\n"
    folded = chosen.folded
    if folded is not None:
        kinds[folded] = FOLDED
    name, target = ("tabular", "") if folded is None else ("tabularx", "{\\linewidth}")
    columns = [
        [_cell(text, kind, row in marked) for row, text in enumerate(texts)]
        for texts, kind, marked in zip(cells, kinds, best, strict=True)
    ]
    yield f"\\begin{{{name}}}{target}{{@{{}}{' '.join(kinds)}@{{}}}}\n\\toprule\n"
    yield _line([_head(heading, kind) for heading, kind in zip(headings, kinds, strict=True)])
    yield "\\midrule\n"
    yield from map(_line, zip(*columns, strict=True))
    yield f"\\bottomrule\n\\end{{{name}}}\n"
    if table.notes:
        yield "\n\\smallskip\n{\\footnotesize\\raggedright\n"
        yield "".join(f"{_start(_foldable(note))}\\par\n" for note in table.notes)
        yield "}\n"
    yield f"\\end{{{float_name}}}\n"


def _measured(heading: Heading, texts: Sequence[str], best: bool) -> TexColumn:
    """A column as its width is reckoned: every number with as many digits after the point as any has."""
    shown = list(texts)
    if heading.right:
        found = [match for text in texts if (match := _NUMBER.fullmatch(text))]
        whole = max((len(match["whole"]) for match in found), default=0)
        part = "0" * max((len(match["part"] or "") for match in found), default=0)
        half = f" ± 0.{part}" if any(match["half"] for match in found) else ""
        shown.append(f"{'0' * whole}.{part}{half}")
    return TexColumn(heading.text, shown, best, not heading.right)


def _kind(heading: Heading, texts: Sequence[str]) -> str:
    """The column's type: aligned at the decimal point where it holds numbers, else at its side."""
    numbers = [found for text in texts if (found := _NUMBER.fullmatch(text))]
    if not heading.right or not numbers or any(text and not _NUMBER.fullmatch(text) for text in texts):
        return "r" if heading.right else "l"
    whole = max(len(found["whole"]) for found in numbers)
    part = max(len(found["part"] or "") for found in numbers)
    halves = [found["half"] for found in numbers if found["half"]]
    digits = max((len(half.replace(".", "").lstrip("0") or "0") for half in halves), default=0)
    return f"S[table-format={whole}.{part}{f'({digits})' if digits else ''}]"


def _foldable(text: str) -> str:
    """Text that may go on in the next line after a comma, a colon or a slash, even where no blank follows."""
    return r"\allowbreak{}".join(escape(part) for part in BREAKS.split(text))


def _head(heading: Heading, kind: str) -> str:
    text = escape(heading.label)
    if heading.unit:
        text += f" [{_unit(heading.unit)}]"
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
    number = text.replace(SPREAD, " +- ")
    return f"\\bfseries {number}" if best and number else number


def _start(text: str) -> str:
    """A cell that LaTeX does not take for an argument of the line end before it."""
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def _line(texts: Sequence[str]) -> str:
    return f"{' & '.join(texts)} \\\\\n"


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text) or "a2u-bench"

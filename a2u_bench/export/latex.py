"""LaTeX: a table for `\\input`, ruled by booktabs, numbers aligned by siunitx 3, notes in small print under it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from a2u_bench.cells import Table
from a2u_bench.export._tables import tables
from a2u_bench.plain import plain
from a2u_bench.sheet import Sheet
from a2u_bench.texts import BETWEEN, SPREAD, Heading

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

_NUMBER = re.compile(rf"-?(?P<whole>\d+)(?:\.(?P<part>\d+))?(?:{SPREAD}(?P<half>[\d.]+))?")
_ENDS = re.compile(rf"(?P<value>-?[\d.]+) \((?P<low>-?[\d.]+){BETWEEN}(?P<high>-?[\d.]+)\)")


def write(sheet: Sheet) -> Iterator[str]:
    """The tables of the sheet, each a `table` of its own."""
    yield "% needs \\usepackage{booktabs} and \\usepackage{siunitx}, version 3\n"
    for number, table in enumerate(tables(sheet, "latex")):
        yield from lines(table, f"tab:{_label(sheet.runs[0].path.resolve().name)}{f'-{number + 1}' if number else ''}")


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, with the fonts that every document has."""
    apart = re.sub("-(?=-)", f"-{APART}", plain(text))  # else two of them, as before a flag, become a dash
    return "".join(_letter(letter) for letter in apart)


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    return letter if letter.isascii() or letter in ACCENTED else rf"\texttt{{U+{ord(letter):04X}}}"


def lines(table: Table, label: str) -> Iterator[str]:
    """One table: its caption, its rows between rules, its notes."""
    columns = [[row[place] for row in table.cells] for place in range(len(table.headings))]
    kinds = [_kind(heading, texts) for heading, texts in zip(table.headings, columns, strict=True)]
    yield "\\begin{table}\n\\centering\n\\small\n"
    yield f"\\caption{{{escape(table.title)}}}\n\\label{{{label}}}\n"
    yield "\\sisetup{separate-uncertainty = true, text-series-to-math = true, propagate-math-font = true}\n"
    yield f"\\begin{{tabular}}{{@{{}}{' '.join(kinds)}@{{}}}}\n\\toprule\n"
    yield _line([_head(heading, kind) for heading, kind in zip(table.headings, kinds, strict=True)])
    yield "\\midrule\n"
    for row, texts in enumerate(table.cells):
        yield _line([_cell(text, kinds[place], (row, place) in table.bold) for place, text in enumerate(texts)])
    yield "\\bottomrule\n\\end{tabular}\n"
    if table.notes:
        yield "\n\\smallskip\n{\\footnotesize\\raggedright\n"
        yield "".join(f"{_start(escape(note))}\\par\n" for note in table.notes)
        yield "}\n"
    yield "\\end{table}\n"


def _kind(heading: Heading, texts: Sequence[str]) -> str:
    """The column's type: aligned at the decimal point where it holds numbers, else at its side."""
    numbers = [found for text in texts if (found := _NUMBER.fullmatch(text))]
    if not heading.right or not numbers or any(text and not _is_number(text) for text in texts):
        return "r" if heading.right else "l"
    whole = max(len(found["whole"]) for found in numbers)
    part = max(len(found["part"] or "") for found in numbers)
    halves = [found["half"] for found in numbers if found["half"]]
    digits = max((len(half.replace(".", "").lstrip("0") or "0") for half in halves), default=0)
    return f"S[table-format={whole}.{part}{f'({digits})' if digits else ''}]"


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text) or _ENDS.fullmatch(text))


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
        return f"\\textbf{{{escape(text)}}}" if best else _start(escape(text))
    if text and not _NUMBER.fullmatch(text):
        return f"{{\\textbf{{{escape(text)}}}}}" if best else f"{{{escape(text)}}}"
    number = text.replace(SPREAD, " +- ")
    return f"\\bfseries {number}" if best and number else number


def _start(text: str) -> str:
    """A cell that LaTeX does not take for an argument of the line end before it."""
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def _line(texts: Sequence[str]) -> str:
    return f"{' & '.join(texts)} \\\\\n"


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text) or "a2u-bench"

"""A table of CSV, Markdown or LaTeX, as `export` writes them, back as headings, cells and notes of plain text."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path

from a2u_bench.errors import UsageError
from a2u_bench.export.latex import PREFIXES, SPECIAL, UNITS

LARGEST = 16 << 20  # bytes: files come from strangers, so memory is bounded first
FORMATS = ("csv", "markdown", "latex")

_SUFFIXES = {".csv": "csv", ".md": "markdown", ".markdown": "markdown", ".tex": "latex"}
_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"\s*:?-+:?\s*")
_COMMENT = re.compile(r"(?<!\\)%.*")
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?")
_RULES = re.compile(
    r"\\(?:top|mid|bottom)rule(?:\[[^\]]*\])?|\\c(?:mid)?rule(?:\([^)]*\))?\{[^}]*\}|\\(?:hline|addlinespace)"
)
_TABULAR = re.compile(r"\\begin\{tabular([x*]?)\}(.*?)\\end\{tabular[x*]?\}", re.DOTALL)
_UNIT = re.compile(r"\\(?:unit|si)\{((?:\\[a-z]+)+)\}")
_PLAIN = {text: letter for letter, text in SPECIAL.items() if letter.isprintable()}
_COMMANDS = re.compile(
    "|".join(re.escape(text) for text in sorted(_PLAIN, key=len, reverse=True))
    + r"|\\texttt\{U\+(?P<code>[0-9A-F]{4,6})\}|\\(?:textbf|bfseries|num|multicolumn|allowbreak)\b\s*|\s*\+-\s*|[{}]"
)


@dataclass(frozen=True)
class Grid:
    """One table: its headings and its rows, each as long as the headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Printed:
    """What a file holds: its format, its tables, and the sentences around them."""

    form: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...]


def read(path: Path) -> Printed:
    """The tables in a file. UsageError, in one line, where it cannot be read or holds none."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"--claims {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST:
        raise UsageError(f"--claims {path}: larger than {LARGEST >> 20} MiB; allowed: a table that `export` wrote")
    text = data.decode("utf-8-sig", errors="replace")
    if path.suffix.lower() in (".html", ".htm", ".json", ".parquet"):
        raise UsageError(f"--claims {path}: tables are read as {', '.join(FORMATS)}; export the table as one of these")
    form = _SUFFIXES.get(path.suffix.lower()) or _guess(text)
    printed = {"csv": _csv, "markdown": _markdown, "latex": _latex}[form](text)
    if not any(grid.rows for grid in printed.grids):
        raise UsageError(f"--claims {path}: no table in it that can be read as {form}; allowed: {', '.join(FORMATS)}")
    return printed


def _guess(text: str) -> str:
    if "\\begin{tabular" in text:
        return "latex"
    lines = text.splitlines()
    return "markdown" if any(line.startswith("|") and set(line) <= set("|-: ") for line in lines) else "csv"


def _csv(text: str) -> Printed:
    try:
        lines = [tuple(line) for line in csv.reader(io.StringIO(text), strict=True) if line]
    except csv.Error as error:
        raise UsageError(f"no CSV: {error}") from None
    grids = (_grid(lines),) if lines else ()
    return Printed("csv", grids, ())


def _markdown(text: str) -> Printed:
    grids: list[Grid] = []
    notes, lines = [], []
    for line in [*text.splitlines(), ""]:
        if line.lstrip().startswith("|"):
            cells = [part.strip() for part in _BAR.split(line.strip())[1:]]
            lines.append(cells[:-1] if cells and not cells[-1] else cells)
            continue
        if lines:
            kept = [cells for cells in lines if not all(_RULE.fullmatch(cell) for cell in cells)]
            grids.append(_grid([tuple(_of_markdown(cell) for cell in cells) for cells in kept]))
            lines = []
        notes.append(_of_markdown(line.removeprefix("- ").strip()))
    return Printed("markdown", tuple(grids), tuple(note for note in notes if note))


def _latex(text: str) -> Printed:
    text = _COMMENT.sub("", text)
    grids = []
    for found in _TABULAR.finditer(text):
        body = _after_columns(found[2])
        body = _RULES.sub(" ", _after_columns(body) if found[1] else body)  # a width stands before the columns
        rows = [re.split(r"(?<!\\)&", row) for row in _ROW_END.split(body) if row.strip()]
        grids.append(_grid([tuple(_of_latex(cell) for cell in row) for row in rows]))
    notes = [_of_latex(line.removesuffix("\\par")) for line in _TABULAR.sub("", text).splitlines()]
    return Printed("latex", tuple(grids), tuple(note for note in notes if note))


def _after_columns(body: str) -> str:
    """What follows the description of the columns, whose braces nest."""
    start = body.find("{")
    depth = 0
    for place in range(max(start, 0), len(body)):
        depth += {"{": 1, "}": -1}.get(body[place], 0)
        if depth == 0:
            return body[place + 1 :]
    return ""


def _grid(lines: list[tuple[str, ...]]) -> Grid:
    headings = lines[0] if lines else ()
    rows = tuple((*line[: len(headings)], *("" for _ in headings[len(line) :])) for line in lines[1:])
    return Grid(headings, rows)


def _of_markdown(text: str) -> str:
    bare = text.removeprefix("**").removesuffix("**") if text.endswith("**") and not text.endswith("\\**") else text
    return html.unescape(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", bare))


def _of_latex(text: str) -> str:
    text = _UNIT.sub(lambda found: _unit(found[1]), text)
    return " ".join(_COMMANDS.sub(_letter, text).split())


def _letter(found: re.Match[str]) -> str:
    if found["code"]:
        return chr(int(found["code"], 16)) if int(found["code"], 16) <= 0x10FFFF else ""
    if found[0].strip() == "+-":
        return " ±"
    return _PLAIN.get(found[0], "")


def _unit(commands: str) -> str:
    """`\\milli\\second` as `ms`."""
    names = {word: short for short, word in {**PREFIXES, **UNITS}.items()}
    return "".join(names.get(word, word) for word in commands.split("\\") if word)

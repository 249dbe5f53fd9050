"""The lines of a file as plain text, whether it is LaTeX, Markdown or what a terminal printed; without its notes."""

from __future__ import annotations

import html
import re
from pathlib import Path

from a2u_bench.audit.claims.spoken import UNIT
from a2u_bench.errors import UsageError
from a2u_bench.export.tex.text import PREFIXES, SPECIAL, UNITS

NOTE = "this table: "
"""What stands before the command that made a table."""

LARGEST = 16 << 20  # bytes: files come from strangers, so memory is bounded first
UNREAD = (".html", ".htm", ".json", ".parquet")  # a row is not a line of these
MOST_COLUMNS = 30  # that a cell lies over

_SLOWER = r"[\d.]+( ± |–)[\d.]+ times"
_BELOW = re.compile(
    r"(ratio|grade \w): .*|(times varied by|no ratio:|\d+ of \d+ rows kept) .*|"
    rf".+ (is|are) fastest(; .+ is {_SLOWER} slower( than .+)?(; .+ {_SLOWER})?)?(; .+ is not significantly slower)?"
)
"""What the terminal says below a table; a sentence on times that says more is a claim."""

_OVER_SEVERAL = re.compile(r"\\multicolumn\{(\d+)\}\{(?:@\{\})?\w(?:@\{\})?\}(\{(?:[^{}]|\{[^{}]*\})*\})")
_SPREAD = re.compile(r"&\s*(±\s*[\d.]*)")  # has a column of its own, and belongs to the number before it
_COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)
_COMMENT, _COMMAND = re.compile(r"(?<!\\)%.*"), re.compile(r"\\[A-Za-z]+ ?|[{}]")
_CITED = re.compile(r"\s?\[\d+(?:\s?[,–-]\s?\d+)*\]|\b(?:19|20)\d\d[a-z]?(?=\))")
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_DECIMAL = re.compile(rf"(?<=\d),(?=\d+\s*(?:±\s*[\d,.]+\s*)?{UNIT})")
_NUMBERED = re.compile(r"\\texttt\{U\+(10[0-9A-F]{4}|[0-9A-F]{4,5})\}")  # a letter that no font of every document has
_LETTERS = sorted(
    ((text, letter) for letter, text in SPECIAL.items() if letter.isprintable()), key=lambda t: -len(t[0])
)


def read(path: Path) -> list[str]:
    """The lines of a file as plain text, without those that are notes but for the command in them."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"--claims {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST:
        raise UsageError(f"--claims {path}: larger than {LARGEST >> 20} MiB; allowed: a table that `export` wrote")
    if path.suffix.lower() in UNREAD:
        raise UsageError(
            f"--claims {path}: allowed: CSV, Markdown, LaTeX or plain text; export the table as one of these"
        )
    text = data.decode("utf-8-sig", errors="replace")
    is_latex = path.suffix.lower() == ".tex" or "\\begin{tabular" in text
    kept = [line for line in _COMMENTS.sub(_command_in, text).splitlines() if NOTE in line or not _is_note(line)]
    lines = map(_of_latex if is_latex else _of_markdown, kept)
    return [_of_csv(line) if path.suffix.lower() == ".csv" else _of_prose(line) for line in lines]


def _is_note(line: str) -> bool:
    return line.startswith(("- ", "%")) or line.endswith("\\par") or bool(_BELOW.fullmatch(line))


def _command_in(comment: re.Match[str]) -> str:
    """Of a comment the line with the command that made the table."""
    return "\n".join(line for line in html.unescape(comment[0]).splitlines() if NOTE in line)


def _of_markdown(line: str) -> str:
    return html.unescape(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", line)).replace("**", "")


def _of_csv(line: str) -> str:
    """A row whose cells semicolons part, where a comma is a decimal's."""
    return re.sub(r"(?<=\d),(?=\d)", ".", line) if ";" in line else line


def _of_prose(line: str) -> str:
    """A line without citations, its numbers without commas: 61,860 is 61860, and 5,6 ms 5.6 ms."""
    if NOTE in line:
        return line
    line = _CITED.sub("", line).replace("+/-", "±").replace("+-", "±")
    return _DECIMAL.sub(".", _THOUSANDS.sub(lambda found: found[0].replace(",", ""), line))


def _of_latex(line: str) -> str:
    if NOTE in line:
        return line.lstrip("% ")
    line = _NUMBERED.sub(lambda found: chr(int(found[1], 16)), line)
    line = _OVER_SEVERAL.sub(_over_several, _COMMENT.sub("", line)).replace(r" \\ ", " ").replace(r"\,", "")
    for text, letter in _LETTERS:
        line = line.replace(text, letter)
    for letter, word in (*PREFIXES.items(), *((unit, name) for unit, name in UNITS.items())):
        line = re.sub(rf"\\{word}(?![A-Za-z])", letter, line)
    shown = _SPREAD.sub(r" \1 &", _COMMAND.sub("", line).replace("+-", "±"))
    return shown or ("&" if line else "")  # a rule is no empty line


def _over_several(found: re.Match[str]) -> str:
    """What stands over several columns, in the first of them."""
    return found[2] + "&" * (min(int(found[1][:2]), MOST_COLUMNS) - 1)

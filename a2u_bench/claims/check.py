"""Whether the numbers that a text gives of a run's operators are those that the run has stored.

Any text is read, line by line. A line that names operators of the run, or stands under a heading that does, is about
their rows, or those of them of whose axes it says most: shape, dtype, device. Each number in it must be a rounding of a
value of such a row, with whatever prefix of its unit, and what follows a ± one of half the interval of the same value.
List items, and paragraphs that `\\par` ends, are the notes under a table and are not checked.
"""

from __future__ import annotations

import html
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2u_bench import notes
from a2u_bench.errors import UsageError
from a2u_bench.export._provenance import PROGRAM
from a2u_bench.export.latex import SPECIAL
from a2u_bench.frames import is_trained, to_records
from a2u_bench.plain import plain
from a2u_bench.record import is_axis
from a2u_bench.runs import read_run
from a2u_bench.seeds import over_seeds
from a2u_bench.sheet import Request, Sheet, make
from a2u_bench.texts import WORK
from a2u_bench.units import PREFIXES

NOTE = "this table: "
FLAGS = ("--format", "--convention", "--baseline", "--filter", "--by", "--columns", "--sort")
"""All that a table's command may say: it comes from a stranger, so that nothing of it is ever run or written."""

LARGEST = 16 << 20  # bytes: files come from strangers, so memory is bounded first
UNREAD = (".html", ".htm", ".json", ".parquet")  # a row is not a line of these
SHOWN = 20
EXPONENTS = (*PREFIXES, -2)
"""Powers of ten in which a number may count: those of the prefixes, and per cent."""

SAME = 1e-12
"""Of a number: less is the computer's own rounding."""

_VALUE = r"-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?"
_UNIT = r"\s*%|[pnuµmkMGTP]?[sB]\b|×|x\b"
_NUMBER = re.compile(rf"(?<![\w.:=/-])({_VALUE})(?:\s*±\s*({_VALUE}))?({_UNIT})?(?![\w×=/-]|\.\d)")
_BETWEEN = re.compile(r"[\s|&,;\"()]+")
_SHAPE = re.compile(r"\b\d+(?:[x×]\d+)+\b")
_COMMENT, _COMMAND = re.compile(r"(?<!\\)%.*"), re.compile(r"\\[A-Za-z]+ ?|[{}]")
_LETTERS = sorted(
    ((text, letter) for letter, text in SPECIAL.items() if letter.isprintable()), key=lambda t: -len(t[0])
)


@dataclass(frozen=True)
class Wrong:
    """A number that does not stand: of which row, the column that comes nearest, what is given, and what is stored."""

    row: str
    column: str
    given: str
    stored: str

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        return plain(f"{self.row}: given {self.given}, stored {self.stored or 'nothing'} ({self.column})")


@dataclass(frozen=True)
class Checked:
    """What became of a text: of which runs it is, how many numbers were compared, and those that are wrong."""

    file: str
    runs: tuple[str, ...]
    cells: int
    wrong: tuple[Wrong, ...]
    remarks: tuple[str, ...] = ()  # on what is stored: rows that their own samples contradict

    @property
    def holds(self) -> bool:
        """Whether every number stands."""
        return not self.wrong and self.cells > 0

    def lines(self) -> Iterator[str]:
        """What to tell a person."""
        for wrong in self.wrong[:SHOWN]:
            yield wrong.sentence
        if len(self.wrong) > SHOWN:
            yield f"… and {len(self.wrong) - SHOWN} more"
        yield from map(plain, self.remarks)
        runs = " and ".join(self.runs)
        if self.holds:
            yield plain(f"{self.file}: all {self.cells} values stand in {runs}; title and notes are not checked")
        else:
            yield plain(f"{self.file}: {len(self.wrong)} of {self.cells} values do not stand in {runs}")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True)
class Row:
    """A stored row, as a line may speak of it: its operator and what else tells it from others, its texts with digits.

    `values` are all of its numbers in every unit, [columns, EXPONENTS], and `spreads` half their intervals, NaN where
    they have none.
    """

    operator: str
    name: str
    words: frozenset[str]
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    spreads: NDArray[np.float64]


def check(file: Path, run: Path | None = None) -> Checked:
    """Compare each number in `file` with what its run, or `run`, has stored. UsageError where either cannot be read."""
    lines = _read(file)
    folders, request = _command(lines)
    if run is not None and len(folders) > 1:
        raise UsageError(f"--run names one run, and {file} is of {len(folders)}: {', '.join(map(str, folders))}")
    folders = folders if run is None else [run]
    if not folders:
        raise UsageError(f"--claims {file} does not say of which run it is; name it: --run RUN")
    runs = [read_run(_there(folder, file)) for folder in folders]
    sheet = make(runs, request)
    named = _names(row.operator for row in _rows(sheet))
    if request.baseline is None and (marks := [line for line in lines if re.search(r"\bbaseline\b", line)]):
        marked = next((name for line in marks for name in named.findall(line)), None)
        sheet = make(runs, replace(request, baseline=marked))  # as a CSV says it
    stored: dict[str, list[Row]] = {}
    for row in _rows(sheet):
        stored.setdefault(row.operator, []).append(row)
    if not any(map(named.search, lines)):
        raise UsageError(f"--claims {file}: no line in it names an operator of {', '.join(map(str, folders))}")
    cells, wrong = 0, []
    heading: set[str] = set()
    for line in lines:
        names = set(named.findall(line))
        count, found = _compare(line, names, [row for name in names or heading for row in stored[name]])
        heading = (names or heading) if line.strip() and not (names and count) else set()
        cells += count
        wrong += found
    return Checked(
        str(file), tuple(str(one.path) for one in runs), cells, tuple(wrong), notes.of_reading(sheet.reading)
    )


def close(stored: Any, given: str) -> Any:
    """Whether a printed number is a rounding of what is stored, to its own last digit."""
    number, digit = float(given), 10.0 ** int(Decimal(given).as_tuple().exponent)
    return np.abs(stored - number) <= digit / 2 + SAME * abs(number)


def _read(path: Path) -> list[str]:
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
    kept = [line for line in text.splitlines() if NOTE in line or not (line.startswith("- ") or line.endswith("\\par"))]
    return list(map(_of_latex if is_latex else _of_markdown, kept))


def _of_markdown(line: str) -> str:
    return html.unescape(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", line)).replace("**", "")


def _of_latex(line: str) -> str:
    line = _COMMENT.sub("", line)
    for text, letter in _LETTERS:
        line = line.replace(text, letter)
    return _COMMAND.sub("", line).replace("+-", "±") or ("&" if line else "")  # a rule is no empty line


def _command(lines: Sequence[str]) -> tuple[list[Path], Request]:
    """The runs and the request of the last command that is noted."""
    said = [line.partition(NOTE)[2].strip() for line in lines if NOTE in line]
    if not said:
        return [], Request()
    try:
        words = shlex.split(said[-1])
    except ValueError:
        words = []
    if words[:2] != [PROGRAM, "export"]:
        raise UsageError(f"the table's note says {said[-1]!r}; allowed: {PROGRAM} export RUN …")
    folders: list[Path] = []
    given: dict[str, str] = {}
    rest = iter(words[2:])
    for word in rest:
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            folders.append(Path(word))
        elif flag not in FLAGS:
            raise UsageError(f"the table's note says {flag}; allowed: {', '.join(FLAGS)}")
        else:
            given[flag] = value if equals else next(rest, "")
    columns = tuple(part.strip() for part in given.get("--columns", "").split(",") if part.strip())
    return folders, Request(baseline=given.get("--baseline"), columns=columns)


def _there(folder: Path, file: Path) -> Path:
    """The run's folder, from here or from where the text lies."""
    beside = file.parent / folder
    return beside if not folder.exists() and beside.is_dir() else folder


def _rows(sheet: Sheet) -> Iterator[Row]:
    """The rows of a sheet, means over seeds, and changes between two runs."""
    trained = sheet.frame[is_trained(sheet.frame)]
    for part in (sheet.frame, *([] if trained.empty else [over_seeds(trained)]), *sheet.changes.values()):
        yield from (_row(record) for record in to_records(part) if record["options"])


def _row(record: Mapping[str, Any]) -> Row:
    texts = {name: value for name, value in record.items() if isinstance(value, str) and value}
    numbers = {name: value for name, value in record.items() if isinstance(value, (int, float))}
    found = []
    for name, value in numbers.items():
        low, high = (numbers.get(f"{name}_{end}", math.nan) for end in ("low", "high"))
        found += [(name, value * factor, high / 2 - low / 2) for factor in ((1, 2) if name in WORK else (1,))]  # FLOPs
    columns, values, spreads = zip(*found, strict=True)
    units = 10.0 ** -np.array(EXPONENTS)
    sides = [record.get(name) for name in ("batch", "channels", "height", "width")]
    shape = "" if None in sides else "×".join(map(str, sides))
    axes = {value for name, value in texts.items() if is_axis(name) or name == "case"}
    return Row(
        record["options"],
        f"{record.get('pair') or record['options']} {shape}".strip(),
        frozenset({*axes, shape, shape.replace("×", "x")}),
        tuple(sorted((text for text in texts.values() if any(map(str.isdigit, text))), key=len, reverse=True)),
        columns,
        np.outer(values, units),
        np.outer(spreads, units),
    )


def _names(operators: Iterable[str]) -> re.Pattern[str]:
    """What finds these operator strings, each only as a whole."""
    longest_first = sorted(map(re.escape, set(operators)), key=len, reverse=True)
    return re.compile(rf"(?<![\w:.-])(?:{'|'.join(longest_first) or '(?!)'})(?![\w:=-]|\.\w|,\w+=)")


def _compare(line: str, names: Set[str], rows: Sequence[Row]) -> tuple[int, list[Wrong]]:
    """How many numbers of a line, which says these names and is about these rows, were compared, and those that none of
    the rows has."""
    if not rows:
        return 0, []
    words = {*_BETWEEN.split(line), *names}
    shared = [len(row.words & words) for row in rows]
    meant = [row for row, count in zip(rows, shared, strict=True) if count == max(shared)]
    rest = _SHAPE.sub(" ", line)
    for text in dict.fromkeys(text for row in meant for text in row.texts):
        rest = rest.replace(text, " ")
    cells, wrong = 0, []
    for given, half, unit in _NUMBER.findall(rest):
        cells += 1
        units = slice(-1, None) if unit.endswith("%") else slice(0, -1)
        if not any(_stands(given, half, row, units) for row in meant):
            said = f"{given} ±{half}" if half else given
            _, name, column, stored = min(_nearest(given, half, row, units) for row in meant)
            wrong.append(Wrong(name, column, said, stored))
    return cells, wrong


def _stands(given: str, half: str, row: Row, units: slice) -> bool:
    """Whether a number, and what follows its ±, are those of a value of the row."""
    fits = close(row.values[:, units], given)
    return bool((fits & close(row.spreads[:, units], half) if half else fits).any())


def _nearest(given: str, half: str, row: Row, units: slice) -> tuple[float, str, str, str]:
    """How far the value of the row is that comes nearest to a number, of which row and column it is, and its text."""
    digits = [max(0, -int(Decimal(text or "0").as_tuple().exponent)) for text in (given, half)]
    far = np.abs(row.values[:, units] - float(given))
    far[np.isnan(row.spreads[:, units]) & bool(half)] = np.inf
    place = np.unravel_index(far.argmin(), far.shape)
    stored = f"{row.values[:, units][place]:.{digits[0]}f}"
    spread = f" ±{row.spreads[:, units][place]:.{digits[1]}f}" if half else ""
    return float(far[place]), row.name, row.columns[place[0]], stored + spread

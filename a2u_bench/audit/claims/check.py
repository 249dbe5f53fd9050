"""Whether the numbers that a text gives of a run's operators are those that the run has stored.

Any text is read, line by line. A line that names operators of the run, or stands under a heading that does, is about
their rows, or those of them of whose axes it says most: shape, dtype, device. Each number in it must be a rounding of a
value of such a row, in the unit that stands behind it and in whatever prefix where none does, and what follows a ± one
of half the interval of the same value; of a range, such as 1.2–9, both ends of one interval, or two values; `8 times`
a ratio, or how much more one row has of something than another;
in a table under a heading that names columns, a value of its own column in the unit that stands there. Cells under
other words are not checked, and said.
Rows of a table that name no operator of the run are said. Not checked are the notes under a table: what `compare` says
there, list items, and paragraphs that `\\par` ends.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from a2u_bench.audit.claims import cells
from a2u_bench.audit.claims.cells import Over
from a2u_bench.audit.claims.lines import NOTE, read
from a2u_bench.audit.claims.match import Row, Wrong, compare, rows, unread
from a2u_bench.columns import BASES, VERDICT
from a2u_bench.errors import UsageError
from a2u_bench.export._provenance import PROGRAM
from a2u_bench.operators import papers
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import to_values
from a2u_bench.store.read import Run, read_run, there
from a2u_bench.tables import notes
from a2u_bench.tables.naming import in_papers, whole
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import View, make

FLAGS = (
    *("--format", "--convention", "--baseline", "--filter", "--by", "--columns", "--sort"),
    *("--names", "--notes", "--caption", "--label", "--bib"),
)
"""All that a table's command may say: it comes from a stranger, so that nothing of it is ever run or written."""

SHOWN, FEW = 20, 5
"""Wrong numbers, and rows that were not checked, that are told."""


@dataclass(frozen=True)
class Checked:
    """What became of a text: of which runs it is, how many numbers were compared, and those that are wrong."""

    file: str
    runs: tuple[str, ...]
    cells: int
    wrong: tuple[Wrong, ...]
    remarks: tuple[str, ...] = ()  # on what is stored: rows that their own samples contradict
    unread: tuple[str, ...] = ()  # rows of a table that are about no operator of the run, by their first cell

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
        if self.unread:
            more = ", …" if len(self.unread) > FEW else ""
            told = f"{', '.join(self.unread[:FEW])}{more}"
            yield plain(f"{self.file}: not checked, since {runs} has no such operator: {told}")
        if self.holds:
            told = "the 1 value stands" if self.cells == 1 else f"all {self.cells} values stand"
            yield plain(f"{self.file}: {told} in {runs}; words, title and notes are not checked")
        else:
            yield plain(f"{self.file}: {len(self.wrong)} of {self.cells} values do not stand in {runs}")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "holds": self.holds}


def check(file: Path, run: Path | None = None) -> Checked:
    """Compare each number in `file` with what its run, or `run`, has stored. UsageError where either cannot be read."""
    lines = read(file)
    folders, request = _command(lines)
    if run is not None and len(folders) > 1:
        raise UsageError(f"--run names one run, and {file} is of {len(folders)}: {', '.join(map(str, folders))}")
    folders = folders if run is None else [run]
    if not folders:
        raise UsageError(f"--claims {file} does not say of which run it is; name it: --run RUN")
    runs = [read_run(there(folder, file.parent)) for folder in folders]
    view = make(runs, request)
    lines = _as_typed(lines, view, runs)
    named, variants = whole(row.operator for row in rows(view)), _variants(view)
    if request.baseline is None and (said := [line for line in lines if re.search(r"\bbaseline\b", line)]):
        marked = next((name for line in said for name in named.findall(line)), None)
        view = make(runs, replace(request, baseline=marked))  # as a CSV says it
    references = set(to_values(view.frame.loc[view.frame[VERDICT].isin(BASES).fillna(False), "options"]))
    stored: dict[str, list[Row]] = {}
    for row in rows(view):
        stored.setdefault(row.operator, []).append(row)
    if not any(map(named.search, lines)):
        raise UsageError(f"--claims {file}: no line in it names an operator of {', '.join(map(str, folders))}")
    count, wrong, apart = 0, [], []
    heading: set[str] = set()
    over: tuple[Over, ...] = ()
    strange: dict[str, None] = {}
    for line in lines:
        said_names = set(named.findall(line))
        if line.strip() and not said_names:
            over = cells.heading(line) or cells.with_units(over, line)
        if (
            variant := variants.get((cells.text(line, over, "operator"), cells.text(line, over, "variant")))
        ) is not None:
            said_names = {variant}
        about = [row for name in said_names or heading for row in stored[name]]
        here, found = compare(line, said_names, about, over, references)
        if here and len(cells.split(line)) == len(over):
            strange |= dict.fromkeys(one.words for one in over if one.words and not one.columns)
        heading = (said_names or heading) if line.strip() and not (said_names and here) else set()
        count += here
        wrong += found
        if not said_names and not here and (first := unread(line)):
            apart.append(first)
    remarks = tuple(notes.of_reading(view.reading))
    if strange:
        remarks += (f"{file}: not checked, since no column is called so: {', '.join(strange)}",)
    return Checked(str(file), tuple(str(one.path) for one in runs), count, tuple(wrong), remarks, tuple(apart))


def _as_typed(lines: Sequence[str], view: View, runs: Sequence[Run]) -> list[str]:
    """The lines with operators as they are typed where they have their names in papers."""
    frame = view.frame
    known = papers.known_in(run.manifest for run in runs)
    called = dict(zip(to_values(in_papers(frame, known)), to_values(frame["options"]), strict=True))
    typed = {name: options for name, options in called.items() if name and options}
    named = whole([*typed, *typed.values()])
    return [named.sub(lambda found: typed.get(found[0], found[0]), line) for line in lines]


def _variants(view: View) -> dict[tuple[str, str], str]:
    """What is typed for an operator and the label of its variant."""
    columns = (to_values(view.frame[name]) for name in ("operator", "variant", "options"))
    return {(name, label): options for name, label, options in zip(*columns, strict=True) if name and label and options}


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
        if word == "--variants":
            continue
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            folders.append(Path(word))
        elif flag not in FLAGS:
            raise UsageError(f"the table's note says {flag}; allowed: {', '.join(FLAGS)}")
        else:
            given[flag] = value if equals else next(rest, "")
    columns = tuple(part.strip() for part in given.get("--columns", "").split(",") if part.strip())
    return folders, Request(baseline=given.get("--baseline"), columns=columns)

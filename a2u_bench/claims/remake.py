"""The table as it would be exported today: from the command in its notes, or from its headings where it has none."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from a2u_bench import notes
from a2u_bench.claims.read import Grid, Printed
from a2u_bench.errors import UsageError
from a2u_bench.export._provenance import PROGRAM
from a2u_bench.export.csv import harmless
from a2u_bench.frames import to_values
from a2u_bench.record import RUN, SHAPE, VERDICT, is_axis
from a2u_bench.runs import Run, read_run
from a2u_bench.sheet import Request, Sheet, make, to_export

NOTE = "this table: "
LISTS = {"--by": "by", "--columns": "columns", "--sort": "order"}
FLAGS = ("--format", "--convention", "--baseline", "--filter", *LISTS)
"""All that a table's command may say: it comes from a stranger, so that nothing of it is ever run or written."""


@dataclass(frozen=True)
class Remade:
    """A table of today; `keys` are the places of the columns that say which case a row is."""

    grid: Grid
    keys: tuple[int, ...]


def remake(printed: Printed, file: Path, run: Path | None) -> tuple[list[Run], tuple[str, ...], list[Remade]]:
    """The runs that the table is of, notes on what they say, and their tables of today. UsageError where the run is not
    named or not there."""
    folders, request = _command(printed)
    if run is not None:
        if len(folders) > 1:
            raise UsageError(f"--run names one run, and {file} is of {len(folders)}: {', '.join(map(str, folders))}")
        folders = [run]
    if not folders:
        raise UsageError(f"--claims {file} does not say of which run it is; name it: --run RUN")
    runs = [read_run(_there(folder, file)) for folder in folders]
    sheet = make(runs, _of_csv(printed.grids[0]) if printed.form == "csv" else request)
    tables = [_of_frame(to_export(sheet))] if printed.form == "csv" else _of_tables(sheet)
    return runs, notes.of_reading(sheet.reading), tables


def _command(printed: Printed) -> tuple[list[Path], Request]:
    """What the last note that names a command says."""
    said = [note.removeprefix(NOTE) for note in printed.notes if note.startswith(NOTE)]
    if not said:
        return [], Request()
    try:
        words = shlex.split(said[-1])
    except ValueError:
        words = []
    if words[:2] != [PROGRAM, "export"]:
        raise UsageError(f"the table's note says {said[-1]!r}; allowed: {PROGRAM} export RUN …")
    folders: list[Path] = []
    given: dict[str, list[str]] = {flag: [] for flag in FLAGS}
    rest = iter(words[2:])
    for word in rest:
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            folders.append(Path(word))
        elif flag not in FLAGS:
            raise UsageError(f"the table's note says {flag}; allowed: {', '.join(FLAGS)}")
        else:
            given[flag].append(value if equals else next(rest, ""))
    lists = {
        name: tuple(part.strip() for text in given[flag] for part in text.split(",") if part.strip())
        for flag, name in LISTS.items()
    }
    convention, baseline = (given[flag][-1] if given[flag] else None for flag in ("--convention", "--baseline"))
    request = Request(
        convention or "mac", baseline, lists["by"], lists["columns"], lists["order"], tuple(given["--filter"])
    )
    return folders, request


def _of_csv(grid: Grid) -> Request:
    """The request whose export this is: a grid by keys where headings say `latency dtype=float32`; the baseline is the
    operator of which the verdict says so."""
    across: list[str] = []
    values: list[str] = []
    for heading in grid.headings:
        name, *keys = heading.split(" ")
        if keys and all("=" in key for key in keys):
            across, values = [key.partition("=")[0] for key in keys], [*values, name]
    baseline = None
    if VERDICT in grid.headings and "options" in grid.headings:
        verdict, options = grid.headings.index(VERDICT), grid.headings.index("options")
        baseline = next((row[options] for row in grid.rows if row[verdict] == "baseline"), None)
    side = [heading for heading in grid.headings if " " not in heading]
    if across and side:
        return Request(baseline=baseline, by=(side[0], *across), columns=tuple(dict.fromkeys(values)))
    return Request(baseline=baseline)


def _there(folder: Path, file: Path) -> Path:
    """The run's folder, from here or from where the table lies."""
    beside = file.parent / folder
    return beside if not folder.exists() and beside.is_dir() else folder


def _of_frame(frame: pd.DataFrame) -> Remade:
    names = [str(name) for name in frame.columns]
    columns = [["" if value is None else harmless(str(value)) for value in to_values(frame[name])] for name in frame]
    keys = tuple(place for place, name in enumerate(names) if _is_key(name))
    return Remade(Grid(tuple(harmless(name) for name in names), tuple(zip(*columns, strict=True))), keys)


def _of_tables(sheet: Sheet) -> list[Remade]:
    return [
        Remade(
            Grid(tuple(heading.text for heading in table.headings), table.cells),
            tuple(place for place, heading in enumerate(table.headings) if _is_key(heading.name)),
        )
        for table in sheet.tables()
    ]


def _is_key(name: str) -> bool:
    return is_axis(name) or name in (SHAPE, RUN, "case")

"""What the report shows, as plain data: tables of text with the numbers behind them, cases with all they stored."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from a2u_bench import columns as record
from a2u_bench.columns import BY_NAME, RUN, is_axis
from a2u_bench.export._looks import SHAPES, looks
from a2u_bench.export.plots.rows import CALLED, NAME, named, workloads
from a2u_bench.judge.seeds import by_task
from a2u_bench.sanitize import plain
from a2u_bench.store import frames
from a2u_bench.store.completeness import lacks
from a2u_bench.store.frames import is_trained
from a2u_bench.store.lines import LONGEST
from a2u_bench.store.read import Run
from a2u_bench.tables.layout import MEASURES, lay_out, scores
from a2u_bench.tables.order import fastest_first
from a2u_bench.tables.view import View

CERTIFICATE = "certificate.json"
SHOWN = (*MEASURES, "upsampling_macs", "floor", "output_memory", "first_memory", "onnx", "compiles")
"""Columns of costs, where they are known."""

MOST_SAMPLES = 200_000
"""Times in one page; beyond them each case shows its first ones and says how many there are."""

MOST_LISTED = 30
"""Entries of a list of facts; of a longer one, such as the comparisons of a certificate, their number is shown."""

NUMBER = "case_number"


@dataclass(frozen=True)
class Cell:
    """What is written, and the number behind it for sorting; None for text."""

    text: str
    value: float | None


@dataclass(frozen=True)
class Line:
    """One row of a table: its case's number, its cells, and every axis of the case for the filter to find."""

    number: int
    cells: tuple[Cell, ...]
    words: str


@dataclass(frozen=True)
class PageTable:
    """One table: its title, headings with whether they are of numbers, lines, notes."""

    title: str
    headings: tuple[tuple[str, bool], ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CaseText:
    """All that is stored of one case: names and values as they stand in the file, and its raw samples by round."""

    number: int
    name: str
    stored: tuple[tuple[str, str], ...]
    rounds: tuple[tuple[str, str], ...]
    left_out: int


@dataclass(frozen=True)
class Content:
    """Everything on the page; `data` is for the plots."""

    title: str
    runs: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    problems: tuple[str, ...]
    certificates: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    tables: tuple[PageTable, ...]
    cases: tuple[CaseText, ...]
    data: dict[str, Any]


def gather(view: View) -> Content:
    """The content for what was asked for."""
    runs, convention = view.runs, view.request.convention
    costs, scored = (view.frame[is_trained(view.frame) == kind] for kind in (False, True))
    frame = pd.concat([fastest_first(costs, below=True, reading=view.reading), scored])
    samples = frames.samples_by_case(runs)
    numbers = pd.array(range(len(frame)), dtype="Int64")
    numbered = frame.assign(**{NUMBER: numbers}).assign(**{CALLED: view.named(frame)["options"]})
    trained = is_trained(numbered)
    tables = []
    if not trained.all() or numbered.empty:
        known = [name for name in SHOWN if name in numbered and numbered.loc[~trained, name].notna().any()]
        tables.append(_table(numbered[~trained], [*known, "status"], convention, view.notes))
    for rows in by_task(numbered[trained]):
        known = [name for name in scores(rows) if name in rows and rows[name].notna().any()]
        tables.append(_table(rows, ["seed", *known, "status"], convention, () if tables else view.notes))
    keys = [(row.get(RUN) or "", row["case"]) for row in frames.to_records(frame)]
    room = max(1, MOST_SAMPLES // max(1, len(keys)))
    cases = tuple(
        _case(number, called, row, samples.get(key, []), room)
        for number, (key, called, row) in enumerate(
            zip(keys, frames.to_values(numbered[CALLED]), frames.to_records(frame), strict=True)
        )
    )
    return Content(
        title=", ".join(plain(run.path.resolve().name) for run in runs),
        runs=tuple((str(run.path), _flat(run.manifest)) for run in runs),
        problems=tuple(plain(f"{run.path}: {problem}") for run in runs for problem in (*run.problems, *lacks(run))),
        certificates=tuple(dict(filter(None, map(_certificate, runs))).items()),
        tables=tuple(tables),
        cases=cases,
        data=_plotted(numbered[~trained], [samples.get(key, []) for key in keys], room),
    )


def _table(frame: pd.DataFrame, columns: Sequence[str], convention: str, notes: Sequence[str]) -> PageTable:
    told = frame.assign(options=frame[CALLED]).drop(columns=[NUMBER, CALLED])
    table = lay_out(told, columns, (), convention, notes)
    behind = []
    for heading in table.headings:
        numeric = heading.name in frame and pd.api.types.is_numeric_dtype(frame[heading.name].dtype)
        behind.append(
            [None if pd.isna(value) else float(value) for value in frame[heading.name]]
            if numeric
            else [None] * len(frame)
        )
    axes = frames.to_records(frame[[name for name in map(str, frame.columns) if is_axis(name)]])
    lines = tuple(
        Line(
            int(number),
            tuple(Cell(text, values[index]) for text, values in zip(texts, behind, strict=True)),
            plain(" ".join(str(value) for value in axes[index].values() if value is not None)),
        )
        for index, (number, texts) in enumerate(zip(frame[NUMBER], table.cells, strict=True))
    )
    headings = tuple(
        (heading.text, any(value is not None for value in values))
        for heading, values in zip(table.headings, behind, strict=True)
    )
    return PageTable(table.title, headings, lines, table.notes)


def _case(
    number: int, called: str | None, row: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]], room: int
) -> CaseText:
    stored = tuple(
        (name, _exactly(value) + (f" {BY_NAME[name].unit}" if name in BY_NAME and BY_NAME[name].unit else ""))
        for name, value in row.items()
        if value is not None and value != "" and name not in record.ON_DEMAND
    )
    lines, left = [], room
    for one in rounds:
        times = one["latency"][: max(left, 0)]
        left -= len(one["latency"])
        if times:
            lines.append((f"process {one['process']}, round {one['round']}", " ".join(map(repr, times))))
    name = str(row.get("pair") or called or "unknown")
    return CaseText(number, plain(name), stored, tuple(lines), max(0, -left))


def _plotted(frame: pd.DataFrame, samples: Sequence[Sequence[Mapping[str, Any]]], room: int) -> dict[str, Any]:
    """Rows of costs that ended ok, by workload, with the quantities that plots can show."""
    well = named(frame[(frame["status"] == "ok").fillna(False).astype(bool)])
    measures = [
        {"name": name, "label": column.label, "unit": column.unit}
        for name, column in record.SHOWN.items()
        if column.role in ("measure", "derived")
        and column.dtype != "string"
        and name in well
        and (well[name] > 0).fillna(False).any()
    ]
    names = [measure["name"] for measure in measures]
    groups = []
    for words, group in workloads(well.drop(columns=NAME), [NUMBER]) if len(well) else ():
        rows = frames.to_records(named(group)[[NUMBER, NAME, "operator", *names]])
        groups.append({"title": words, "rows": [{name: v for name, v in row.items() if v is not None} for row in rows]})
    given = looks(str(name) for name in well["operator"].dropna().unique())
    shown = {name: (colour, SHAPES[marker]) for name, (colour, marker) in given.items()}
    times = [[[one["process"], one["round"], one["latency"][:room]] for one in rounds] for rounds in samples]
    return {"measures": measures, "workloads": groups, "looks": shown, "samples": times}


def _flat(value: Any, path: str = "") -> tuple[tuple[str, str], ...]:
    """Nested facts as pairs of a dotted name and a text."""
    if isinstance(value, Mapping):
        return tuple(pair for name, inner in value.items() for pair in _flat(inner, f"{path}.{name}" if path else name))
    if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        if len(value) > MOST_LISTED:
            return ((plain(path), f"{len(value)} entries, in the file"),)
        return tuple(pair for number, one in enumerate(value) for pair in _entry(one, f"{path}.{number}"))
    if isinstance(value, list):
        words = list(map(str, value))
        return ((plain(path), plain(shlex.join(words) if path.endswith(".command") else " ".join(words))),)
    return ((plain(path), "unknown" if value is None else plain(str(value))),)


def _entry(value: Any, path: str) -> tuple[tuple[str, str], ...]:
    """One of a list; of findings, which have names, the name and all else of it in one text."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return _flat(value, path)
    said = [(name, text) for name, text in _flat(value) if name != "name"]
    return ((plain(value["name"]), ", ".join(f"{name}: {text}" for name, text in said)),)


def _certificate(run: Run) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """The certificate in the run's folder: its file and its facts as pairs; None where none can be read."""
    path = run.path / CERTIFICATE
    try:
        if not path.is_file() or path.stat().st_size > LONGEST:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return (str(path), _flat(content)) if isinstance(content, Mapping) else None


def _exactly(value: Any) -> str:
    return repr(value) if isinstance(value, float) else plain(str(value))

"""JSON: the runs with their manifests and problems, the notes, and the rows in SI units, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import pandas as pd

from a2u_bench.export._lines import joined
from a2u_bench.frames import to_records, to_values
from a2u_bench.lacks import lacks
from a2u_bench.sheet import Sheet, to_export

LINES = 1000  # written at once


def write(sheet: Sheet) -> Iterator[str]:
    """The sheet as one JSON object, in parts: runs, notes, rows; of two runs also what changed, and the gates."""
    runs = [
        {"path": str(run.path), "manifest": run.manifest, "problems": [*run.problems, *lacks(run)]}
        for run in sheet.runs
    ]
    yield '{\n"runs": ' + _text(runs)
    yield ',\n"notes": ' + _text(list(sheet.notes))
    for name, table in sheet.changes.items():
        yield f',\n"changes in {name}": '
        yield from _array(to_records(table.drop(columns=["status", "reason"])))
    if sheet.outcomes:
        outcomes = [
            {"gate": one.gate.text, "failed": one.failed, "unclear": one.unclear, "passed": one.passed}
            for one in sheet.outcomes
        ]
        yield ',\n"gates": ' + _text(outcomes)
    yield ',\n"rows": [\n'
    yield from rows(to_export(sheet))
    yield "]\n}\n"


def rows(frame: pd.DataFrame) -> Iterator[str]:
    """One object a line."""
    known: dict[Any, str] = {}
    for start in range(0, len(frame), LINES):
        part = frame.iloc[start : start + LINES]
        texts = [_texts(part[name], known) for name in part]
        lines = joined(texts, ", ", [f"{_text(str(name))}: " for name in part])
        end = "},\n" if start + LINES < len(frame) else "}\n"
        yield "{" + "},\n{".join(lines) + end


def _texts(column: pd.Series, known: dict[Any, str]) -> list[str]:
    """The values of a column as JSON; each different text of the file is encoded once."""
    values = to_values(column)
    if pd.api.types.is_string_dtype(column.dtype):
        for value in {one for one in values if one not in known}:
            known[value] = _text(value)
        return [known[value] for value in values]
    return ["null" if value is None or not isfinite(value) else repr(value) for value in values]


def _array(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "[\n" + ",\n".join(map(_text, records)) + "\n]"


def _text(value: Any) -> str:
    return json.dumps(value, allow_nan=False)

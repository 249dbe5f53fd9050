"""JSON: the runs with their manifests and problems, the notes, and the rows in SI units, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import pandas as pd

from a2u_bench.columns import SHAPE
from a2u_bench.export._rows import to_export
from a2u_bench.store.completeness import lacks
from a2u_bench.store.frames import to_records
from a2u_bench.tables.view import View

_ENCODER = json.JSONEncoder(allow_nan=False)


def write(view: View) -> Iterator[str]:
    """The view as one JSON object, in parts: runs, notes, rows; of two runs also what changed, and the gates."""
    runs = [
        {"path": str(run.path), "manifest": run.manifest, "problems": [*run.problems, *lacks(run)]} for run in view.runs
    ]
    yield '{\n"runs": ' + _text(runs)
    yield ',\n"notes": ' + _text(list(view.notes))
    for name, table in view.changes.items():
        yield f',\n"changes in {name}": '
        yield from _array(to_records(table.drop(columns=["status", "reason", SHAPE])))
    if view.outcomes:
        outcomes = [
            {"gate": one.gate.text, "failed": one.failed, "unclear": one.unclear, "passed": one.passed}
            for one in view.outcomes
        ]
        yield ',\n"gates": ' + _text(outcomes)
    yield ',\n"rows": [\n'
    yield from rows(to_export(view))
    yield "]\n}\n"


def rows(frame: pd.DataFrame) -> Iterator[str]:
    """One object a line; what is not finite is unknown."""
    lines = [_text({name: _finite(value) for name, value in row.items()}) for row in to_records(frame)]
    yield ",\n".join(lines) + ("\n" if lines else "")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _array(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "[\n" + ",\n".join(map(_text, records)) + "\n]"


def _text(value: Any) -> str:
    return _ENCODER.encode(value)

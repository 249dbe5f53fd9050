"""The one schema of a result: every column's name, role, type, SI unit, label and which way is better.

A row is flat. What is unknown is None: never 0, never NaN. Adding a measure is one entry here and one function
in `measure/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from a2u_bench.spec import Case

SCHEMA_VERSION = 1
"""Version of rows, samples and manifest. History: 1, the first."""

STATUSES = ("ok", "skipped", "oom", "timeout", "failed", "incorrect")

Role = Literal["key", "axis", "status", "measure", "origin"]


@dataclass(frozen=True)
class Column:
    """One column of the table of results."""

    name: str
    role: Role
    dtype: Literal["string", "Int64", "Float64"]
    label: str
    unit: str = ""  # SI: "s", "B", or "" for counts
    better: Literal["lower", "higher", ""] = ""


COLUMNS: tuple[Column, ...] = (
    Column("case", "key", "string", "case"),
    Column("operator", "axis", "string", "operator"),
    Column("variant", "axis", "string", "variant"),
    Column("options", "axis", "string", "options"),
    Column("batch", "axis", "Int64", "B"),
    Column("channels", "axis", "Int64", "C"),
    Column("height", "axis", "Int64", "H"),
    Column("width", "axis", "Int64", "W"),
    Column("scale", "axis", "Int64", "scale"),
    Column("dtype", "axis", "string", "dtype"),
    Column("layout", "axis", "string", "layout"),
    Column("mode", "axis", "string", "mode"),
    Column("runtime", "axis", "string", "runtime"),
    Column("device", "axis", "string", "device"),
    Column("threads", "axis", "Int64", "threads"),
    Column("status", "status", "string", "status"),
    Column("reason", "status", "string", "reason"),
    Column("params", "measure", "Int64", "params", "", "lower"),
    Column("macs", "measure", "Int64", "MACs", "", "lower"),
    Column("macs_fvcore", "measure", "Int64", "MACs (fvcore)", "", "lower"),
    Column("latency", "measure", "Float64", "latency", "s", "lower"),
    Column("latency_low", "measure", "Float64", "latency, low", "s", "lower"),
    Column("latency_high", "measure", "Float64", "latency, high", "s", "lower"),
    Column("samples", "measure", "Int64", "samples"),
    Column("processes", "measure", "Int64", "processes"),
    Column("stopped", "origin", "string", "stopped by"),  # "target", "budget" or "limit" of rounds
    Column("peak_memory", "measure", "Int64", "peak memory", "B", "lower"),
    Column("saved_memory", "measure", "Int64", "saved for backward", "B", "lower"),
)

BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}


def make_row(case: Case, status: str, reason: str, measures: Mapping[str, Any]) -> dict[str, Any]:
    """A whole row: the case's axes, its status and reason, and its measures; what was not measured is None.

    Raises ValueError for an unknown status or a measure that is no column.
    """
    if status not in STATUSES:
        raise ValueError(f"unknown status {status!r}; allowed: {', '.join(STATUSES)}")
    unknown = [name for name in measures if name not in BY_NAME or BY_NAME[name].role not in ("measure", "origin")]
    if unknown:
        raise ValueError(f"not a measure: {', '.join(unknown)}")
    row: dict[str, Any] = dict.fromkeys(BY_NAME)
    row.update(asdict(case), case=case.id, status=status, reason=reason)
    row.update(measures)
    return row

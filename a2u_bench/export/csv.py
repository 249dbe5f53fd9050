"""CSV: one case a row, the schema's names as header, SI units, empty where unknown, text that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pandas as pd

from a2u_bench.sanitize import plain
from a2u_bench.store.frames import to_values
from a2u_bench.tables.view import View, to_export

FORMULA = ("=", "+", "-", "@")


def write(view: View) -> Iterator[str]:
    """The rows of the view as CSV text, in parts."""
    return export(to_export(view))


def export(frame: pd.DataFrame) -> Iterator[str]:
    """The frame as CSV text; numbers with every digit that is stored."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([harmless(str(name)) for name in frame.columns])
    writer.writerows(zip(*(_cells(frame[name]) for name in frame.columns), strict=True))
    yield text.getvalue()


def _cells(column: pd.Series) -> list[Any]:
    values = to_values(column)
    if not pd.api.types.is_string_dtype(column.dtype):
        return values
    known = {value: value if value is None else harmless(str(value)) for value in set(values)}
    return [known[value] for value in values]


def harmless(text: str) -> str:
    """Text without control characters, and with an apostrophe where a spreadsheet would take it for a formula."""
    text = plain(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text

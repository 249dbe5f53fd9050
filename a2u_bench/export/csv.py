"""CSV: one case a row, the schema's names as header, SI units, empty where unknown, text that no spreadsheet runs.

Unless columns are chosen, those stand that hold something.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pandas as pd

from a2u_bench.errors import UsageError
from a2u_bench.export._rows import to_export
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import to_values
from a2u_bench.tables.view import View

FORMULA = ("=", "+", "-", "@")


def write(view: View) -> Iterator[str]:
    """The rows of the view as CSV text, in parts."""
    frame = to_export(view)
    if not view.request.columns and len(frame):
        frame = frame.loc[:, [bool((frame[name].notna() & (frame[name] != "")).any()) for name in frame.columns]]
    return export(frame, *view.request.separators)


def export(frame: pd.DataFrame, between: str = ",", decimal: str = ".") -> Iterator[str]:
    """The frame as CSV text; numbers with every digit that is stored."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=between, lineterminator="\n")
    writer.writerow([harmless(str(name)) for name in frame.columns])
    writer.writerows(zip(*(_cells(frame[name], decimal) for name in frame.columns), strict=True))
    yield text.getvalue()


def check_separators(between: str, decimal: str) -> None:
    """UsageError for separators that no reader could tell apart."""
    if len(between) != 1 or between.isalnum() or between in "\"'.+-\r\n\\":
        raise UsageError(
            f"--sep {between!r}: allowed: one character that stands in no number, word or quote: , ; | : or a tab"
        )
    if decimal not in (".", ","):
        raise UsageError(f"--decimal {decimal!r}: allowed: . or ,")
    if between == decimal:
        raise UsageError(f"--sep {between!r} and --decimal {decimal!r} are the same; allowed: --sep ';' --decimal ','")


def _cells(column: pd.Series, decimal: str) -> list[Any]:
    values = to_values(column)
    if not pd.api.types.is_string_dtype(column.dtype):
        if decimal == ".":
            return values
        return [repr(one).replace(".", decimal) if isinstance(one, float) else one for one in values]
    known = {value: value if value is None else harmless(str(value)) for value in set(values)}
    return [known[value] for value in values]


def harmless(text: str) -> str:
    """Text without control characters, and with an apostrophe where a spreadsheet would take it for a formula."""
    text = plain(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text

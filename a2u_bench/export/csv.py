"""CSV: one case a row, the schema's names as header, SI units, empty where unknown, text that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pandas as pd

from a2u_bench.plain import plain

FORMULA = ("=", "+", "-", "@")


def export(frame: pd.DataFrame) -> str:
    """The frame as CSV text; numbers with every digit that is stored."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    columns = [[_cell(value) for value in frame[name].astype(object)] for name in frame]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _cell(value: object) -> str:
    if value is pd.NA or value is None:
        return ""
    return harmless(value) if isinstance(value, str) else str(value)


def harmless(text: str) -> str:
    """Text without control characters, and with an apostrophe where a spreadsheet would take it for a formula."""
    text = plain(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text

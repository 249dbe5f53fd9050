"""CSV: one case a row, the schema's names as header, SI units, empty where unknown, text that no spreadsheet runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

from a2u_bench.export._lines import Known, cleaned, joined
from a2u_bench.frames import to_values
from a2u_bench.plain import plain
from a2u_bench.sheet import Sheet, to_export

FORMULA = ("=", "+", "-", "@")
QUOTE, EMPTY = '"', '""'
_PLAIN = re.compile("[0-9A-Za-z][0-9A-Za-z .:;=/()_-]*")
"""Texts that are written as they are, as most are: not worth a closer look."""


def write(sheet: Sheet) -> Iterator[str]:
    """The rows of the sheet as CSV text, in parts."""
    return export(to_export(sheet))


def export(frame: pd.DataFrame) -> Iterator[str]:
    """The frame as CSV text, in parts; numbers with every digit that is stored."""
    yield ",".join(_quoted(harmless(str(name))) for name in frame.columns) + "\n"
    for lines in joined(frame, _cells, ","):
        yield "".join(f"{line or EMPTY}\n" for line in lines)  # an empty line would be no row for a reader


def _cells(column: pd.Series, known: Known) -> list[str]:
    """The texts of a column."""
    values = to_values(column)
    if pd.api.types.is_string_dtype(column.dtype):
        if None not in values and all(map(_PLAIN.fullmatch, values)):
            return values
        return cleaned(values, known, lambda value: "" if value is None else _quoted(harmless(str(value))))
    return ["" if value is None else str(value) for value in values] if column.hasnans else list(map(str, values))


def _quoted(text: str) -> str:
    """A field as RFC 4180 has it."""
    return f'"{text.replace(QUOTE, QUOTE * 2)}"' if "," in text or QUOTE in text else text


def harmless(text: str) -> str:
    """Text without control characters, and with an apostrophe where a spreadsheet would take it for a formula."""
    text = plain(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text

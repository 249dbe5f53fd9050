"""Columns of text become lines; what all lines agree on, most of them in a run, is written once and repeated."""

from __future__ import annotations

from collections.abc import Sequence

MARK = "\0"  # stands where values differ; no text of a file has one


def joined(columns: Sequence[Sequence[str]], between: str, before: Sequence[str] | None = None) -> list[str]:
    """One line for each place of the columns, with `between` between them and each one's `before` before it."""
    fields, varying = [], []
    for column, prefix in zip(columns, before or [""] * len(columns), strict=True):
        same = column.count(column[0]) == len(column)
        fields.append(f"{prefix}{column[0] if same else MARK}")
        if not same:
            varying.append(column)
    line = between.join(field.replace("%", "%%").replace(MARK, "%s") for field in fields)
    if not varying:
        return [line % ()] * len(columns[0])
    return [line % values for values in zip(*varying, strict=True)]

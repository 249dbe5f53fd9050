"""Fewer rows, on purpose: only the operators that were asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from a2u_bench import opstrings
from a2u_bench.errors import UsageError, unknown


def by_operator(frame: pd.DataFrame, ops: Sequence[str]) -> pd.DataFrame:
    """The rows of these operators, each a name with all its variants or one canonical operator string.

    Raises UsageError, with what there is, for one that has no row.
    """
    wanted = opstrings.split(ops)
    if not wanted or "all" in wanted:
        return frame
    known = [*frame["operator"].dropna().unique(), *frame["options"].dropna().unique()]
    for text in wanted:
        if text not in known:
            raise unknown("operator of this run", text, dict.fromkeys(map(str, known)))
    chosen = frame["operator"].isin(wanted) | frame["options"].isin([text for text in wanted if ":" in text])
    return frame[chosen.fillna(False).astype(bool)]


def by_axis(frame: pd.DataFrame, axis: str, wanted: Sequence[str]) -> pd.DataFrame:
    """The rows whose axis has one of these values; all of them where none is wanted.

    Raises UsageError, with what there is, for a value that no row has.
    """
    if not wanted:
        return frame
    values = frame[axis].astype("string")
    known = [str(value) for value in values.dropna().unique()]
    for value in wanted:
        if value not in known:
            raise unknown(f"{axis} of this run", value, known)
    return frame[values.isin(list(wanted)).fillna(False).astype(bool)]


def to_one(frame: pd.DataFrame, axis: str) -> None:
    """UsageError where rows differ in this axis: what is asked has no one answer for all of them."""
    known = [str(value) for value in frame[axis].dropna().unique()]
    if len(known) > 1:
        raise UsageError(f"the run has more than one {axis}; choose: {' or '.join(f'--{axis} {one}' for one in known)}")

"""Fewer rows, on purpose: only the operators that were asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from a2u_bench import opstrings
from a2u_bench.errors import unknown


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

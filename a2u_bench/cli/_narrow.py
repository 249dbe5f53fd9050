"""Fewer rows, on purpose: what `--filter` keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def narrowed(frame: pd.DataFrame, filters: Sequence[str] | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that meet every condition, and notes on what was left out. UsageError for what is no condition."""
    from a2u_bench.conditions import keep, parse

    return keep(frame, [parse(text, map(str, frame.columns)) for text in filters or ()])

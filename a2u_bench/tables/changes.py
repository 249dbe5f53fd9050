"""Two runs as one table: of each measure before, after, after/before and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from a2u_bench import units
from a2u_bench.columns import BY_NAME, VERDICT
from a2u_bench.judge import before_after
from a2u_bench.judge.before_after import Change
from a2u_bench.store import frames
from a2u_bench.tables import column as texts
from a2u_bench.tables.layout import lay_out
from a2u_bench.tables.table import Heading, Table

if TYPE_CHECKING:
    from a2u_bench.tables.view import View


def table_of_changes(view: View, most: int | None) -> Table:
    """One table with, for each measure, before, after, after/before and the verdict."""
    found = view.changes
    first = next(iter(found.values()))
    labels = frames.run_labels(view.runs)
    said = [
        note for one in view.compared.values() for note in before_after.notes(one, view.reading, view.request.absolute)
    ]
    notes = [
        f"before: {labels[0]}, after: {labels[1]}",
        *said,
        *view.below(),
    ]
    laid = lay_out(view.named(first), ["status"], (), view.request.convention, notes, most=most)
    width = len(laid.headings) - 1
    headings = list(laid.headings[:width])
    columns = [[row[place] for row in laid.cells] for place in range(width)]
    for name, table in found.items():
        heads, cells = _change_columns(view.compared[name], table[:most], table, view.request.convention)
        headings += heads
        columns += cells
    return Table(laid.title, tuple(headings), tuple(zip(*columns, strict=True)), laid.notes)


def _change_columns(
    change: Change, cut: pd.DataFrame, table: pd.DataFrame, convention: str
) -> tuple[list[Heading], list[list[str]]]:
    """Before and after under one prefix, after/before, and the verdict."""
    name = change.name
    factor = units.CONVENTIONS[convention][1] if name in texts.WORK else 1
    scale = texts.common_scale([table[before_after.BEFORE] * factor, table[before_after.AFTER] * factor])
    if change.relative or (BY_NAME[name].unit in texts.UNPREFIXED and BY_NAME[name].dtype != "Int64"):
        scale = units.UNSCALED
    unit = "" if change.relative else scale.prefix + BY_NAME[name].unit
    label = texts.column(pd.DataFrame({name: pd.Series([], dtype=BY_NAME[name].dtype)}), name, convention)[0].label
    if change.relative:
        label = label.replace("latency", "ratio")
    headings, columns = [], []
    for word in (before_after.BEFORE, before_after.AFTER):
        headings.append(Heading(f"{name} {word}", f"{label} {word}", unit))
        parts = [frames.to_values(cut[part] * factor) for part in _with_ends(word, table)]
        columns.append(texts.ratio_texts(*parts) if change.relative else texts.spread_texts(parts, scale))
    headings.append(Heading(f"{name} ratio", before_after.CHANGE))
    parts = [frames.to_values(cut[part]) for part in _with_ends(before_after.CHANGE, table)]
    columns.append(texts.ratio_texts(*(parts if len(parts) == 3 else [*parts, *[[None] * len(cut)] * 2])))
    headings.append(Heading(f"{name} verdict", "verdict", right=False))
    columns.append([value or texts.UNKNOWN for value in frames.to_values(cut[VERDICT])])
    return headings, columns


def _with_ends(word: str, table: pd.DataFrame) -> list[str]:
    return [word, *(f"{word}_{end}" for end in ("low", "high") if f"{word}_low" in table)]

"""The first lines under a table: who is fastest and by how much, to what ratios are, and how far times move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from a2u_bench import stats, units
from a2u_bench.columns import SUBJECT
from a2u_bench.judge import folds, seeds
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.verdicts import LEVEL, Rows, difference, numbers
from a2u_bench.machine import grades
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import workloads
from a2u_bench.tables.notes import PAIRED, ratios

FEWEST_TO_ORDER = 3
"""Operators: of fewer a table says all."""

NOT_SLOWER = "not significantly slower"

MORE = "more: compare --notes full"

ATTENTION = "CDF"
"""Grades whose reason stands under a table, however short its notes."""


def in_short(reading: Reading, frame: pd.DataFrame, variants: Sequence[str] = (), has_ratios: bool = True) -> list[str]:
    """To what ratios are, what is said of `variants`, and how far times move: two lines where all is as it should."""
    if not frame["latency"].notna().any():
        return list(variants)
    known = ratios(reading) if has_ratios else []
    said = [*known, *variants]
    if variants and len(known) == 1 and known[0].endswith(PAIRED):
        said = ["; ".join([f"{known[0].removesuffix(PAIRED)}, same rounds", *variants])]
    strays = reading.strays()
    grade, found = grades.worst(reading.manifests, strays)
    if found and found.get("name") != "samples" and grade in ATTENTION:
        said.append(f"grade {grade}: {found.get('evidence')}; {MORE}")
    elif strays:
        most = max(share for _, share in strays.values())
        said.append(f"times varied by ±{most:.1%} between processes{f' (grade {grade})' if grade else ''}; {MORE}")
    return list(map(plain, said))


def of_trainings(rows: pd.DataFrame) -> list[str]:
    """What the trainings of one task say of their pairs: in which order they are, and whether each fold says so."""
    restored = folds.ends(rows) if rows["gain"].notna().any() else []
    return [*filter(None, [seeds.order(rows)]), *restored]


def fastest(frame: pd.DataFrame, reading: Reading) -> list[str]:
    """Which operator of one workload is fastest, and how much faster than the next and the slowest; nothing where rows
    are of several workloads or too few. Where two are fastest, to the reference if it is one of them."""
    latency = numbers(frame, "latency")
    rows = np.argsort(np.where(np.isnan(latency), np.inf, latency), kind="stable")[: int((~np.isnan(latency)).sum())]
    if len(rows) < FEWEST_TO_ORDER or workloads(frame, SUBJECT).nunique() > 1:
        return []
    first, second, last = (int(row) for row in rows[[0, 1, -1]])
    names = {row: plain(str(frame["options"].iloc[row])) for row in (first, second, last)}
    slower = _slower(frame, rows, first, reading)
    if second in slower:
        end = f", {names[last]} {slower[last]} times" if last in slower else f"; {names[last]} is {NOT_SLOWER}"
        return [f"{names[first]} is fastest; {names[second]} is {slower[second]} times slower{end}"]
    second_is_reference = reading.against[frame.index[second]] == frame.index[second]  # ratios in the table are to it
    beside = second if second_is_reference else first
    slower = _slower(frame, rows, beside, reading)
    end = f"{slower[last]} times slower than {names[beside]}" if last in slower else NOT_SLOWER
    return [f"{names[first]} and {names[second]} are fastest; {names[last]} is {end}"]


def _slower(frame: pd.DataFrame, rows: Rows, base: int, reading: Reading) -> dict[int, str]:
    """How many times slower than a row are those that are significantly slower, as `2.0 ± 0.1`."""
    others = rows[rows != base]
    found = difference(frame, "latency", others, np.repeat(base, len(others)), reading)
    low, high = found.interval()
    certain = (stats.holm(found.probability) <= LEVEL) & (found.log > 0)
    return {
        int(row): " ± ".join(units.with_spread(value, *ends)) if np.isfinite(ends[1]) else units.ratio(value)
        for row, value, *ends in zip(others[certain], found.value[certain], low[certain], high[certain], strict=True)
    }

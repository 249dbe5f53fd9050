"""The first lines under a table: who is fastest and by how much, to what ratios are, and how far times move."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap

import numpy as np
import pandas as pd

from a2u_bench import stats, units
from a2u_bench.columns import RATIO, SUBJECT
from a2u_bench.judge import folds, seeds
from a2u_bench.judge.best import best
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.verdicts import LEVEL, Rows, difference, ordering
from a2u_bench.machine import grades
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import to_values, workloads
from a2u_bench.tables.column import ENDS
from a2u_bench.tables.notes import PAIRED, ratios

FEWEST_TO_ORDER = 3
"""Operators: of fewer a table says all."""

MOST = 3
"""Names of the fastest, of many."""

NOT_SLOWER = "not significantly slower"

RANGES = "a range, 1.2–9: the 95 % interval, where it is too wide for ±"

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
        said.append(
            f"times varied by {grades.varied(most)} between processes{f' (grade {grade})' if grade else ''}; {MORE}"
        )
    return list(map(plain, said))


def of_ranges(frame: pd.DataFrame) -> list[str]:
    """What a range means, where a column that every table has shows one."""
    columns = [[to_values(frame[f"{name}{end}"]) for end in ENDS] for name in ("latency", RATIO) if name in frame]
    known = (row for column in columns for row in zip(*column, strict=True) if None not in row)
    return [RANGES] if any(starmap(units.is_wide, known)) else []


def of_trainings(rows: pd.DataFrame) -> list[str]:
    """What the trainings of one task say of their pairs: in which order they are, and whether each fold says so."""
    restored = folds.ends(rows) if rows["gain"].notna().any() else []
    return [*filter(None, [seeds.order(rows)]), *restored]


def fastest(frame: pd.DataFrame, reading: Reading) -> list[str]:
    """Which operators of one workload are fastest, those in bold, and how much faster than the next and the slowest;
    nothing where rows are of several workloads or too few. Where several are fastest, to the reference if it is one."""
    rows = np.argsort(ordering(frame, reading), kind="stable")[: int(frame["latency"].notna().sum())]
    if len(rows) < FEWEST_TO_ORDER or workloads(frame, SUBJECT).nunique() > 1:
        return []
    is_best = best(frame, ("latency",), reading)["latency"].to_numpy(dtype=bool)
    first, second, last = (int(row) for row in rows[[0, 1, -1]])
    top = [int(row) for row in rows if is_best[row]] or [first, second]
    names = {row: plain(str(frame["options"].iloc[row])) for row in (*top, second, last)}
    reference = next((row for row in top if reading.against[frame.index[row]] == frame.index[row]), first)
    times, certain = _slower(frame, rows, reference, reading)
    if len(top) == 1:
        end = f"; {names[last]} {times[last]} times" if last in certain else f"; {names[last]} is {NOT_SLOWER}"
        return [f"{names[first]} is fastest; {names[second]} is {times[second]} times slower{end}"]
    end = f"{times[last]} times slower than {names[reference]}" if last in certain else NOT_SLOWER
    return [f"{_together([names[row] for row in top])} are fastest; {names[last]} is {end}"]


def _together(names: Sequence[str]) -> str:
    """`a, b and c`; of many the first ones and how many more."""
    shown = [*names[:MOST], f"{len(names) - MOST} more"] if len(names) > MOST + 1 else list(names)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _slower(frame: pd.DataFrame, rows: Rows, base: int, reading: Reading) -> tuple[dict[int, str], set[int]]:
    """How many times slower than a row the others are, as `2.0 ± 0.1` or `1.1–9.3`, and which of them significantly."""
    others = rows[rows != base]
    found = difference(frame, "latency", others, np.repeat(base, len(others)), reading)
    low, high = found.interval()
    certain = (stats.holm(found.probability) <= LEVEL) & (found.log > 0)
    times = {
        int(row): units.measured(value, least, most, spread=" ± ") if np.isfinite(most) else units.ratio(value)
        for row, value, least, most in zip(others, found.value, low, high, strict=True)
    }
    return times, set(map(int, others[certain]))

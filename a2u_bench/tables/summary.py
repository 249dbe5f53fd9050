"""The first lines under a table: who is fastest and by how much, to what ratios are, and how far times move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from a2u_bench import units
from a2u_bench.columns import SUBJECT
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.verdicts import difference, numbers
from a2u_bench.machine import grades
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import workloads
from a2u_bench.tables.notes import PAIRED, ratios

FEWEST_TO_ORDER = 3
"""Operators: of fewer a table says all."""

MORE = "more: compare --notes full"

ATTENTION = "CDF"
"""Grades whose reason stands under a table, however short its notes."""


def in_short(reading: Reading, frame: pd.DataFrame, variants: Sequence[str] = ()) -> list[str]:
    """To what ratios are, what is said of `variants`, and how far times move: two lines where all is as it should."""
    known = ratios(reading) if frame["latency"].notna().any() else []
    if not known:
        return list(variants)
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


def fastest(frame: pd.DataFrame, reading: Reading) -> list[str]:
    """Which operator of one workload is fastest, and how much faster than the next and the slowest; nothing where rows
    are of several workloads or too few."""
    latency = numbers(frame, "latency")
    rows = np.argsort(np.where(np.isnan(latency), np.inf, latency), kind="stable")[: int((~np.isnan(latency)).sum())]
    if len(rows) < FEWEST_TO_ORDER or workloads(frame, SUBJECT).nunique() > 1:
        return []
    others = rows[[1, -1]]
    found = difference(frame, "latency", others, np.repeat(rows[0], 2), reading)
    low, high = found.interval()
    names = [plain(str(name)) for name in frame["options"].iloc[[rows[0], *others]]]
    texts = [
        " ± ".join(units.with_spread(value, *ends)) if np.isfinite(ends[1]) else units.ratio(value)
        for value, ends in zip(found.value.tolist(), zip(low.tolist(), high.tolist(), strict=True), strict=True)
    ]
    if not low[0] > 1:
        return [f"{names[0]} and {names[1]} are fastest; {names[2]} is {texts[1]} times slower"]
    return [f"{names[0]} is fastest; {names[1]} is {texts[0]} times slower, {names[2]} {texts[1]} times"]

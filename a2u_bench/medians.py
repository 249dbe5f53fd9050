"""Whether rows and their samples tell the same: a latency is the median of its samples, and a case stands once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from statistics import median
from typing import Any

import pandas as pd

from a2u_bench.frames import RUN, to_values
from a2u_bench.plain import plain

Key = tuple[str, str]
"""What `run` says of a row ("" where there is no such column) and its case, as `frames.samples_by_case` has it."""

CLOSE = 1e-9
"""Two medians that differ by less than this share are one, written by two programs."""


def doubled(frame: pd.DataFrame) -> Set[Key]:
    """The cases that stand more than once in their run: whose row their samples are is not known."""
    again = frame.duplicated([*([RUN] if RUN in frame else []), "case"]).to_numpy()
    return {key for key, one in zip(_keys(frame), again, strict=True) if one} if again.any() else frozenset()


def of_doubled(frame: pd.DataFrame, cases: Set[Key]) -> list[str]:
    """What to say of them."""
    who = [name for key, name in zip(_keys(frame), _names(frame), strict=True) if key in cases] if cases else []
    if not who:
        return []
    count = len(cases)
    return [
        f"{count} case{' stands' if count == 1 else 's stand'} in several rows of one run: {_some(who)}; each row is "
        "judged by its own interval, since the samples may be of any; of two runs the first rows of a case are "
        "compared, then the second ones"
    ]


def contradicted(frame: pd.DataFrame, samples: Mapping[Key, Sequence[Mapping[str, Any]]]) -> list[str]:
    """A sentence on the rows whose latency is not the median of their samples: one of the two was changed."""
    if not samples:
        return []
    who = []
    for key, name, latency in zip(_keys(frame), _names(frame), to_values(frame["latency"]), strict=True):
        times = [time for sample in samples.get(key, ()) for time in sample["latency"]]
        if times and latency is not None and not math.isclose(latency, median(times), rel_tol=CLOSE):
            who.append(name)
    if not who:
        return []
    return [
        f"{len(who)} row{' has a latency that is' if len(who) == 1 else 's have latencies that are'} not the median of "
        f"the samples: {_some(who)}; columns show the rows, ratios and verdicts are from the samples"
    ]


def _keys(frame: pd.DataFrame) -> list[Key]:
    runs = to_values(frame[RUN].astype(str)) if RUN in frame else [""] * len(frame)
    return list(zip(runs, to_values(frame["case"].astype(str)), strict=True))


def _names(frame: pd.DataFrame) -> list[str]:
    return [plain(str(value)) for value in to_values(frame["options"].fillna("unknown"))]


def _some(names: Iterable[str], most: int = 4) -> str:
    different = list(dict.fromkeys(names))
    return "; ".join(different[:most]) + (f" and {len(different) - most} more" if len(different) > most else "")

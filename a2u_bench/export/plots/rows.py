"""Which rows a figure shows: those with numbers, one workload at a time, each with a short name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from a2u_bench.columns import RUN, SUBJECT, is_axis
from a2u_bench.store.frames import is_trained
from a2u_bench.tables.layout import in_common

NAME, CALLED = "name", "called"
"""The columns of short names, and of what operators are to be called."""

LONGEST = 36  # letters of a name
MOST_NAMED = 6


def drawable(frame: pd.DataFrame, *measures: str) -> pd.DataFrame:
    """Rows of costs, not of trainings, that ended ok and have a positive number for each of these measures."""
    kept = (frame["status"] == "ok").fillna(False) & ~is_trained(frame)
    for measure in measures:
        if measure not in frame:
            return frame.iloc[:0]
        kept &= (frame[measure] > 0).fillna(False)
    return named(frame[kept.astype(bool)])


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column of short names: as in CALLED, else the operator, and its variant's label where it is not
    the plain one."""
    if CALLED in frame:
        return frame.assign(**{NAME: frame[CALLED].fillna("unknown").astype(str).map(_bounded).astype("object")})
    names = []
    for operator, variant, options in zip(frame["operator"], frame["variant"], frame["options"], strict=True):
        unknown = [pd.isna(text) for text in (operator, variant, options)]
        short = "unknown" if unknown[0] else str(operator).rpartition(":")[2]
        names.append(_bounded(short if any(unknown) or options == operator else f"{short} {variant}"))
    return frame.assign(**{NAME: pd.Series(names, index=frame.index, dtype="object")})


def _bounded(name: str) -> str:
    """A name that leaves room for the figure: of a longer one the middle is left out."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"


def workloads(frame: pd.DataFrame, apart_from: Sequence[str] = ()) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each workload's rows with the words for it; axes in `apart_from` may vary within one."""
    axes = [name for name in frame.columns if is_axis(name) and name not in (*SUBJECT, *apart_from)]
    for _, group in frame.groupby(axes, dropna=False, sort=False):
        yield title(group, apart_from), group


def title(group: pd.DataFrame, apart_from: Sequence[str] = ()) -> str:
    """What all rows of a workload have in common, as the table of them says it."""
    told = in_common(group, apart_from)
    if RUN in group:
        told = f"{group[RUN].iloc[0]}: {told.removeprefix(str(group[RUN].iloc[0])).removeprefix(', ')}"
    return told


def undrawn(frame: pd.DataFrame) -> list[str]:
    """One sentence on the cases that did not end ok and one on those without a latency: figures do not show them."""
    well = (frame["status"] == "ok").fillna(False).astype(bool)
    lacking = well & frame["latency"].isna()
    told = []
    for words, rows in (("did not end ok", frame[~well]), ("have no latency", frame[lacking])):
        if len(rows):
            shown = list(dict.fromkeys(named(rows)[NAME]))
            more = f" and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
            told.append(f"not drawn, since they {words}: {', '.join(shown[:MOST_NAMED])}{more}")
    return told

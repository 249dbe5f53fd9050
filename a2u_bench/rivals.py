"""How many times faster one way of computing wᵀz is than another, on each workload: of medians and of best rounds.

On a machine that others use, the median of a round says what they did, and the best round what the code can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from a2u_bench import units
from a2u_bench.frames import is_axis
from a2u_bench.judge import SUBJECT
from a2u_bench.table import Heading, Table

Row = Mapping[str, Any]

AXES = ("mode", "allocator", "dtype", "layout", "runtime", "device", "threads")


NEAREST, PACKAGE = "nearest", "a2u_bench.ways:"


def compared(operators: Iterable[str]) -> list[str]:
    """Those of the operators whose rows have a place among the multiples: none where there is no way."""
    ways = [name for name in operators if name.startswith(PACKAGE)]
    return [NEAREST, *ways] if ways else []


def rivals(rows: Sequence[Row], nearest: str = NEAREST, package: str = PACKAGE) -> Table | None:
    """For each row of a way: its time as a multiple of nearest interpolation's, and its rival's as a multiple of it.

    The rival of a workload is the other way there whose operator differs. None where no such rows are.
    """
    timed = [row for row in rows if row.get("latency") and row.get("latency_best")]
    ways = [row for row in timed if str(row["operator"]).startswith(package)]
    if not ways:
        return None
    varying = [name for name in AXES if len({row[name] for row in ways}) > 1]
    beside = [Heading(name, name, right=False) for name in ("way", "z", *varying)]
    counted = [
        Heading("latency", f"{text}, {which}") for text in ("of nearest", "unfold's") for which in ("best", "median")
    ]
    lines = []
    for row in ways:
        there = [other for other in timed if _workload(other) == _workload(row)]
        base = [other for other in there if other["operator"] == nearest]
        slow = [other for other in there if _is_rival(other, row, package)]
        shape = "×".join(str(row[name]) for name in ("batch", "channels", "height", "width"))
        cells = [_times(row, base, "latency_best"), _times(row, base, "latency")]
        cells += [_times(slow[0] if slow else None, [row], name) for name in ("latency_best", "latency")]
        lines.append((str(row["options"]).removeprefix(package), shape, *(str(row[name]) for name in varying), *cells))
    return Table(
        "times of each way of computing wᵀz as multiples: of nearest interpolation of the same map; unfold's of it",
        (*beside, *counted),
        tuple(lines),
        ("unfold stands for grid_sample where z is read at points",),
    )


def _workload(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in sorted(row) if is_axis(name) and name not in SUBJECT)


def _is_rival(other: Row, row: Row, package: str) -> bool:
    """Whether `other` is the way that is not ours, on the same workload."""
    return str(other["operator"]) in (f"{package}Unfold", f"{package}GridSample") and other is not row


def _times(row: Row | None, base: Sequence[Row], name: str) -> str:
    return units.ratio(row[name] / base[0][name]) if row is not None and base else "–"

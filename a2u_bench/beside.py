"""Ours beside its peer, the same formula in plain PyTorch: the peer's time as a multiple of ours, on each workload.

On a machine that others use, the median of a round says what they did, and the best round what the code can do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from a2u_bench import units
from a2u_bench.cells import Heading, Table

Row = Mapping[str, Any]

PACKAGE = "a2u_bench.peers:"
AXES = ("mode", "threads", "dtype", "layout", "allocator", "runtime", "device")


def beside(rows: Sequence[Row]) -> Table | None:
    """For each row of an operator whose peer was measured with it: both times, and the peer's as a multiple of ours.

    None where there is no such pair.
    """
    timed = [row for row in rows if row.get("latency") and row.get("latency_best")]
    peers = {_workload(row): row for row in timed if str(row["operator"]).startswith(PACKAGE)}
    pairs = [
        (row, peers[_workload(row)]) for row in timed if _workload(row) in peers and row is not peers[_workload(row)]
    ]
    if not pairs:
        return None
    varying = [name for name in AXES if len({row[name] for row, _ in pairs}) > 1]
    named = [Heading(name, name, right=False) for name in ("operator", "z", *varying)]
    timed_as = [Heading("latency", text) for text in ("ours, ms", "peer, ms", "× ours, best", "× ours, median")]
    lines = []
    for row, peer in pairs:
        shape = "×".join(str(row[name]) for name in ("batch", "channels", "height", "width"))
        times = (units.exact(1e3 * one["latency"]) for one in (row, peer))
        multiples = (units.ratio(peer[name] / row[name]) for name in ("latency_best", "latency"))
        lines.append((str(row["options"]), shape, *(str(row[name]) for name in varying), *times, *multiples))
    return Table(
        "each operator beside its formula in plain PyTorch: the formula's time as a multiple of ours",
        (*named, *timed_as),
        tuple(lines),
    )


def _workload(row: Row) -> tuple[Any, ...]:
    """What a row and its peer's have in common: the operator with its options, and every axis that is shown."""
    operator = str(row["options"]).removeprefix(PACKAGE)
    name, _, options = operator.partition(":")
    shape = tuple(row[side] for side in ("batch", "channels", "height", "width", "scale"))
    return (name.replace("_", "").lower(), options, shape, *(row[axis] for axis in AXES))

"""Whether operators rank alike along an axis, as a table on standard output: for `compare --ranking`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

    from a2u_bench.reading import Reading


def print_ranking(reading: Reading, frame: pd.DataFrame, axis: str, as_json: bool) -> None:
    """One line for each value of the axis against its first. UsageError for an axis that is none, or never changes."""
    from a2u_bench import ranking
    from a2u_bench.cells import Heading, Table
    from a2u_bench.errors import UsageError, unknown
    from a2u_bench.plain import plain
    from a2u_bench.render import print_table

    if axis not in ranking.AXES:
        raise unknown("axis", axis, ranking.AXES)
    found = ranking.along(frame, axis, reading)
    if not found:
        varying = ", ".join(ranking.varying(frame)) or "none"
        raise UsageError(
            f"--ranking {axis}: no {ranking.FEWEST} operators share two values of it. Axes here: {varying}"
        )
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    heads = (
        Heading("second", axis, right=False, whole=True),
        Heading("workloads", "workloads"),
        Heading("operators", "operators"),
        Heading("tau", "Kendall's τ"),
        Heading("swaps", "change places", right=False, most=44),
    )
    cells = tuple(
        (
            plain(f"{one.first} to {one.second}"),
            str(one.workloads),
            str(one.operators),
            f"{one.tau:.2f}",
            plain("; ".join(f"{a} and {b}" for a, b in one.swaps)) or "none for sure",
        )
        for one in found
    )
    note = "τ: 1 where the order of latencies is the same, −1 where it is turned round; the least of all workloads"
    print_table(Table(f"ranking by latency along {axis}", heads, cells, (note,)))

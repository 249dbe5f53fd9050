"""`compare`: the table of one run, or of several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    baseline: Annotated[str | None, typer.Option(metavar="OP", help="Show ratios to this operator.")] = None,
    by: Annotated[list[str] | None, typer.Option(metavar="KEYS", help="Axes that come first: shape,operator.")] = None,
    columns: Annotated[list[str] | None, typer.Option(metavar="NAMES", help="What to show: params,latency.")] = None,
    sort: Annotated[
        list[str] | None, typer.Option(metavar="NAMES", help="latency, or -latency for slowest first.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in SI units instead of the table.")] = False,
) -> None:
    """Print the table of a run, or of several.

    With --baseline each latency gets its ratio to that operator's and a verdict.
    """
    from a2u_bench.cli._table import check_convention, listed, read_runs, show

    check_convention(convention)
    show(
        read_runs(runs or []),
        convention=convention,
        baseline=baseline,
        by=listed(by),
        columns=listed(columns),
        order=listed(sort),
        as_json=as_json,
    )

"""`report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MOST = 5000  # rows of a page that a browser still scrolls


def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file.")] = Path("report.html"),
    conditions: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="CONDITION", help="operator=a2u,carafe; latency<2ms. All must hold."),
    ] = None,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the file's name and what was left out as JSON.")
    ] = False,
) -> None:
    """Write one HTML file that needs no network.

    It has the table to sort and filter, plots, the environment, the certificate, and every number's raw samples.
    """
    import json

    from a2u_bench.cli._files import check_file
    from a2u_bench.cli._table import check_convention, known_operators, read_runs
    from a2u_bench.errors import UsageError
    from a2u_bench.export.report.content import SHOWN, gather
    from a2u_bench.export.report.page import page
    from a2u_bench.tables.request import Request
    from a2u_bench.tables.view import make

    check_convention(convention)
    check_file("--out", out, ("html", "htm"))
    read = read_runs(runs or [])
    known, asked = known_operators(read), tuple(conditions or ())
    view = make(read, Request(convention, columns=SHOWN, filters=asked, changes=False, known=known))
    rows = len(view.frame)
    if rows > MOST:
        raise UsageError(f"{rows} rows are too many for one page of at most {MOST}; choose some with --filter")
    text = page(gather(view))
    out.write_text(text, encoding="utf-8")
    problems = [f"{run.path}: {problem}" for run in read for problem in run.problems]
    if as_json:
        typer.echo(json.dumps({"file": str(out), "rows": rows, "notes": [*problems, *view.notes]}, indent=2))
    else:
        typer.echo(str(out))

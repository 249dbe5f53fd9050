"""`export`: a run's rows, or a table of them, in a format that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Many = list[str]

ENDINGS = {"tex": "latex", "md": "markdown", "htm": "html", "txt": "csv"}
"""Formats by the endings of files that are not called as they are."""


def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, html, json, latex, markdown, parquet. [default: by the ending of --out, else csv]",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="[default: standard output]")] = None,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add (of tables).")] = "mac",
    baseline: Annotated[
        str | None, typer.Option(metavar="OP", help="Add ratios to this operator, or to peers.")
    ] = None,
    by: Annotated[
        Many | None,
        typer.Option(metavar="KEYS", help="The first at the side, the others across: operator,shape,dtype."),
    ] = None,
    columns: Annotated[Many | None, typer.Option(metavar="NAMES", help="Only these: options,latency.")] = None,
    sort: Annotated[Many | None, typer.Option(metavar="NAMES", help="latency, or -latency for slowest first.")] = None,
    keep: Annotated[
        Many | None,
        typer.Option("--filter", metavar="CONDITION", help="operator=a2u,carafe; latency<2ms. Repeat for and."),
    ] = None,
    variants: Annotated[
        bool, typer.Option("--variants", help="Tables: operators at all their options, not at their defaults alone.")
    ] = False,
) -> None:
    """Write a run for other programs or for a paper.

    csv, json and parquet hold a case a row, in SI units, under the names of the schema, empty where unknown. markdown,
    latex and html hold the table of `compare`, with notes on hardware, convention, n and the commands. With several
    keys in --by, all of them are grids.
    """
    import sys
    from itertools import chain

    from a2u_bench.cli import _output as output
    from a2u_bench.cli._table import check_convention, listed, read_runs
    from a2u_bench.errors import UsageError, unknown
    from a2u_bench.export import exporter, formats
    from a2u_bench.sanitize import plain
    from a2u_bench.store.completeness import nothing

    ending = "" if out is None else out.suffix.lower().removeprefix(".")
    form = form or ENDINGS.get(ending) or ending or "csv"
    if form not in formats():
        raise unknown("format", form, formats())
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out}: is a folder; allowed: the name of a file")
    if form == "parquet" and out is None and (sys.stdout.isatty() or not hasattr(sys.stdout, "buffer")):
        raise UsageError("parquet is no text for a terminal; give --out FILE")
    check_convention(convention)
    read = read_runs(runs or [])
    if empty := nothing(read):
        if form not in ("csv", "json", "parquet"):
            raise UsageError(empty)
        typer.echo(plain(f"note: {empty}"), err=True)
    from a2u_bench.tables.view import Request, make  # loads pandas: not for a run that is not there

    request = Request(
        convention,
        baseline,
        tuple(listed(by)),
        tuple(listed(columns)),
        tuple(listed(sort)),
        tuple(keep or ()),
        variants=variants,
    )
    view, write = make(read, request), exporter(form)
    if form in ("csv", "parquet"):
        for note in view.notes:
            typer.echo(plain(f"note: {note}"), err=True)
    parts = write(view)
    first = next(parts, "")  # what cannot be written at all leaves the file as it was
    if out is not None:
        with out.open("wb") as file:
            for part in chain([first], parts):
                file.write(part.encode() if isinstance(part, str) else part)
        return
    output.write(chain([first], parts))

"""`export`: a run's rows, or a table of them, in a format that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from a2u_bench.tables.view import View

Many = list[str]

ENDINGS = {"tex": "latex", "md": "markdown", "htm": "html", "txt": "csv"}
"""Formats by the endings of files that are not called as they are."""

DOCUMENTS = ("html", "latex", "markdown")
"""Formats that hold tables as they are read, rather than rows."""


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
        typer.Option("--filter", metavar="CONDITION", help="operator=a2u,carafe; latency<2ms. All must hold."),
    ] = None,
    variants: Annotated[
        bool, typer.Option("--variants", help="Tables: operators at all their options, not at their defaults alone.")
    ] = False,
    names: Annotated[str, typer.Option(help="Tables: operators as papers name them, or as typed: option.")] = "paper",
    caption: Annotated[str, typer.Option(help="Over the table. [default: what all of its rows share]")] = "",
    label: Annotated[str, typer.Option(help="latex: for \\ref. [default: tab: and the name of the file or run]")] = "",
    notes: Annotated[str, typer.Option(help="Under the table: none, short (a sentence), full.")] = "short",
    bib: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="latex: cite the operators' papers; FILE, one for all tables, gets the BibTeX entries that it lacks.",
        ),
    ] = None,
    sep: Annotated[str, typer.Option(help="csv: between cells.")] = ",",
    decimal: Annotated[str, typer.Option(help="csv: . or ,")] = ".",
) -> None:
    """Write a run for other programs or for a paper.

    csv, json and parquet hold a case a row, in SI units, under the names of the schema, empty where unknown; of csv the
    columns that hold something unless --columns all. markdown, latex and html hold the table of `compare` with a
    sentence on how it was measured; comments in the file say more. With several keys in --by, all of them are grids.
    """
    import sys
    from itertools import chain

    from a2u_bench.cli import _output as output
    from a2u_bench.cli._files import check_file
    from a2u_bench.cli._table import are_typed, check_convention, check_notes, known_operators, listed, read_runs
    from a2u_bench.errors import UsageError, unknown
    from a2u_bench.export import exporter, formats
    from a2u_bench.sanitize import plain
    from a2u_bench.store.completeness import nothing

    ending = "" if out is None else out.suffix.lower().removeprefix(".")
    given, form = bool(form or not ending), form or ENDINGS.get(ending) or ending or "csv"
    if out is not None:
        known = [*dict.fromkeys([*formats(), *ENDINGS])]
        check_file("--out", out, () if given else known)
    if form not in formats():
        raise unknown("format", form, formats())
    if form == "parquet" and out is None and (sys.stdout.isatty() or not hasattr(sys.stdout, "buffer")):
        raise UsageError("parquet is no text for a terminal; give --out FILE")
    check_convention(convention)
    check_notes(notes)
    typed = are_typed(names)
    _check_flags(form, out, label, bib, sep, decimal)
    read = read_runs(runs or [])
    if empty := nothing(read):
        if form in DOCUMENTS:
            raise UsageError(empty)
        typer.echo(plain(f"note: {empty}"), err=True)
    from a2u_bench.export.latex import DECIMALS
    from a2u_bench.tables.request import Request
    from a2u_bench.tables.view import make  # loads pandas: not for a run that is not there

    request = Request(
        convention,
        baseline,
        tuple(listed(by)),
        tuple(listed(columns)),
        tuple(listed(sort)),
        tuple(keep or ()),
        variants=variants,
        known=known_operators(read),
        as_typed=typed,
        notes=notes,
        caption=plain(caption),
        label=label,
        file=out.stem if out else "",
        separators=(sep, decimal),
        in_document=True,
        decimals=DECIMALS if form == "latex" else None,
    )
    view, write = make(read, request), exporter(form)
    if form in DOCUMENTS and view.frame.empty:
        raise UsageError("the runs hold no row to show")
    if bib is not None:
        view = _with_citations(view, bib)
    if form in ("csv", "parquet"):
        for note in view.notes:
            typer.echo(plain(f"note: {note}"), err=True)
    parts = write(view)
    first = next(parts, "")  # what cannot be written at all leaves the file as it was
    if out is not None:
        with out.open("wb") as file:
            for part in chain([first], parts):
                file.write(part.encode() if isinstance(part, str) else part)
        typer.echo(plain(f"stored in {out}"), err=True)
        return
    output.write(chain([first], parts))


def _check_flags(form: str, out: Path | None, label: str, bib: Path | None, sep: str, decimal: str) -> None:
    """UsageError for what this format does not have, or has not in this way."""
    from a2u_bench.cli._files import check_file
    from a2u_bench.errors import UsageError
    from a2u_bench.export.csv import check_separators
    from a2u_bench.export.latex import check_label

    for flag, given, whose in (("--bib", bib, "latex"), ("--label", label, "latex")):
        if given and form != whose:
            raise UsageError(f"{flag} is for --format {whose}; given: {form}")
    if (sep, decimal) != (",", ".") and form != "csv":
        raise UsageError(f"--sep and --decimal are for --format csv; given: {form}")
    check_separators(sep, decimal)
    if label:
        check_label(label)
    if bib is not None:
        check_file("--bib", bib)
        if out is not None and bib.absolute() == out.absolute():
            raise UsageError(f"--bib {bib}: is --out too; allowed: a file of its own")


def _with_citations(view: View, bib: Path) -> View:
    """The view whose operators cite their papers, after the file has the entries; without a paper, its name alone."""
    from dataclasses import replace

    from a2u_bench.export.tex import bibtex
    from a2u_bench.store.frames import to_values

    known = view.request.known
    shown = set(to_values(view.frame["operator"]))
    cited = {operator: key for operator, key in bibtex.keys(known).items() if operator in shown}
    there = bib.read_bytes() if bib.exists() else b""
    text = there.decode(errors="replace")
    made = bibtex.bibliography(cited, known, text)
    apart = ("" if text.endswith("\n") else "\n") + "\n" if text and made else ""
    with bib.open("ab") as file:  # what stands in it, a person's own entries among it, stays to the last byte
        file.write(f"{apart}{made}".encode())
    return replace(view, request=replace(view.request, cited=cited, bibliography=str(bib)))

"""`plot`: figures of a run, one paper column wide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="pareto, scale, channels, size, floor, memory. [default: all that the run has rows for]"),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER|FILE", help="A file, such as cost.pdf, for one kind.")] = Path(
        "."
    ),
    form: Annotated[
        list[str] | None, typer.Option("--format", help="png, svg, pdf. [default: --out's ending, else pdf]")
    ] = None,
    conditions: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="CONDITION", help="operator=a2u, latency<2ms; all must hold."),
    ] = None,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    as_json: Annotated[bool, typer.Option("--json", help="Print the files and what they show as JSON.")] = False,
) -> None:
    """Draw the costs of a run as figures.

    Costs against each other, against scale, channels or size, the floor, memory. Each workload is a figure of its own,
    85 mm wide. The names of the files are printed.
    """
    import json

    from a2u_bench.cli._narrow import narrowed
    from a2u_bench.cli._table import check_convention, listed, read_runs
    from a2u_bench.errors import BenchError, UsageError, unknown
    from a2u_bench.plain import plain
    from a2u_bench.plots import FORMATS, KINDS, Picture, Undrawable, pictures, undrawn
    from a2u_bench.reading import read
    from a2u_bench.worth import with_quality

    check_convention(convention)
    kinds, ending = listed(kind), out.suffix.removeprefix(".").lower()
    for name in kinds:
        if name not in KINDS:
            raise unknown("kind", name, KINDS)
    forms = listed(form) or [ending if ending in FORMATS else "pdf"]
    for name in forms:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    single = bool(ending) and not out.is_dir()
    if single and (len(kinds) != 1 or forms != [ending]):
        raise UsageError(f"--out {out} is one file: name one --kind and no other --format, or give a folder")
    if out.exists() and not out.is_dir() and not single:
        raise UsageError(f"--out {out}: is a file; allowed: a folder, or a file that ends in {', '.join(FORMATS)}")
    reading = read(read_runs(runs or []))
    kept, notes = narrowed(reading.frame, conditions)
    frame, told = with_quality(kept)
    notes = (*notes, *reading.notes, *filter(None, [told]), *undrawn(frame))
    drawn: list[Picture] = []
    for name in kinds or KINDS:
        try:
            drawn += pictures(frame, name, forms, convention, reading)
        except Undrawable as error:
            if kinds:
                raise UsageError(f"--kind {error}") from None
            notes = (*notes, f"left out: {error}")
    if not drawn:
        raise BenchError("nothing to draw: no case of this run ended ok with a latency or a memory")
    if single and len(drawn) > 1:
        shown = "; ".join(picture.title for picture in drawn[:3])
        raise UsageError(f"--out {out} is one file, but there are {len(drawn)} workloads ({shown}, …); give a folder")
    for note in notes:
        typer.echo(plain(f"note: {note}"), err=True)
    if not single:
        out.mkdir(parents=True, exist_ok=True)
    written = [(out if single else out / picture.name, picture) for picture in drawn]
    for path, picture in written:
        path.write_bytes(picture.data)
    if as_json:
        typer.echo(json.dumps([{"file": str(path), "shows": picture.title} for path, picture in written], indent=2))
    else:
        typer.echo("\n".join(str(path) for path, _ in written))

"""`export`: a run's rows in a format that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv.")] = "csv",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="[default: standard output]")] = None,
) -> None:
    """Write a run for other programs: one case a row.

    Values are in SI units, under the names of the schema, and empty where unknown.
    """
    import pkgutil
    import sys
    from importlib import import_module

    import a2u_bench.export
    from a2u_bench.cli._table import read_runs
    from a2u_bench.errors import UsageError, unknown

    formats = sorted(module.name for module in pkgutil.iter_modules(a2u_bench.export.__path__))
    if form not in formats:
        raise unknown("format", form, formats)
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out}: is a folder; allowed: the name of a file")
    from a2u_bench.frames import runs_to_frame

    text = import_module(f"a2u_bench.export.{form}").export(runs_to_frame(read_runs(runs or [])))
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8", newline="")

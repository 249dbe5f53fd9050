"""`merge`: several runs, perhaps of several machines, become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, two or more.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The new run's folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write several runs as one; each row says its origin.

    The same case of two runs stays two rows. What the runs differ in is said, and kept in the new run.
    """
    import json

    from a2u_bench.sanitize import plain
    from a2u_bench.store.merge import merge
    from a2u_bench.store.read import there

    merged = merge([there(run) for run in runs], out)
    for problem in merged.problems:
        typer.echo(plain(f"note: {problem}"), err=True)
    for difference in merged.differences:
        typer.echo(plain(f"note: the runs differ in {difference}"), err=True)
    if as_json:
        content = {"out": str(out), "rows": dict(merged.rows), "differences": merged.differences}
        typer.echo(json.dumps({**content, "problems": merged.problems}, indent=2))
        return
    counts = ", ".join(f"{count} of {name}" for name, count in merged.rows.items())
    typer.echo(plain(f"{sum(merged.rows.values())} rows in {out}: {counts}"))

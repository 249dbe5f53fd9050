"""What `run --dry-run` prints: the jobs, the number of cases, and the time they are likely to take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from a2u_bench.launch.choose import Forecast


def finished_in(folder: Path | None) -> set[str]:
    """The cases that a run has a row for; none where there is no run yet."""
    from a2u_bench.runs import read_run

    if folder is None or not folder.exists():
        return set()
    return {row["case"] for row in read_run(folder).rows}


def print_forecast(forecast: Forecast, as_json: bool) -> None:
    """A table of jobs and a line with the sum, on standard output."""
    import json

    from a2u_bench.cells import Heading, Table
    from a2u_bench.progress import minutes
    from a2u_bench.render import print_table

    if as_json:
        content = {"jobs": forecast.jobs, "cases": forecast.cases, "seconds": forecast.seconds}
        typer.echo(json.dumps(content, indent=2))
        return
    names = ("job", "cases", "device", "threads", "seconds")
    headings = tuple(Heading(name, name, right=name in ("cases", "threads", "seconds"), whole=True) for name in names)
    cells = tuple(
        tuple(f"{job[name]:g}" if name == "seconds" else str(job[name]) for name in names) for job in forecast.jobs
    )
    if cells:
        print_table(Table("", headings, cells))
    count = f", {len(cells)} job{'' if len(cells) == 1 else 's'}" if cells else ""
    cases = f"{forecast.cases} case{'' if forecast.cases == 1 else 's'}"
    typer.echo(f"{cases} to measure{count}, about {minutes(forecast.seconds)}; nothing was done")

"""What `--dry-run` prints: the jobs, how much there is to do, and the time that it is likely to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from a2u_bench.plain import plain

if TYPE_CHECKING:
    from a2u_bench.launch.choose import Forecast


def rows_in(folder: Path | None) -> Sequence[dict[str, Any]]:
    """The rows of a run; none where there is no run yet."""
    from a2u_bench.runs import read_run

    return () if folder is None or not folder.exists() else read_run(folder).rows


def print_forecast(forecast: Forecast, as_json: bool, what: str = "case", done: str = "measure") -> None:
    """A table of jobs and a line with the sum, on standard output. `what` is counted, and will be `done`."""
    import json

    from a2u_bench.render import print_table
    from a2u_bench.table import Heading, Table
    from a2u_bench.units import minutes

    if as_json:
        content = {"jobs": forecast.jobs, f"{what}s": forecast.cases, "seconds": forecast.seconds}
        if forecast.each is not None:
            content |= {name: value for name, value in asdict(forecast.each).items() if name != "cases"}
        typer.echo(json.dumps(content, indent=2))
        return
    if forecast.jobs:
        names = list(forecast.jobs[0])
        numbers = ("cases", "seed", "threads", "seconds")
        headings = tuple(Heading(name, name, right=name in numbers, whole=True) for name in names)
        print_table(Table("", headings, tuple(tuple(_text(job[name]) for name in names) for job in forecast.jobs)))
    count = len(forecast.jobs)
    jobs = f", {count} job{'' if count == 1 else 's'}" if count else ""
    basis = f" {forecast.basis}" if forecast.basis else ""
    time = f", about {minutes(forecast.seconds)}{basis}" if forecast.seconds is not None else f";{basis}"
    cases = f"{forecast.cases} {what}{'' if forecast.cases == 1 else 's'}"
    typer.echo(f"{cases} to {done}{jobs}{time}; nothing was {'stored' if forecast.each else 'done'}")
    if forecast.each is not None and forecast.cases:
        parts = (minutes(seconds) for seconds in (forecast.each.examining, forecast.each.timing))
        typer.echo("checking and counting {}, timing {}; ".format(*parts) + forecast.each.words())


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else plain(str(value))

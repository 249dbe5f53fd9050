"""What `--dry-run` prints: the jobs, how much there is to do, and the time that it is likely to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from a2u_bench.sanitize import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from a2u_bench.case import Case
    from a2u_bench.run.forecast import Foretold
    from a2u_bench.run.jobs.launcher import Job
    from a2u_bench.tables.table import Table

VARYING = ("scale", "dtype", "layout", "mode", "runtime", "device", "threads", "allocator", "network")
"""Axes of a case beside its shape, in the order of the table."""


def rows_in(folder: Path | None, resume: bool) -> Sequence[dict[str, Any]]:
    """The rows of the run that goes on in a folder; none of a new one. UsageError for a folder that a run refuses."""
    from a2u_bench.store.lines import MANIFEST
    from a2u_bench.store.read import read_run
    from a2u_bench.store.write import refuse

    if folder is not None:
        refuse(folder, resume)
    return () if folder is None or not (folder / MANIFEST).exists() else read_run(folder).rows


def print_forecast(
    to_do: str,
    jobs: Sequence[Job],
    count: int,
    seconds: float | None,
    as_json: bool,
    basis: str = "",
    found: Foretold | None = None,
    cases: Sequence[Case] = (),
) -> None:
    """Tables of cases and of jobs, and a line with the sum, on standard output. `to_do` is `case to measure`, of which
    there are `count`. `basis` says how the time is known, or why it is not; `found` what this process found by trying.
    """
    import json

    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table
    from a2u_bench.units import minutes

    what, _, end = to_do.partition(" ")
    lines = [
        {"job": job.name, **job.facts, "device": job.needs.device, "threads": job.needs.threads, "seconds": job.seconds}
        for job in jobs
    ]
    if as_json:
        content = {"jobs": lines, f"{what}s": count, "seconds": seconds}
        if found is not None:
            content |= {name: value for name, value in asdict(found).items() if name not in ("cases", "calls")}
        if cases:
            calls = found.calls if found else {}
            content["plan"] = [{"case": one.id, **asdict(one), "sample": calls.get(one.id)} for one in cases]
        typer.echo(json.dumps(content, indent=2))
        return
    if cases:
        print_table(_table_of(cases, found.calls if found else {}))
    if lines:
        numbers = ("cases", "seed", "threads", "seconds")
        headings = tuple(Heading(name, name, right=name in numbers, whole=True) for name in lines[0])
        print_table(Table("", headings, tuple(tuple(map(_text, line.values())) for line in lines)))
    many = f", {len(jobs)} job{'' if len(jobs) == 1 else 's'}" if jobs else ""
    time = f";{basis and f' {basis}'}" if seconds is None else f", about {minutes(seconds)}{basis and f' {basis}'}"
    kept = "nothing was stored" if found else "nothing was done"
    if not count:
        typer.echo(f"no {what} is left {end}; {kept}")
        return
    typer.echo(f"{count} {what}{'' if count == 1 else 's'} {end}{many}{time}; {kept}")
    if found is not None:
        parts = " + ".join(f"{part} {minutes(seconds)}" for part, seconds in found.parts.items())
        typer.echo(f"{parts}; {found.words()}")


def _table_of(cases: Sequence[Case], calls: Mapping[str, float]) -> Table:
    """Each case with the axes on which they differ and, where it is known, about what a call takes."""
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.units import exact, scale_for

    axes = {
        "shape": ["×".join(map(str, one.shape)) for one in cases],
        **{name: [_text(getattr(one, name)) for one in cases] for name in VARYING},
    }
    common = [values[0] if name == "shape" else f"{name} {values[0]}" for name, values in axes.items()]
    shared = [text for text, values in zip(common, axes.values(), strict=True) if len(set(values)) == 1 and values[0]]
    columns = {"operator": [plain(one.options) for one in cases]}
    columns |= {name: values for name, values in axes.items() if len(set(values)) > 1}
    headings = [Heading(name, name, right=False) for name in columns]
    known = [calls.get(one.id, 0.0) for one in cases]
    if any(known):
        scale = scale_for(known)
        columns["a call"] = [f"{exact(seconds, scale)}" if seconds else "" for seconds in known]
        headings.append(Heading("a call", "a call, about", f"{scale.prefix}s"))
    return Table(plain(", ".join(shared)), tuple(headings), tuple(zip(*columns.values(), strict=True)))


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else plain(str(value))

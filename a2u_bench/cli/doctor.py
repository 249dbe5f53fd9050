"""`doctor`: what on this machine, now, makes latencies worth less, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from a2u_bench.store.read import Run


def command(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run's folder. [default: this machine]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Grade this machine for measuring; say what to do.

    Grades are A to F. With a run: the machine as it was when the run began, and how far the run's times strayed.
    """
    if run is None:
        from a2u_bench.machine import doctor, record

        reports: dict[str, Mapping[str, Any]] = {"": doctor.examine(record.record()).to_manifest()}
    else:
        from a2u_bench.store.read import read_run, there

        reports = _of_run(read_run(there(run)))
    if as_json:
        import json

        typer.echo(json.dumps(reports if len(reports) > 1 else next(iter(reports.values())), indent=2))
        return
    for node, report in reports.items():
        _print(node, report)


def _of_run(run: Run) -> dict[str, Mapping[str, Any]]:
    """A report on each machine of a run, by its node, which its samples may lower."""
    from a2u_bench.judge.reading import read
    from a2u_bench.machine import doctor, grades
    from a2u_bench.machine.differences import by_node

    strays = list(read([run]).strays().values())
    found = {}
    for node, machine in by_node(run.manifest).items():
        report = doctor.examine(machine if isinstance(machine, dict) else {}).to_manifest()
        found[node] = grades.with_samples(report, *strays[0]) if strays else report
    return found


def _print(node: str, report: Mapping[str, Any]) -> None:
    from a2u_bench.machine.grades import MEANING
    from a2u_bench.sanitize import plain
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table

    heads = (
        Heading("grade", "grade", right=False, whole=True),
        Heading("evidence", "found", right=False, most=34),
        Heading("advice", "what to do", right=False, most=40),
    )
    cells = tuple(tuple(plain(one[heading.name]) for heading in heads) for one in report["findings"])
    notes = (f"not known here: {', '.join(report['unknown'])}",) if report["unknown"] else ()
    title = f"{f'{plain(node)}: ' if node else ''}grade {report['grade']}: {MEANING[report['grade']]}"
    print_table(Table(title, heads if cells else (), cells, notes))

"""`doctor`: what on this machine, now, makes latencies worth less, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from a2u_bench.machine.doctor import Report


def command(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run's folder. [default: this machine]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Grade this machine for measuring; say what to do.

    Grades are A to F. With a run: the machine as it was when the run began.
    """
    from a2u_bench.machine import doctor

    if run is None:
        from a2u_bench.machine import record

        machines = {"": record.record()}
    else:
        from a2u_bench.machine.differences import by_node
        from a2u_bench.store.read import read_run, there

        machines = by_node(read_run(there(run)).manifest)
    reports = {node: doctor.examine(one if isinstance(one, dict) else {}) for node, one in machines.items()}
    if as_json:
        import json

        content = {node: report.to_manifest() for node, report in reports.items()}
        typer.echo(json.dumps(content if len(content) > 1 else next(iter(content.values())), indent=2))
        return
    for node, report in reports.items():
        _print(node, report)


def _print(node: str, report: Report) -> None:
    from a2u_bench.machine.grades import MEANING
    from a2u_bench.sanitize import plain
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table

    heads = (
        Heading("grade", "grade", right=False, whole=True),
        Heading("evidence", "found", right=False, most=34),
        Heading("advice", "what to do", right=False, most=40),
    )
    cells = tuple((one.grade, plain(one.evidence), plain(one.advice)) for one in report.findings)
    notes = (f"not known here: {', '.join(report.unknown)}",) if report.unknown else ()
    where = f"{plain(node)}: " if node else ""
    print_table(Table(f"{where}grade {report.grade}: {MEANING[report.grade]}", heads if cells else (), cells, notes))

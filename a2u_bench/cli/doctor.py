"""`doctor`: what on this machine, now, makes latencies worth less, and what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run's folder. [default: this machine]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Grade this machine for measuring, A to F, and say what to mend.

    With a run: the machine as it was when the run began.
    """
    from a2u_bench import doctor

    if run is None:
        from a2u_bench import machine

        report = doctor.examine(machine.record())
    else:
        from a2u_bench.runs import read_run

        manifest = read_run(run).manifest
        content = manifest.get("machine")
        report = doctor.examine(content if isinstance(content, dict) else {})
    if as_json:
        import json

        typer.echo(json.dumps(report.to_manifest(), indent=2))
        return
    from a2u_bench.cells import Heading, Table
    from a2u_bench.plain import plain
    from a2u_bench.render import print_table

    heads = (
        Heading("grade", "grade", right=False, whole=True),
        Heading("evidence", "found", right=False, most=34),
        Heading("advice", "what to mend", right=False, most=40),
    )
    cells = tuple((one.grade, plain(one.evidence), plain(one.advice)) for one in report.findings)
    notes = (f"not known here: {', '.join(report.unknown)}",) if report.unknown else ()
    print_table(Table(f"grade {report.grade}: {doctor.MEANING[report.grade]}", heads if cells else (), cells, notes))

"""`check --exports`: which operators become ONNX models, and why the others do not. `run --onnx` stores it in rows."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def check_exports(ops: Sequence[str], as_json: bool) -> int:
    """Ask every operator, or those that are named, and print the answers."""
    import json
    import sys
    from dataclasses import asdict
    from importlib.metadata import version

    from rich.console import Console
    from rich.progress import track

    from a2u_bench.run import onnx_answers
    from a2u_bench.run.processes import Processes
    from a2u_bench.sanitize import plain
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table

    onnx_answers.must_be_installed()
    asked = onnx_answers.cases(ops or "all")
    found = list(
        track(
            onnx_answers.answers(asked, Processes()),
            "exporting",
            total=len(asked),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
    )
    if as_json:
        versions = {name: version(name) for name in ("torch", *onnx_answers.PACKAGES)}
        typer.echo(json.dumps({**versions, "operators": list(map(asdict, found))}, indent=1))
        return 0
    headings = (
        Heading("options", "operator", right=False),
        Heading("onnx", "ONNX", right=False, whole=True),
        Heading("why", "why not", right=False),
    )
    cells = tuple((plain(one.options), one.onnx or "unknown", plain(one.why)) for one in found)
    note = f"torch {version('torch')}; yes: ONNX Runtime computes the model of standard operations, and agrees"
    print_table(Table("", headings, cells, (note, "`a2u-bench run --onnx` stores the answers in the rows of a run")))
    return 0

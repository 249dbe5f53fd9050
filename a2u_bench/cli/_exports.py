"""`check --exports`: which operators become ONNX models, stored where `recommend` and the tables find it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from a2u_bench.exported import Exports

RESULTS = Path("results")
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_exports(ops: Sequence[str], run: Path | None, out: Path | None, as_json: bool) -> int:
    """Ask every operator, or those of a run, store the answers and print them."""
    import json
    import sys
    from datetime import datetime, timezone
    from importlib.metadata import version
    from importlib.util import find_spec

    from rich.console import Console
    from rich.progress import track

    from a2u_bench import exported, exporting, runs
    from a2u_bench.errors import BenchError, UsageError
    from a2u_bench.plain import plain
    from a2u_bench.pool import Processes

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise BenchError(f"check --exports needs {', '.join(missing)}: pip install 'a2u-bench[onnx]'")
    if run is not None and ops:
        raise UsageError("check --exports takes --run RUN, for its operators, or --ops; given: both")
    path = out or (run or RESULTS) / exported.FILE
    if path.is_dir():
        raise UsageError(f"--out {path}: is a folder; allowed: the name of a file")
    if run is None:
        asked = exporting.cases(ops or "all")
    else:
        rows = [row for row in runs.read_run(run).rows if row["network"] is None and row["task"] is None]
        pairs = dict.fromkeys((row["options"], row["scale"]) for row in rows if row["options"] and row["scale"])
        if not pairs:
            raise UsageError(f"--run {run}: no operator in it; allowed: a run that `a2u-bench run` made")
        asked = []
        for options, scale in pairs:
            try:
                asked += exporting.cases(options, [scale])
            except UsageError as error:  # an operator of another's, or of another version
                typer.echo(plain(f"note: {options}: {error}; left out"), err=True)
    found = track(
        exporting.answers(asked, Processes()),
        "exporting",
        total=len(asked),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    told = exported.Exports(version("torch"), tuple(found))
    try:
        kept = told.with_those_of(exported.read(path))
    except ValueError:
        kept = told
    more = {"created": datetime.now(timezone.utc).isoformat(), **{name: version(name) for name in PACKAGES}}
    text = json.dumps(kept.to_json(more), indent=1, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(told.to_json(more), indent=1, allow_nan=False))
    else:
        _print(told)
    typer.echo(f"stored in {path}", err=True)
    return 0


def _print(told: Exports) -> None:
    from a2u_bench.plain import plain
    from a2u_bench.render import print_table
    from a2u_bench.table import Heading, Table

    headings = (
        Heading("options", "operator", right=False),
        Heading("scale", "scale"),
        Heading("onnx", "ONNX", right=False, whole=True),
        Heading("why", "why not", right=False),
    )
    cells = tuple((plain(one.options), str(one.scale), one.onnx or "unknown", plain(one.why)) for one in told.answers)
    note = f"torch {told.torch}; yes: ONNX Runtime computes the model of standard operations, and agrees"
    print_table(Table("", headings, cells, (note,)))

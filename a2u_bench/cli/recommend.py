"""`recommend`: which upsamplers fit a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Many = list[str]


def command(
    budget: Annotated[Many, typer.Option(metavar="LIMITS", help="latency=2ms,memory=64MB; any measure of the table.")],
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    shape: Annotated[str | None, typer.Option(metavar="BxCxHxW", help="Shape of z, where the run has several.")] = None,
    scale: Annotated[str | None, typer.Option(help="Upsampling factor, where the run has several.")] = None,
    mode: Annotated[str | None, typer.Option(help="inference or training, where the run has both.")] = None,
    conditions: Annotated[
        Many | None,
        typer.Option("--filter", metavar="CONDITION", help="dtype=float32, runtime=compile; all must hold."),
    ] = None,
    quality: Annotated[
        str, typer.Option(metavar="TASK", help="Of several: reconstruction, matting, restoration:seg/mix.")
    ] = "",
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    everything: Annotated[bool, typer.Option("--all", help="Show what fits and is beaten, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in SI units instead of the table.")] = False,
) -> None:
    """Show the operators within a budget that no other beats.

    Each stands with its costs. Quality counts where a run of `a2u-bench quality` is named as well.
    """
    import json

    from a2u_bench.cli._table import check_convention, read_runs
    from a2u_bench.columns import BY_NAME, RANKED, RATIO, RUN
    from a2u_bench.errors import UsageError
    from a2u_bench.judge import recommend
    from a2u_bench.judge.filters import narrow
    from a2u_bench.judge.reading import read as read_all
    from a2u_bench.judge.scores import with_quality
    from a2u_bench.machine.differences import differences
    from a2u_bench.store.frames import to_records
    from a2u_bench.tables import notes as said
    from a2u_bench.tables.layout import lay_out

    check_convention(convention)
    limits = recommend.read_budget(budget)
    read = read_runs(runs or [])
    reading = read_all(read)
    frame, told = with_quality(reading.frame, quality)
    frame = recommend.with_exports(frame)  # before rows of other runtimes are left out
    asked = {"shape": shape, "scale": scale, "mode": mode}
    texts = [f"{axis}={value}" for axis, value in asked.items() if value is not None]
    frame, left = narrow(frame, [*texts, *(conditions or ())])
    for axis in (*recommend.FLAGS, "dtype", "layout", "runtime", "device", "threads"):
        recommend.must_agree(frame, axis)
    if frame.empty:
        raise UsageError("no costs in what was read; name a run that `a2u-bench run` made")
    if RUN in frame and frame[RUN].nunique() == 1:
        frame = frame.drop(columns=RUN)
    advice = recommend.advise(frame, limits, reading)
    rows = advice.rows if everything else advice.front
    measured = [run.manifest for run in read if any(row["task"] is None for row in run.rows)]
    notes = [*advice.notes, *filter(None, [told]), *left[:1], *said.of_reading(reading)]
    notes += [f"the runs are of machines that differ: {text}" for text in differences(measured)]
    if as_json:
        budgeted = {limit.name: limit.value for limit in limits}
        typer.echo(
            json.dumps({"budget": budgeted, "rows": to_records(rows), "notes": notes}, indent=2, allow_nan=False)
        )
        return
    from a2u_bench.sanitize import plain
    from a2u_bench.tables.terminal import print_table

    columns = ["latency", RATIO, "peak_memory", "params", "macs", *(limit.name for limit in limits), *RANKED]
    columns += ["onnx", "compiles", recommend.FITS, *([recommend.FRONT] if everything else [])]
    known = [name for name in dict.fromkeys(columns) if rows[name].notna().any()]
    if not known or rows.empty:
        typer.echo("\n".join(map(plain, notes)))
        return
    shown = rows.assign(**{recommend.FRONT: rows[recommend.FRONT].map({True: "yes", False: "beaten"}).astype("string")})
    for name, how in (("onnx", "run --onnx"), ("compiles", "run --runtime compile")):
        if shown[name].isna().any():
            some = "" if name not in known else " of every operator"
            notes.append(f"{BY_NAME[name].label}: not stored{some}; `a2u-bench {how}` tells")
    print_table(lay_out(shown, known, (), convention, notes))

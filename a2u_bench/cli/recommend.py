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
    ops: Annotated[Many | None, typer.Option("--ops", "--op", help="Only these operators.")] = None,
    dtype: Annotated[Many | None, typer.Option(help="Only these dtypes.")] = None,
    layout: Annotated[Many | None, typer.Option(help="Only these layouts.")] = None,
    runtime: Annotated[Many | None, typer.Option(help="Only these runtimes.")] = None,
    device: Annotated[Many | None, typer.Option(help="Only these devices.")] = None,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    everything: Annotated[bool, typer.Option("--all", help="Show what fits and is beaten, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in SI units instead of the table.")] = False,
) -> None:
    """Show the operators within a budget that no other one beats, and what each costs.

    Quality counts where a run of `a2u-bench quality` is named as well.
    """
    import json
    import re

    from a2u_bench import recommend
    from a2u_bench.cells import SHAPE, lay_out
    from a2u_bench.cli._table import check_convention, listed, read_runs
    from a2u_bench.errors import UsageError
    from a2u_bench.frames import RUN, runs_to_frame, to_records
    from a2u_bench.machines import differences
    from a2u_bench.narrow import by_axis, by_operator, to_one
    from a2u_bench.record import BY_NAME
    from a2u_bench.worth import with_quality

    check_convention(convention)
    limits = recommend.read_budget(budget)
    read = read_runs(runs or [])
    frame, told = with_quality(runs_to_frame(read))
    frame = by_operator(frame, ops or ())
    batch, channels, height, width = (frame[name].astype("string") for name in ("batch", "channels", "height", "width"))
    frame = frame.assign(**{SHAPE: batch + "x" + channels + "x" + height + "x" + width})
    wanted = {SHAPE: [re.sub("[X×*]", "x", shape)] if shape else [], "scale": listed([scale] if scale else [])}
    wanted |= {"mode": listed([mode] if mode else []), "dtype": listed(dtype), "layout": listed(layout)}
    wanted |= {"runtime": listed(runtime), "device": listed(device)}
    compiles = recommend.with_exports(frame)["compiles"]
    frame = frame.assign(compiles=compiles)
    for axis, values in wanted.items():
        frame = by_axis(frame, axis, values)
    for axis in (SHAPE, "scale", "mode"):
        to_one(frame, axis)
    if frame.empty:
        raise UsageError("no costs in what was read; name a run that `a2u-bench run` made")
    if RUN in frame and frame[RUN].nunique() == 1:
        frame = frame.drop(columns=RUN)
    advice = recommend.advise(frame.drop(columns=SHAPE), limits)
    rows = advice.rows if everything else advice.front
    measured = [run.manifest for run in read if runs_to_frame([run])["task"].isna().any()]
    notes = [*advice.notes, *filter(None, [told])]
    notes += [f"the runs are of machines that differ: {text}" for text in differences(measured)]
    if as_json:
        asked = {limit.name: limit.value for limit in limits}
        typer.echo(json.dumps({"budget": asked, "rows": to_records(rows), "notes": notes}, indent=2, allow_nan=False))
        return
    from a2u_bench.render import print_table

    columns = ["latency", "peak_memory", "params", "macs", *(limit.name for limit in limits), "psnr"]
    columns += ["onnx", "compiles", recommend.FITS, *([recommend.FRONT] if everything else [])]
    known = [name for name in dict.fromkeys(columns) if rows[name].notna().any()]
    if not known or rows.empty:
        typer.echo("\n".join(notes))
        return
    shown = rows.assign(**{recommend.FRONT: rows[recommend.FRONT].map({True: "yes", False: "beaten"}).astype("string")})
    unknown = [BY_NAME[name].label for name in ("onnx", "compiles") if name not in known]
    if unknown:
        notes.append(f"not stored in this run: {', '.join(unknown)}; `run --runtime compile` tells what compiles")
    print_table(lay_out(shown, known, (), convention, notes))

"""`run`: measure the cases that the flags mean, store each as it ends, and print the table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Many = list[str]


def command(
    ops: Annotated[
        Many | None,
        typer.Option("--ops", "--op", help="Operators: all, a2u, a2u:rank=4,sharing=unshared. [default: all]"),
    ] = None,
    suite: Annotated[str | None, typer.Option(help="quick, paper or segformer-b1. [default: by device]")] = None,
    shape: Annotated[Many | None, typer.Option(metavar="BxCxHxW", help="Shape of z; replaces the suite's.")] = None,
    scale: Annotated[Many | None, typer.Option(help="Upsampling factor. [default: 2]")] = None,
    dtype: Annotated[Many | None, typer.Option(help="float32, float64, float16, bfloat16.")] = None,
    layout: Annotated[Many | None, typer.Option(help="contiguous, channels_last.")] = None,
    mode: Annotated[Many | None, typer.Option(help="inference, training.")] = None,
    runtime: Annotated[Many | None, typer.Option(help="eager, compile.")] = None,
    device: Annotated[Many | None, typer.Option(help="auto, cpu, cuda, mps. [default: auto]")] = None,
    threads: Annotated[Many | None, typer.Option(help="CPU threads. [default: all cores]")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder. [default: a new one under results/]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or start it.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="The quick suite with a small time budget.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of inputs and weights.")] = 0,
    time_budget: Annotated[float | None, typer.Option(metavar="SECONDS", help="For the whole run.")] = None,
    processes: Annotated[int | None, typer.Option(help="Fresh processes for each block of cases.")] = None,
    target_ci: Annotated[float | None, typer.Option(help="Stop when half the interval is below this share.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="Longest step of one case.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 when a case does not end ok.")] = False,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> int:
    """Measure operators, store each result, print the table.

    Values repeated or joined by commas make an axis: --dtype float32,float16 measures both. Each result is on disk
    the moment it is there.
    """
    from datetime import datetime

    from a2u_bench import machine, runner
    from a2u_bench.cli._store import open_store
    from a2u_bench.cli._table import check_convention, show
    from a2u_bench.errors import Unwritten, UsageError
    from a2u_bench.progress import progress
    from a2u_bench.runs import Run
    from a2u_bench.store import new_folder
    from a2u_bench.suites import make_plan

    check_convention(convention)
    if resume and out is None:
        raise UsageError("--resume needs --out RUN, the folder of the run to go on with")
    plan = make_plan(
        ops=ops or "all",
        suite=suite,
        shapes=shape or (),
        scales=scale or (),
        dtypes=dtype or (),
        layouts=layout or (),
        modes=mode or (),
        runtimes=runtime or (),
        device=device or "auto",
        threads=threads or (),
        quick=quick,
        seed=seed,
        time_budget=time_budget,
        processes=processes,
        target_ci=target_ci,
        timeout=timeout,
    )
    folder = out or new_folder(Path("results"), plan.suite, datetime.now())
    store = open_store(folder, plan.to_manifest(), resume)
    before = list(store.rows)
    failure: Unwritten | None = None
    code = 0
    try:
        with store, progress() as listener:
            if "machine" not in store.manifest:
                store.write_manifest({"machine": machine.record()})
            runner.run(plan, store, listener)
    except KeyboardInterrupt:
        code = 130
    except Unwritten as error:
        failure = error
    rows = store.rows if failure is None else before + failure.rows
    if rows:
        shown = Run(folder, store.manifest, tuple(rows), store.problems)
        show([shown], convention=convention, as_json=as_json)
    if failure is not None:
        raise failure
    if code:
        typer.echo(f"interrupted; {len(rows)} rows and every sample are kept in {folder}: --out {folder} --resume goes on", err=True)
        return code
    typer.echo(f"stored in {folder}", err=True)
    return 5 if strict and any(row["status"] != "ok" for row in rows) else 0

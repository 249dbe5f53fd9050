"""`run`: measure the cases that the flags mean, store each as it ends, and print the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Many = list[str]


def command(
    ops: Annotated[
        Many | None,
        typer.Option("--ops", "--op", help="Operators: all, a2u, a2u:rank=4,sharing=unshared. [default: all]"),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="quick, paper, segformer-b1, matting-unet, primitive or peers. [default: by device]"),
    ] = None,
    shape: Annotated[Many | None, typer.Option(metavar="BxCxHxW", help="Shape of z; replaces the suite's.")] = None,
    scale: Annotated[Many | None, typer.Option(help="Upsampling factor. [default: 2]")] = None,
    dtype: Annotated[Many | None, typer.Option(help="float32, float64, float16, bfloat16, tf32.")] = None,
    layout: Annotated[Many | None, typer.Option(help="contiguous, channels_last.")] = None,
    mode: Annotated[Many | None, typer.Option(help="inference, training.")] = None,
    runtime: Annotated[Many | None, typer.Option(help="eager, compile.")] = None,
    device: Annotated[Many | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps. [default: auto]")] = None,
    threads: Annotated[Many | None, typer.Option(help="CPU threads. [default: all cores]")] = None,
    allocator: Annotated[
        Many | None, typer.Option(help="default, or kept: a process keeps the memory that it frees.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder. [default: a new one under results/]")] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="OP", help="Timed beside all others; ratios are to it. [default: bilinear, or the suite's]"
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or start it.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="The quick suite with a small time budget.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of inputs and weights.")] = 0,
    onnx: Annotated[bool, typer.Option("--onnx", help="Ask too whether each operator becomes an ONNX model.")] = False,
    time_budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="For timing, or that of each job: 90 (seconds), 90s, 5min. [default: by the plan]"
        ),
    ] = None,
    processes: Annotated[int | None, typer.Option(help="Fresh processes for each block of cases, at least.")] = None,
    target_ci: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Stop when half the interval of the ratio is below it: 0.02, 2%."),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Longest step of one case: 60, 60s, 2min.")
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            envvar="A2U_BENCH_MEMORY_LIMIT",
            show_envvar=False,
            help="What a case may need: 8GiB. [default: what is free]",
        ),
    ] = None,
    launcher: Annotated[str, typer.Option(help="local, or slurm: jobs of a cluster.")] = "local",
    jobs: Annotated[
        int | None, typer.Option(help="Jobs at once, one for each workload. [default: none here, slurm: no limit]")
    ] = None,
    slurm: Annotated[Many | None, typer.Option(metavar="NAME=VALUE", help="partition, account, mem, …")] = None,
    job_folder: Annotated[Path | None, typer.Option(help="Of Slurm's own files; all nodes must see it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and the time it takes, and stop.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 when a case does not end ok.")] = False,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> int:
    """Measure operators, store each result, print the table.

    Values repeated or joined by commas make an axis: --dtype float32,float16 measures both. Each result is on disk
    the moment it is there.
    """
    from datetime import datetime

    from a2u_bench import build, doctor, exporting, machine, runner
    from a2u_bench.cli._forecast import print_forecast, rows_in
    from a2u_bench.cli._store import exit_code, open_store, print_interrupted
    from a2u_bench.cli._table import check_convention, listed, show
    from a2u_bench.errors import BenchError, Unwritten, UsageError
    from a2u_bench.launch import choose
    from a2u_bench.launch.groups import groups
    from a2u_bench.launch.run import run as run_jobs
    from a2u_bench.progress import progress
    from a2u_bench.record import is_open
    from a2u_bench.runs import Run
    from a2u_bench.store import new_folder
    from a2u_bench.suites import make_plan, parse_seconds, parse_share

    check_convention(convention)
    if resume and out is None:
        raise UsageError("--resume needs --out RUN, the folder of the run to go on with")
    if onnx:
        exporting.must_be_installed()
    choose.check_names(launcher, jobs, slurm or (), listed(device))
    plan = make_plan(
        ops=ops,
        suite=suite,
        shapes=shape or (),
        scales=scale or (),
        dtypes=dtype or (),
        layouts=layout or (),
        modes=mode or (),
        runtimes=runtime or (),
        device=device or "auto",
        threads=threads or (),
        cores=choose.threads_each(launcher, jobs),
        allocators=allocator or (),
        quick=quick,
        seed=seed,
        onnx=onnx,
        time_budget=None if time_budget is None else parse_seconds("--time-budget", time_budget),
        processes=processes,
        target_ci=None if target_ci is None else parse_share("--target-ci", target_ci),
        timeout=None if timeout is None else parse_seconds("--timeout", timeout),
        memory_limit=memory_limit,
        reference=_reference(reference, out if resume else None),
        elsewhere=launcher == "slurm",
    )
    for problem in build.plugin_problems():
        typer.echo(f"note: {problem}", err=True)
    if dry_run:
        known = rows_in(out if resume else None)
        finished = {row["case"] for row in known if not is_open(row["status"], row["stopped"])}
        with progress() as bar:
            found = choose.forecast(plan, finished, launcher, jobs, bar.doing)
        print_forecast(found, as_json)
        return 0
    folder = out or new_folder(Path("results"), plan.suite, datetime.now())
    needs = [group.needs for group in groups(plan.cases)]
    carrier = choose.choose(launcher, jobs, slurm or (), needs, folder, job_folder)
    store = open_store(folder, plan.to_manifest(), resume)
    failure: BenchError | None = None
    code = 0
    try:
        with store, progress() as listener:
            stored = {row["case"] for row in store.rows}
            if changed := plan.going_on(store.manifest, stored, store.finished):
                store.write_manifest(changed)
            if carrier is not None:
                run_jobs(plan, store, carrier, listener)
            else:
                if "machine" not in store.manifest:
                    described = machine.record(devices=plan.devices)
                    report = doctor.examine(described, [case.threads for case in plan.cases])
                    store.write_manifest({"machine": described, "doctor": report.to_manifest()})
                runner.run(plan, store, listener)
    except KeyboardInterrupt:
        code = 130
    except BenchError as error:
        failure = error
    rows: Sequence[dict[str, Any]] = store.rows
    if isinstance(failure, Unwritten):  # some of its rows are stored
        rows = list({(row["case"], row["origin"]): row for row in (*store.rows, *failure.rows)}.values())
    if code:  # said at once: the table takes a moment
        print_interrupted(folder, len(rows), carrier.left() if carrier else "")
    if rows:
        shown = Run(folder, store.manifest, rows, store.problems)
        show([shown], convention=convention, as_json=as_json)
    if failure is not None:
        raise failure
    if code:
        return code
    typer.echo(f"stored in {folder}{_late(rows)}{_examining(store.manifest)}", err=True)
    return exit_code(rows, strict, "case")


def _reference(asked: str | None, begun: Path | None) -> str | None:
    """The reference that is asked for, or that of a run that goes on: it has one throughout."""
    from a2u_bench import build
    from a2u_bench.errors import UsageError
    from a2u_bench.runs import MANIFEST, read_manifest

    known = read_manifest(begun)[0].get("reference") if begun is not None and (begun / MANIFEST).is_file() else None
    if not isinstance(known, str):
        return asked
    if asked is not None and build.operator(asked).text != known:
        raise UsageError(f"--reference {asked}: the run in {begun} has {known} as its reference; allowed: the same")
    return known


def _late(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many cases the run had no time for, and what helps; said once."""
    from a2u_bench.record import is_open

    late = sum(is_open(row["status"], row["stopped"]) for row in rows)
    cases = f"{late} case{'s' * (late > 1)}"
    return f"; no time was left for {cases}: --resume with a larger --time-budget takes them up again" if late else ""


NOTED = 0.1
"""Seconds of compiling from which on they are mentioned."""


def _examining(manifest: Mapping[str, Any]) -> str:
    """What was done before timing began, in seconds."""
    seconds, compiling = manifest.get("examining"), manifest.get("compiling")
    if not isinstance(seconds, float):
        return ""
    is_noted = isinstance(compiling, float) and compiling >= NOTED
    kernels = f", compiling {compiling:.1f} s (later runs find the kernels compiled)" if is_noted else ""
    return f"; before timing: checking and counting {seconds:.1f} s{kernels}"

"""`run`: measure the cases that the flags mean, store each as it ends, and print the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from a2u_bench.case import Case
    from a2u_bench.run.progress import Listener
    from a2u_bench.store.read import Run
    from a2u_bench.store.write import Store
    from a2u_bench.suites.plan import Plan

Many = list[str]


def command(
    context: typer.Context,
    ops: Annotated[
        Many | None,
        typer.Option("--ops", "--op", help="Operators: all, a2u, a2u:rank=4,sharing=unshared. [default: all]"),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="quick, paper, segformer-b1, matting-unet, primitive, peers, features, FILE.toml. [default: by device]"
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="MODULE:CALLABLE", help="A network of your own, as it is and with each operator in it."),
    ] = None,
    sites: Annotated[
        Many | None, typer.Option(help="Of the network: where, as `a2u-bench sites` names them, or all.")
    ] = None,
    cascade: Annotated[bool, typer.Option("--cascade", help="Of the network: ×4 as two operators of ×2.")] = False,
    shape: Annotated[
        Many | None, typer.Option(metavar="BxCxHxW", help="Of z, or of a network's image; replaces the suite's.")
    ] = None,
    scale: Annotated[Many | None, typer.Option(help="Upsampling factor. [default: 2]")] = None,
    size: Annotated[
        Many | None, typer.Option(metavar="HxW", help="Of the output, in place of --scale; a multiple of z's.")
    ] = None,
    dtype: Annotated[Many | None, typer.Option(help="float32, float64, float16, bfloat16, tf32.")] = None,
    layout: Annotated[Many | None, typer.Option(help="contiguous, channels_last.")] = None,
    mode: Annotated[Many | None, typer.Option(help="inference, training.")] = None,
    runtime: Annotated[Many | None, typer.Option(help="eager, compile, onnxruntime, openvino.")] = None,
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
    quick: Annotated[
        bool, typer.Option("--quick", help="The quick suite, operators at their defaults, little time.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of inputs and weights.")] = 0,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Ask too whether each operator, at its defaults, becomes an ONNX model.")
    ] = False,
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
    only: Annotated[str | None, typer.Option(hidden=True, help="Ids of cases: what a job measures of it all.")] = None,
) -> int:
    """Measure operators, store each result, print the table.

    Values repeated or joined by commas make an axis: --dtype float32,float16 measures both. Each result is on disk
    the moment it is there.
    """
    from datetime import datetime

    from a2u_bench import operators
    from a2u_bench.cli._forecast import rows_in
    from a2u_bench.cli._store import carry_through, describe, going_on, open_store, tell_settings, words_of
    from a2u_bench.cli._table import check_convention, listed, show
    from a2u_bench.columns import is_open
    from a2u_bench.errors import UsageError
    from a2u_bench.run import onnx_answers, runner
    from a2u_bench.run.jobs import choose, groups
    from a2u_bench.run.jobs.jobs import run as run_jobs
    from a2u_bench.run.progress import progress
    from a2u_bench.store.write import new_folder
    from a2u_bench.suites.expand import make_plan
    from a2u_bench.suites.named import SUITES
    from a2u_bench.suites.values import parse_seconds, parse_share

    check_convention(convention)
    if resume and out is None:
        raise UsageError("--resume needs --out RUN, the folder of the run to go on with")
    if onnx:
        onnx_answers.must_be_installed()
    choose.check_names(launcher, jobs, slurm or (), listed(device))
    reference = _reference(reference, out if resume else None)
    of_suite = SUITES[suite].threads if suite in SUITES else ()
    threads = threads or [str(count) for count in of_suite or (choose.threads_each(launcher, jobs),)]
    if network is None and (sites or cascade):
        raise UsageError(f"{'--sites' if sites else '--cascade'} needs --network, the network of which it is said")
    plan = make_plan(
        network=None if network is None else operators.as_typed(network, listed(sites), cascade),
        ops=ops,
        suite=suite,
        shapes=shape or (),
        scales=scale or (),
        sizes=size or (),
        dtypes=dtype or (),
        layouts=layout or (),
        modes=mode or (),
        runtimes=runtime or (),
        device=device or "auto",
        threads=threads,
        allocators=allocator or (),
        quick=quick,
        seed=seed,
        onnx=onnx,
        time_budget=None if time_budget is None else parse_seconds("--time-budget", time_budget),
        processes=processes,
        target_ci=None if target_ci is None else parse_share("--target-ci", target_ci),
        timeout=None if timeout is None else parse_seconds("--timeout", timeout),
        memory_limit=memory_limit,
        reference=reference,
        elsewhere=launcher == "slurm" or only is not None,
    )
    if only is not None:
        plan = plan.only(listed([only]))
    for problem in operators.plugin_problems():
        typer.echo(f"note: {problem}", err=True)
    if dry_run:
        ended = {row["case"] for row in rows_in(out, resume) if not is_open(row["status"], row["stopped"])}
        left = [case for case in plan.cases if case.id not in ended]
        _forecast(plan, left, jobs, choose.is_away(launcher, jobs), as_json)
        return 0
    devices = ",".join(dict.fromkeys(case.device for case in plan.cases))
    words = words_of(context, device=devices, threads=",".join(threads), reference=reference)
    away = groups.jobs(plan.cases, plan.settings, words)
    folder = out or new_folder(Path("results"), plan.suite, datetime.now())
    carrier = choose.choose(launcher, jobs, slurm or (), away, folder, job_folder)
    store = open_store(folder, plan.to_manifest(), resume)

    def work() -> None:
        if changed := plan.going_on(store.manifest, {row["case"] for row in store.rows}, store.finished):
            tell_settings(store, changed)
            store.write_manifest(changed)
        with going_on(store, resume), progress() as listener:
            if carrier is not None:
                _skip(plan, store, listener)
                run_jobs(away, store, carrier, listener.row_done)
            else:
                describe(store, [case.threads for case in plan.cases], plan.devices, again=only is not None)
                runner.run(plan, store, listener)

    def table(run: Run) -> None:
        if only is None:  # nobody reads that of a job
            show([run], convention=convention, as_json=as_json)

    return carry_through(store, work, carrier, table, strict, "case")


def _forecast(plan: Plan, left: Sequence[Case], at_once: int | None, is_away: bool, as_json: bool) -> None:
    """Print how long what is left will take: of jobs a guess, of what is measured here by trying it."""
    from a2u_bench.cli._forecast import print_forecast
    from a2u_bench.run.forecast import foretell
    from a2u_bench.run.jobs.groups import elapsed_seconds, jobs
    from a2u_bench.run.progress import TRIALS, progress

    if is_away:
        away = jobs(left, plan.settings)
        print_forecast("case to measure", away, len(left), elapsed_seconds(away, at_once), as_json, cases=left)
        return
    with progress(labels=TRIALS) as bar:
        found = foretell(plan, left, bar)
    sound = [case for case in left if case.id in found.calls]  # of the others it was told how they end
    seconds = found.seconds if sound else 0.0
    print_forecast("case to measure", (), len(sound), seconds, as_json, found=found, cases=sound)


def _skip(plan: Plan, store: Store, listener: Listener) -> None:
    """Tell what the plan has, and store the rows of what no job will measure."""
    from a2u_bench.columns import make_row

    skipped = [one for one in plan.skipped if one.case.id not in store.finished]
    count = len(skipped) + sum(case.id not in store.finished for case in plan.cases)
    listener.planned(count, count)
    rows = [make_row(one.case, one.status, one.reason, {}) for one in skipped]
    store.append_rows(rows)
    for row in rows:
        listener.row_done(row)


def _reference(asked: str | None, begun: Path | None) -> str | None:
    """The reference that is asked for, or that of a run that goes on: it has one throughout."""
    from a2u_bench import operators
    from a2u_bench.errors import UsageError
    from a2u_bench.store.lines import MANIFEST
    from a2u_bench.store.read import read_manifest

    known = read_manifest(begun)[0].get("reference") if begun is not None and (begun / MANIFEST).is_file() else None
    if not isinstance(known, str):
        return asked
    if asked not in (None, known) and operators.operator(str(asked)).text != known:
        raise UsageError(f"--reference {asked}: the run in {begun} has {known} as its reference; allowed: the same")
    return known

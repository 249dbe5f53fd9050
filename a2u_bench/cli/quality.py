"""`quality`: train the network with each pair in its loop, score it, store each row, and print the table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    task: Annotated[str, typer.Option(help="reconstruction, or matting.")] = "reconstruction",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="reconstruction: natural, fashion-mnist, or a folder of IDX files; "
            "matting: synthetic, or a folder laid out as Composition-1k.",
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None, typer.Option(metavar="PAIRS", help="core, a2u, or DOWN/OPERATOR,… [default: core]")
    ] = None,
    preset: Annotated[str, typer.Option(help="short, or paper: the published schedule.")] = "short",
    seeds: Annotated[int, typer.Option(help="How many times each pair is trained.")] = 3,
    seed: Annotated[int, typer.Option(help="The first of these seeds.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Epochs in place of the preset's.")] = None,
    images: Annotated[int | None, typer.Option(help="Training images in place of the preset's.")] = None,
    test_images: Annotated[int | None, typer.Option(help="Images that are scored in place of the preset's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Learning rate in place of the preset's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads. [default: all cores]")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder. [default: a new one under results/]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or start it.")] = False,
    checkpoints: Annotated[Path | None, typer.Option(help="Where checkpoints lie. [default: in the run]")] = None,
    launcher: Annotated[str, typer.Option(help="local, or slurm: jobs of a cluster.")] = "local",
    jobs: Annotated[
        int | None, typer.Option(help="Jobs at once, one for each pair and seed. [default: none here, slurm: no limit]")
    ] = None,
    share_gpu: Annotated[
        bool, typer.Option("--share-gpu", help="More jobs at once than GPUs: training times then say little.")
    ] = False,
    slurm: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="partition, account, mem, time in minutes, …")
    ] = None,
    job_folder: Annotated[Path | None, typer.Option(help="Of Slurm's own files; all nodes must see it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and the time it takes, and stop.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 when a pair does not end ok.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> int:
    """Train and score pairs of downsampling and upsampling.

    Each pair is in the loop of the toy reconstruction or of the matting network. It is DOWN/OPERATOR: conv, pool, twin
    or, in reconstruction, s2d before the operator, as in conv/bilinear or twin/a2u:kernel_size=1. A killed run goes on
    with --out RUN --resume, to the same numbers.
    """
    from dataclasses import asdict
    from datetime import datetime

    from a2u_bench import build, machine, pool
    from a2u_bench.cli._forecast import print_forecast, rows_in
    from a2u_bench.cli._store import exit_code, open_store, print_interrupted
    from a2u_bench.cli._table import show
    from a2u_bench.errors import BenchError, Unwritten, UsageError
    from a2u_bench.launch import choose
    from a2u_bench.launch.lesson import lessons
    from a2u_bench.launch.train import needs, train
    from a2u_bench.quality import pairs as every_pair
    from a2u_bench.quality import presets
    from a2u_bench.quality.progress import progress
    from a2u_bench.quality.run import run, set_up
    from a2u_bench.quality.task import task as find
    from a2u_bench.quality.trial import jobs as trainings
    from a2u_bench.runs import Run
    from a2u_bench.store import new_folder

    if resume and out is None:
        raise UsageError("--resume needs --out RUN, the folder of the run to go on with")
    choose.check_names(launcher, jobs, slurm or (), [device])
    if threads is None:
        threads = choose.threads_each(launcher, jobs)
    counts = {"--seeds": seeds, "--epochs": epochs, "--images": images, "--test-images": test_images}
    for flag, count in {**counts, "--threads": threads}.items():
        if count is not None and count < 1:
            raise UsageError(f"{flag} {count}: out of range; allowed: an integer >= 1")
    asked = find(task)
    chosen = every_pair.read(pairs or "core", asked.ways)
    schedule = presets.preset(preset, asked.presets).changed(epochs, images, test_images, learning_rate)
    where = device if launcher == "slurm" else build.device(device)
    problem = asked.load(data or asked.data, schedule)
    planned = list(
        trainings(
            chosen,
            schedule,
            range(seed, seed + seeds),
            data=problem.name,
            images=problem.images,
            test_images=problem.test_images,
            task=asked.name,
            device=where,
            threads=threads,
        )
    )
    folder = out or new_folder(Path("results"), f"quality-{problem.name}-{preset}", datetime.now())
    origin = {"name": problem.name, "sha256": dict(problem.sha256)}
    manifest = {"suite": "quality", "planned": len(planned), "task": asked.name, "data": origin}
    if dry_run:
        known = rows_in(folder if resume else None)
        expected = choose.forecast_trainings([one.trial for one in planned], known, launcher, jobs)
        print_forecast(expected, as_json, "training", "do")
        return 0
    away = lessons(planned, problem, data or asked.data, checkpoints)
    carrier = choose.choose(launcher, jobs, slurm or (), [needs(one) for one in away], folder, job_folder, share_gpu)
    shared = {"share_gpu": jobs} if share_gpu and where == "cuda" and carrier is not None else {}
    store = open_store(folder, {**manifest, **shared, "preset": asdict(schedule)}, resume)
    before = len(store.rows)
    failure: BenchError | None = None
    code = 0
    try:
        with store, progress() as watcher:
            if carrier is not None:
                train(away, store, carrier, watcher)
            else:
                if "machine" not in store.manifest:
                    store.write_manifest({"machine": machine.record(torch=pool.torch_facts)})
                set_up(threads)
                run(planned, problem, store, checkpoints or folder / "checkpoints", watcher)
    except KeyboardInterrupt:
        code = 130
    except BenchError as error:
        failure = error
    rows = [*store.rows[:before], *failure.rows] if isinstance(failure, Unwritten) else store.rows
    if code:  # said at once: the table takes a moment
        print_interrupted(folder, len(rows), carrier.left() if carrier else "")
    if rows:
        show([Run(folder, store.manifest, rows, store.problems)], as_json=as_json)
    if failure is not None:
        raise failure
    if code:
        return code
    typer.echo(f"stored in {folder}", err=True)
    return exit_code(rows, strict, "training")

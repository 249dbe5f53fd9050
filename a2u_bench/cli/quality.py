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
            help="reconstruction: natural, fashion-mnist, or a folder of IDX files; matting: synthetic.",
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
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 when a pair does not end ok.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> int:
    """Train and score each pair of downsampling and upsampling in the toy reconstruction or the matting network.

    A pair is DOWN/OPERATOR: conv, pool, twin or, in reconstruction, s2d before the operator, as in conv/bilinear or
    twin/a2u:kernel_size=1. A killed run goes on with --out RUN --resume, to the same numbers.
    """
    from dataclasses import asdict
    from datetime import datetime

    from a2u_bench import build, machine
    from a2u_bench.cli._store import open_store
    from a2u_bench.cli._table import show
    from a2u_bench.errors import Unwritten, UsageError
    from a2u_bench.quality import pairs as every_pair
    from a2u_bench.quality import presets
    from a2u_bench.quality.progress import progress
    from a2u_bench.quality.run import run, set_up
    from a2u_bench.quality.task import task as find
    from a2u_bench.quality.trial import jobs
    from a2u_bench.runs import Run
    from a2u_bench.store import new_folder

    if resume and out is None:
        raise UsageError("--resume needs --out RUN, the folder of the run to go on with")
    threads = machine.usable_cores() if threads is None else threads
    counts = {"--seeds": seeds, "--epochs": epochs, "--images": images, "--test-images": test_images}
    for flag, count in {**counts, "--threads": threads}.items():
        if count is not None and count < 1:
            raise UsageError(f"{flag} {count}: out of range; allowed: an integer >= 1")
    asked = find(task)
    chosen = every_pair.read(pairs or "core", asked.ways)
    schedule = presets.preset(preset, asked.presets).changed(epochs, images, test_images, learning_rate)
    where = build.device(device)
    problem = asked.load(data or asked.data, schedule)
    set_up(threads)
    planned = list(
        jobs(
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
    store = open_store(folder, {**manifest, "preset": asdict(schedule)}, resume)
    before = list(store.rows)
    failure: Unwritten | None = None
    code = 0
    try:
        with store, progress() as watcher:
            if "machine" not in store.manifest:
                store.write_manifest({"machine": machine.record()})
            run(planned, problem, store, checkpoints or folder / "checkpoints", watcher)
    except KeyboardInterrupt:
        code = 130
    except Unwritten as error:
        failure = error
    rows = store.rows if failure is None else before + failure.rows
    if rows:
        show([Run(folder, store.manifest, tuple(rows), store.problems)], as_json=as_json)
    if failure is not None:
        raise failure
    if code:
        typer.echo(f"interrupted; {len(rows)} rows are kept in {folder}: --out {folder} --resume goes on", err=True)
        return code
    typer.echo(f"stored in {folder}", err=True)
    return 5 if strict and any(row["status"] != "ok" for row in rows) else 0

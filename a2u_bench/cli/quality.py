"""`quality`: train the network with each pair in its loop, score it, store each row, and print the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from a2u_bench.quality.pairs import Pair, Ways
    from a2u_bench.quality.trial import TrainingJob, Trial
    from a2u_bench.run.jobs.launcher import Job
    from a2u_bench.store.read import Run


def command(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="reconstruction, matting, or restoration.")] = "reconstruction",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="reconstruction: natural, fashion-mnist, or a folder of IDX files; "
            "matting: synthetic, or a folder laid out as Composition-1k; "
            "restoration: photographs, other-photographs, or a folder of photographs.",
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None, typer.Option(metavar="PAIRS", help="core, a2u, or DOWN/OPERATOR,… [default: core]")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="short, or paper: the published schedule; restoration: quick, or full. [default: short, quick]"
        ),
    ] = None,
    features: Annotated[
        list[str] | None, typer.Option(help="restoration: seg, gabor, relu3. [default: the preset's profile]")
    ] = None,
    guide: Annotated[list[str] | None, typer.Option(help="restoration: mix, nl, shallow.")] = None,
    folds: Annotated[
        int | None, typer.Option(help="restoration: of the photographs; seed s tests on one. [default: 3]")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many times each pair is trained. [default: 3, or --folds]")
    ] = None,
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
    only: Annotated[str | None, typer.Option(hidden=True, help="An id: what a job trains of it all.")] = None,
    data_digest: Annotated[str | None, typer.Option(hidden=True, help="Of the data that a job was planned on.")] = None,
) -> int:
    """Train and score pairs of downsampling and upsampling.

    Each pair is in the loop of the toy reconstruction or of the matting network. It is DOWN/OPERATOR: conv, pool, twin
    or, in reconstruction, s2d before the operator, as in conv/bilinear or twin/a2u:kernel_size=1. In restoration it is
    an operator alone. A killed run goes on with --out RUN --resume, to the same numbers.
    """
    from dataclasses import asdict
    from datetime import datetime

    from a2u_bench import operators
    from a2u_bench.cli._forecast import rows_in
    from a2u_bench.cli._store import carry_through, describe, open_store
    from a2u_bench.cli._table import listed, show
    from a2u_bench.errors import UsageError
    from a2u_bench.quality import presets
    from a2u_bench.quality.progress import progress
    from a2u_bench.quality.run import run, set_up
    from a2u_bench.quality.task import task as find
    from a2u_bench.quality.trial import jobs as trainings
    from a2u_bench.run.jobs import choose
    from a2u_bench.run.jobs.jobs import run as run_jobs
    from a2u_bench.store.write import new_folder

    if resume and out is None:
        raise UsageError("--resume needs --out RUN, the folder of the run to go on with")
    choose.check_names(launcher, jobs, slurm or (), [device])
    if threads is None:
        threads = choose.threads_each(launcher, jobs)
    asked = find(task)
    folds = asked.folds(features, guide, folds)
    seeds = (folds or 3) if seeds is None else seeds
    _at_least_one(seeds=seeds, epochs=epochs, images=images, test_images=test_images, threads=threads)
    chosen = _pairs(pairs or "core", asked.ways, quiet=only is not None)
    schedule = presets.preset(preset or asked.preset, asked.presets).changed(epochs, images, test_images, learning_rate)
    where = device if launcher == "slurm" or only is not None else operators.device(device)
    problem = asked.load(data or asked.data, schedule)
    cells = asked.cells(problem, schedule, listed(features), listed(guide), folds)
    origin = {"name": problem.name, "sha256": dict(problem.sha256)}
    digest = _digest(origin)
    if data_digest not in (None, digest):
        raise UsageError(f"--data {data}: this machine has others there than the one that planned the run")
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
            cells=cells,
            folds=folds,
        )
    )
    planned = planned if only is None else _alone(planned, only)
    folder = out or new_folder(Path("results"), f"quality-{problem.name}-{schedule.name}", datetime.now())
    away = [_job(context, one.trial, digest, checkpoints, folder) for one in planned]
    if dry_run:
        _forecast(away, rows_in(out, resume), jobs, choose.is_away(launcher, jobs), as_json)
        return 0
    carrier = choose.choose(launcher, jobs, slurm or (), away, folder, job_folder, share_gpu)
    shared = {"share_gpu": jobs} if share_gpu and where == "cuda" and carrier is not None else {}
    manifest = {
        "suite": "quality",
        "planned": len(planned),
        "task": asked.name,
        "data": origin,
        **shared,
        **_own(planned),
    }
    store = open_store(folder, {**manifest, "preset": asdict(schedule)}, resume)

    def work() -> None:
        if store.manifest.get("data", origin) != origin:
            raise UsageError(f"--data {problem.name}: the run in {folder} is of other data; allowed: the same")
        with progress() as watcher:
            if carrier is not None:
                watcher.planned([one.trial for one in planned if one.trial.id not in store.finished])
                run_jobs(away, store, carrier, watcher.row_done)
            else:
                describe(store, [threads], again=only is not None)
                set_up(threads)
                run(planned, problem, store, checkpoints or folder / "checkpoints", watcher)

    def table(found: Run) -> None:
        if only is None:  # nobody reads that of a job
            show([found], as_json=as_json)

    return carry_through(store, work, carrier, table, strict, "training")


def _pairs(asked: str | list[str], ways: Ways, quiet: bool) -> tuple[Pair, ...]:
    """The pairs that are meant; unless `quiet`, with a note where nobody said how they go down."""
    from a2u_bench.quality import pairs

    found = pairs.read(asked, ways)
    if note := pairs.differing_downs(asked, ways) if not quiet else "":
        typer.echo(f"note: {note}", err=True)
    return found


def _digest(origin: Mapping[str, Any]) -> str:
    """What a job says of the data that it was planned on."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:16]


def _at_least_one(**counts: int | None) -> None:
    """UsageError for a count of 0 or less."""
    from a2u_bench.errors import UsageError

    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"--{name.replace('_', '-')} {count}: out of range; allowed: an integer >= 1")


def _alone(planned: Sequence[TrainingJob], only: str) -> list[TrainingJob]:
    """The training of this id. UsageError for an unknown id."""
    from a2u_bench.errors import UsageError

    found = [one for one in planned if one.trial.id == only]
    if not found:
        raise UsageError(f"--only {only}: this machine plans no such training; is it another version, or other data?")
    return found


def _job(context: typer.Context, trial: Trial, digest: str, checkpoints: Path | None, folder: Path) -> Job:
    """The job of one training of the run in `folder`; others may run beside it, on cores of their own."""
    from a2u_bench.cli._store import words_of
    from a2u_bench.run.jobs import command as part
    from a2u_bench.run.jobs.launcher import Job, Needs

    kept = part.checkpoints(folder, trial.id) if checkpoints is None else checkpoints.absolute() / trial.id
    own = {"device": trial.device, "threads": str(trial.threads), "checkpoints": str(kept), "data_digest": digest}
    words = words_of(context, **own)
    needs = Needs(trial.device, trial.threads, alone=False)
    return Job(trial.id, needs, (trial.id,), words, facts={"pair": trial.pair, "seed": trial.seed})


def _own(planned: Sequence[TrainingJob]) -> dict[str, Any]:
    """What the manifest says of a person's own operators among these."""
    from a2u_bench.operators import papers
    from a2u_bench.paper_names import to_manifest

    return to_manifest(papers.of_own(one.trial.operator for one in planned))


def _forecast(
    jobs: Sequence[Job], known: Sequence[Mapping[str, Any]], at_once: int | None, is_away: bool, as_json: bool
) -> None:
    """Print how long the trainings that have no row will take, by the rows that there are: each the mean of its pair's,
    or of all where that has none."""
    import math
    from dataclasses import replace

    from a2u_bench.cli._forecast import print_forecast
    from a2u_bench.run.jobs.groups import elapsed_seconds

    finished = {row["case"] for row in known}
    times = [(row["pair"], row["train_time"]) for row in known if row["train_time"] is not None]
    left, count = [], len(times)
    for job in (job for job in jobs if job.name not in finished):
        alike = [seconds for pair, seconds in times if pair == job.facts["pair"]] or [seconds for _, seconds in times]
        left.append(replace(job, seconds=math.fsum(alike) / len(alike) if alike else None))
    together = elapsed_seconds(left, at_once)
    alone = math.fsum(job.seconds or 0.0 for job in left) if times or not left else None
    basis = f"by the training time{'s' * (count > 1)} of {count} row{'s' * (count > 1)} of this run"
    if not left or not times:
        basis = "how long is not known before a first training has ended" if left else ""
    print_forecast("training to do", left, len(left), together if is_away else alone, as_json, basis)

"""Jobs from start to end: what earlier ones left is gathered, those that are missing are started, each is gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from a2u_bench.errors import BenchError, Unwritten, UsageError
from a2u_bench.run.jobs import command
from a2u_bench.run.jobs.gather import gather
from a2u_bench.run.jobs.launcher import Job, Launcher
from a2u_bench.store.write import Store

Tell = Callable[[Mapping[str, Any]], None]

SHOWN = 3
"""Jobs that an error names before it counts the rest."""


def run(jobs: Sequence[Job], store: Store, launcher: Launcher, tell: Tell = lambda row: None) -> None:
    """Add the rows of these jobs that the run lacks: what earlier jobs left is gathered, then the others are started.

    `tell` has each new row. Raises BenchError where a job ended without all of its rows, once all others are gathered;
    Unwritten where the run cannot be written; UsageError where a part, or a folder in it, is a link: a stranger's run
    would have us write anywhere.
    """
    root = (store.folder / command.PARTS).absolute()
    _refuse(store.folder, [root] if root.is_symlink() else [])
    try:
        there = sorted(f for f in root.iterdir() if f.is_dir() and not _has_links(f)) if root.is_dir() else []
        busy = launcher.busy(there)
        for folder in there:
            if folder not in busy:
                _take(folder, store, tell)
        waiting = {root / job.name: job for job in jobs if not store.finished.issuperset(job.cases)}
        _refuse(store.folder, [folder for folder in waiting if _has_links(folder)])
        problems = _await(waiting, busy, store, launcher, tell)
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()
    except OSError as error:
        raise Unwritten(f"cannot write results: {error.strerror or error}", []) from error
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        said = "; ".join(problems[:SHOWN])
        raise BenchError(f"jobs ended without all of their rows: {said}{more}; --resume starts them again")
    launcher.forget()


def _await(waiting: Mapping[Path, Job], busy: set[Path], store: Store, launcher: Launcher, tell: Tell) -> list[str]:
    """Start these jobs and gather each as it ends; a text for each that lacks rows then."""
    missing = {folder: set(job.cases) - store.finished for folder, job in waiting.items()}
    parts = [command.begin(folder, job, missing[folder]) for folder, job in waiting.items()]
    seconds = max((job.most for job in waiting.values()), default=0.0)
    problems = []
    with closing(cast(Any, launcher.run(parts, busy, seconds))) as ends:
        for folder, end in ends:
            if left := missing[folder] - _take(folder, store, tell):
                problems.append(f"{len(left)} of {folder.name} ({end or 'the job said nothing'})")
    return problems


def _take(folder: Path, store: Store, tell: Tell) -> set[str]:
    """Gather a part; the cases that have a row."""
    rows = gather(folder, store)
    for row in rows:
        tell(row)
    return store.finished | {row["case"] for row in rows}


def _has_links(folder: Path) -> bool:
    return any(path.is_symlink() for path in (folder, folder / command.RUN, folder / command.CHECKPOINTS))


def _refuse(run: Path, linked: Sequence[Path]) -> None:
    if linked:
        where = linked[0].relative_to(run.absolute())
        raise UsageError(f"--out {run}: {where} is a link or has one in it; allowed: a run whose folders are its own")

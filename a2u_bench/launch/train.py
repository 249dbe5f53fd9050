"""From trainings to rows by jobs: each pair and seed that lacks a row is one, and all are gathered into one run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from a2u_bench.errors import Unwritten
from a2u_bench.launch import lesson
from a2u_bench.launch.groups import Needs
from a2u_bench.launch.jobs import Job, carry_out
from a2u_bench.launch.launcher import Launcher
from a2u_bench.launch.lesson import Lesson
from a2u_bench.quality.progress import Silence, Watcher
from a2u_bench.rows import last_words
from a2u_bench.store import Store

Row = dict[str, Any]


def train(lessons: Sequence[Lesson], store: Store, launcher: Launcher, watcher: Watcher | None = None) -> Sequence[Row]:
    """Train every lesson that the run has no row for, each in a job; the new rows, in the order they came.

    No end is set to a training but what the launcher's own options say: one that is ended has its checkpoint, and
    goes on from there. Raises BenchError where a job ended without its row, once all others are gathered; Unwritten,
    with the rows so far, where the run cannot be written.
    """
    watcher = watcher or Silence()
    new: list[Row] = []

    def missing() -> list[Job]:
        return [_job(one) for one in lessons if one.job.trial.id not in store.finished]

    try:
        watcher.planned([one.job.trial for one in lessons if one.job.trial.id not in store.finished])
        for rows in carry_out(store, launcher, missing, math.inf):
            new += rows
            for row in rows:
                watcher.row_done(row)
    except OSError as error:
        raise Unwritten(f"cannot write results: {error.strerror or error}", list(new)) from error
    return last_words(new)


def needs(given: Lesson) -> Needs:
    """What a training asks of its machine: others may run beside it, on cores of their own."""
    return Needs(given.job.trial.device, given.job.trial.threads, alone=False)


def _job(given: Lesson) -> Job:
    trial = given.job.trial

    def write(folder: Path) -> None:
        lesson.write(folder, given)

    return Job(f"{trial.id}", needs(given), (trial.id,), write)

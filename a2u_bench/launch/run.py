"""From a plan to rows by jobs: one for each timing group that lacks a row, then everything gathered into one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from a2u_bench.errors import Unwritten
from a2u_bench.launch import part
from a2u_bench.launch.groups import Group, groups, most_seconds
from a2u_bench.launch.jobs import Job, carry_out
from a2u_bench.launch.launcher import Launcher
from a2u_bench.listener import Listener, Silence
from a2u_bench.record import make_row
from a2u_bench.rows import last_words
from a2u_bench.store import Store
from a2u_bench.suites.plan import Plan

Row = dict[str, Any]


def run(plan: Plan, store: Store, launcher: Launcher, listener: Listener | None = None) -> Sequence[Row]:
    """Measure every case of the plan that the run has no row for, in jobs; the new rows, in the order they came.

    What earlier jobs left behind is gathered first. Raises BenchError where a job ended without all of its rows, once
    all others are gathered; Unwritten, with the rows so far, where the run cannot be written.
    """
    listener = listener or Silence()
    new: list[Row] = []

    def missing() -> list[Group]:
        return groups(case for case in plan.cases if case.id not in store.finished)

    try:
        listener.planned(plan, sum(case.id in store.finished for case in plan.cases))
        skipped = [make_row(s.case, "skipped", s.reason, {}) for s in plan.skipped if s.case.id not in store.finished]
        store.append_rows(skipped)
        _add(new, skipped, listener)
        seconds = max((most_seconds(group, plan.settings) for group in missing()), default=0.0)
        for rows in carry_out(store, launcher, lambda: [_job(group, plan) for group in missing()], seconds):
            _add(new, rows, listener)
    except OSError as error:
        raise Unwritten(f"cannot write results: {error.strerror or error}", list(new)) from error
    return last_words(new)


def _job(group: Group, plan: Plan) -> Job:
    def write(folder: Path) -> None:
        part.write_plan(folder, group, plan)

    return Job(group.name, group.needs, tuple(case.id for case in group.cases), write)


def _add(new: list[Row], rows: Sequence[Row], listener: Listener) -> None:
    new += rows
    for row in rows:
        listener.row_done(row)

"""From a plan to rows by jobs: one for each timing group that lacks a row, then everything gathered into one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from a2u_bench.errors import BenchError, Unwritten
from a2u_bench.launch import part
from a2u_bench.launch.gather import gather
from a2u_bench.launch.groups import Group, groups, most_seconds
from a2u_bench.launch.launcher import Launcher
from a2u_bench.listener import Listener, Silence
from a2u_bench.plan import Plan
from a2u_bench.record import make_row
from a2u_bench.store import Store

Row = dict[str, Any]

SHOWN = 3
"""Jobs that an error names before it counts the rest."""


def run(plan: Plan, store: Store, launcher: Launcher, listener: Listener | None = None) -> list[Row]:
    """Measure every case of the plan that the run has no row for, in jobs; the new rows, in the order they came.

    What earlier jobs left behind is gathered first. Raises BenchError where a job ended without all of its rows, once
    all others are gathered; Unwritten, with the rows so far, where the run cannot be written.
    """
    listener = listener or Silence()
    new: list[Row] = []
    try:
        listener.planned(plan, sum(case.id in store.finished for case in plan.cases))
        skipped = [make_row(s.case, "skipped", s.reason, {}) for s in plan.skipped if s.case.id not in store.finished]
        store.append_rows(skipped)
        _add(new, skipped, listener)
        problems = []
        for rows, problem in _jobs(plan, store, launcher):
            _add(new, rows, listener)
            problems += [problem] if problem else []
    except OSError as error:
        raise Unwritten(f"cannot write results: {error.strerror or error}", new) from error
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        said = "; ".join(problems[:SHOWN])
        raise BenchError(f"jobs ended without all of their rows: {said}{more}; --resume starts them again")
    launcher.forget()
    return new


def _jobs(plan: Plan, store: Store, launcher: Launcher) -> Iterator[tuple[list[Row], str]]:
    """The rows of each part as they come, and what went wrong with it."""
    root = (store.folder / part.PARTS).absolute()
    there = sorted(f for f in root.iterdir() if f.is_dir() and not f.is_symlink()) if root.is_dir() else []
    busy = launcher.busy(there)
    for folder in there:
        if folder not in busy:
            yield gather(folder, store), ""
    lacking = groups(case for case in plan.cases if case.id not in store.finished)
    waiting: dict[Path, Group] = {root / group.name: group for group in lacking}
    for folder, group in waiting.items():
        if folder not in busy:
            part.write_plan(folder, group, plan)
    seconds = max((most_seconds(group, plan.settings) for group in lacking), default=0.0)
    jobs = launcher.run([(group, folder) for folder, group in waiting.items()], busy, seconds)
    with closing(cast(Any, jobs)):
        for folder, end in jobs:
            rows = gather(folder, store)
            left = sum(case.id not in store.finished for case in waiting[folder].cases)
            yield rows, f"{left} of {folder.name} ({end or 'the job said nothing'})" if left else ""
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()


def _add(new: list[Row], rows: list[Row], listener: Listener) -> None:
    new += rows
    for row in rows:
        listener.row_done(row)

"""Runs as one table on standard output, for `run` and `compare`: frame, verdicts, cells, then rich or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from a2u_bench.runs import Run

RESULTS = Path("results")


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in these folders, or the newest under `results/`; what is wrong with them goes to standard error."""
    from a2u_bench.plain import plain
    from a2u_bench.runs import newest_run, read_run

    if not folders:
        folders = [newest_run(RESULTS)]
        typer.echo(f"reading {folders[0]}", err=True)
    runs = [read_run(folder) for folder in dict.fromkeys(folders)]
    for run in runs:
        for problem in run.problems:
            typer.echo(plain(f"note: {run.path}: {problem}"), err=True)
    return runs


def show(
    runs: Sequence[Run],
    *,
    convention: str = "mac",
    baseline: str | None = None,
    by: Sequence[str] = (),
    columns: Sequence[str] = (),
    order: Sequence[str] = (),
    as_json: bool = False,
) -> None:
    """Print one table of all rows. Several runs keep a column that tells them apart; machines that differ are named."""
    from a2u_bench import frames, judge, seeds
    from a2u_bench.cells import lay_out
    from a2u_bench.machines import differences

    check_convention(convention)
    frame = frames.runs_to_frame(runs)
    if baseline is not None:
        frame = judge.against(frame, baseline, samples=judge.samples_of(runs))
    frame = frames.sort(frame, order or [key for key in by if key in frame])
    notes = [f"the runs are of machines that differ: {text}" for text in differences([run.manifest for run in runs])]
    if as_json:
        described = [{"path": str(run.path), "manifest": run.manifest, "problems": run.problems} for run in runs]
        content = {"runs": described, "notes": notes, "rows": frames.to_records(frame)}
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
        return
    from a2u_bench.render import print_table

    trained = seeds.is_trained(frame)
    if not trained.all() or frame.empty:
        print_table(lay_out(frame[~trained], columns, by, convention, notes))
    if trained.any():
        means = frames.sort(seeds.over_seeds(frame[trained]), order)
        compared = [*notes, *filter(None, [seeds.order(frame[trained])])]
        print_table(lay_out(means, columns, by, convention, compared))


def check_convention(given: str) -> None:
    """UsageError for a convention other than `mac` and `flop`."""
    from a2u_bench.errors import unknown
    from a2u_bench.units import CONVENTIONS

    if given not in CONVENTIONS:
        raise unknown("convention", given, CONVENTIONS)


def listed(values: Sequence[str] | None) -> list[str]:
    """Values repeated or joined by commas, as one list."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]

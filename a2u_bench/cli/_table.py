"""Runs as tables on standard output, for `run`, `quality` and `compare`: a view, then rich or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from a2u_bench.paper_names import Known
    from a2u_bench.store.read import Run
    from a2u_bench.tables.request import Request
    from a2u_bench.tables.view import View


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in these folders, or of these names under `results/`, each once, or the newest there; what is wrong with
    them goes to standard error."""
    import os

    from a2u_bench.sanitize import plain
    from a2u_bench.store.completeness import lacks
    from a2u_bench.store.read import RESULTS, newest_run, read_run, there

    if not folders:
        folders = [newest_run(RESULTS)]
        typer.echo(plain(f"reading {folders[0]}"), err=True)
    places: dict[str, list[Path]] = {}
    for folder in map(there, folders):
        places.setdefault(os.path.abspath(folder), []).append(folder)
    runs = [read_run(named[0]) for named in places.values()]
    for run, named in zip(runs, places.values(), strict=True):
        if len(named) > 1:
            told = "it is one run, read once, and cannot have changed since itself"
            typer.echo(plain(f"note: {run.path}: named {len(named)} times; {told}"), err=True)
        for problem in (*run.problems, *lacks(run)):
            typer.echo(plain(f"note: {run.path}: {problem}"), err=True)
    return runs


MOST = 200
"""Lines of a table on a terminal, unless all are asked for."""


def show(runs: Sequence[Run], *, convention: str = "mac", as_json: bool = False) -> None:
    """Print one table of all rows. Several runs keep a column that tells them apart; machines that differ are named.

    Operators that were measured beside their formulas in plain PyTorch are compared with them.
    """
    from a2u_bench.tables.request import Request
    from a2u_bench.tables.view import make

    request = Request(convention, known=known_operators(runs), notes="short")
    print_view(make(runs, beside_peers(request, runs)), as_json, MOST)


def beside_peers(request: Request, runs: Sequence[Run]) -> Request:
    """The request, or, of a run of operators beside their formulas in plain PyTorch, where nothing else was asked for,
    how the former compare with the latter."""
    from dataclasses import replace

    from a2u_bench.judge.peers import COLUMNS, PEERS, has_peers

    asked = request.baseline or request.by or request.columns or request.filters or request.fail_if
    if asked or len(runs) > 1 or not any(has_peers(run.rows) for run in runs):
        return request
    return replace(request, baseline=PEERS, columns=COLUMNS, variants=True)


def print_view(view: View, as_json: bool, most: int | None) -> None:
    """The tables of a view, or its rows as JSON, on standard output."""
    if as_json:
        from a2u_bench.cli import _output as output
        from a2u_bench.export.json import write

        output.write(write(view))
        return
    from a2u_bench.tables.terminal import print_table

    for table in view.tables(most):
        print_table(table)


NAMES = ("paper", "option")
"""How tables name operators: as papers do, or as they are typed."""


def are_typed(names: str) -> bool:
    """Whether operators are to be named as they are typed. UsageError for anything but NAMES."""
    from a2u_bench.errors import unknown

    if names not in NAMES:
        raise unknown("names", names, NAMES)
    return names == "option"


def known_operators(runs: Sequence[Run]) -> Mapping[str, Known]:
    """What is known of the operators of these runs beside their rows: their names in papers, and their papers."""
    from a2u_bench.operators import papers

    return papers.known_in(run.manifest for run in runs)


def check_notes(given: str) -> None:
    """UsageError for anything but `none`, `short` and `full`."""
    from a2u_bench.errors import unknown
    from a2u_bench.tables.table import NOTES

    if given not in NOTES:
        raise unknown("notes", given, NOTES)


def check_convention(given: str) -> None:
    """UsageError for a convention other than `mac` and `flop`."""
    from a2u_bench.errors import unknown
    from a2u_bench.units import CONVENTIONS

    if given not in CONVENTIONS:
        raise unknown("convention", given, CONVENTIONS)


def listed(values: Sequence[str] | None) -> list[str]:
    """Values repeated or joined by commas, as one list."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]

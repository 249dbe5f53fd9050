"""The folder of a run, opened for the commands that write one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from a2u_bench.store import Store


def open_store(folder: Path, manifest: dict[str, Any], resume: bool) -> Store:
    """The run's folder, ready to write; one that another process writes to is waited for when resuming."""
    from a2u_bench.plain import plain
    from a2u_bench.store import BusyError, Store

    try:
        store = Store.open(folder, manifest, resume)
    except BusyError as error:
        if not resume:
            raise
        typer.echo(f"waiting: {error}", err=True)
        store = Store.open(folder, manifest, resume, wait=-1)
    for problem in store.problems:
        typer.echo(plain(f"note: {folder}: {problem}"), err=True)
    return store


def exit_code(rows: Sequence[Mapping[str, Any]], strict: bool, what: str) -> int:
    """5 under --strict where a row did not end ok, else 0. BenchError where not one did: nothing came of the run."""
    from collections import Counter

    from a2u_bench.errors import BenchError

    ends = Counter(str(row["status"]) for row in rows)
    if strict and set(ends) - {"ok"}:
        return 5
    if not ends["ok"]:
        counts = ", ".join(f"{count} {status}" for status, count in ends.items())
        raise BenchError(f"not one {what} ended ok{f' ({counts}); the table says why' if counts else ''}")
    return 0


def print_interrupted(folder: Path, rows: int, left: str) -> None:
    """After Ctrl-C, on standard error: what is kept, what becomes of jobs elsewhere (`left`), and how to go on."""
    from a2u_bench.lines import SAMPLES
    from a2u_bench.plain import plain

    samples = (folder / SAMPLES).is_file() and (folder / SAMPLES).stat().st_size > 0
    parts = [f"{rows} row{'' if rows == 1 else 's'}" if rows else "", "every whole round of samples" if samples else ""]
    kept = " and ".join(filter(None, parts))
    said = (
        f"{kept} {'are' if rows > 1 or ' and ' in kept else 'is'} kept in {folder}"
        if kept
        else "no result was there to keep"
    )
    on = f"the same command with --out {folder} --resume {'gathers what there is and ' if left else ''}goes on"
    typer.echo(plain(f"interrupted; {said}; {f'{left}; ' if left else ''}{on}"), err=True)

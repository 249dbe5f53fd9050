"""The folder of a run, for the commands that write one: opened, written to by this process or by jobs, and shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from a2u_bench.run.jobs.launcher import Launcher
    from a2u_bench.store.read import Run
    from a2u_bench.store.write import Store

OWN = ("out", "resume", "launcher", "jobs", "slurm", "job_folder", "share_gpu", "dry_run", "strict", "as_json", "only")
"""Options of the command that starts jobs, not of the jobs."""


def words_of(context: typer.Context, **instead: str | None) -> tuple[str, ...]:
    """The command line of a job: what was typed, with these options `instead`, and without those that are None."""
    words = [str(context.info_name)]
    for option in context.command.params:
        name, source = str(option.name), context.get_parameter_source(str(option.name))
        if name in OWN or name in instead or source is None or source.name not in ("COMMANDLINE", "ENVIRONMENT"):
            continue
        values = context.params[name]
        for value in values if isinstance(values, (list, tuple)) else [values]:
            words.append(option.opts[0] if value is True else f"{option.opts[0]}={value}")
    return (*words, *(f"--{name.replace('_', '-')}={value}" for name, value in instead.items() if value is not None))


def open_store(folder: Path, manifest: dict[str, Any], resume: bool) -> Store:
    """The run's folder, ready to write; one that another process writes to is waited for when resuming."""
    from a2u_bench.sanitize import plain
    from a2u_bench.store.write import BusyError, Store

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


def describe(store: Store, threads: Sequence[int], devices: Collection[str] = ("cpu",), again: bool = False) -> None:
    """Put the machine, and how good it is for measuring with so many threads, into the manifest, once or `again`."""
    from a2u_bench.machine import doctor, record
    from a2u_bench.run import processes

    if again or "machine" not in store.manifest:
        described = record.record(torch=lambda: processes.torch_facts(devices))
        store.write_manifest({"machine": described, "doctor": doctor.examine(described, threads).to_manifest()})


def tell_settings(store: Store, changed: Mapping[str, Any]) -> None:
    """Say in one line which settings of a run differ from now on, where its manifest is `changed` as it goes on."""
    from a2u_bench.sanitize import plain

    before, after = store.manifest.get("settings"), changed.get("settings")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    differ = [
        f"{name} {_setting(before[name])} before, {_setting(value)} now"
        for name, value in after.items()
        if name in before and before[name] != value
    ]
    if differ:
        typer.echo(plain(f"note: {store.folder}: goes on with other settings: {'; '.join(differ)}"), err=True)


def _setting(value: object) -> str:
    return "default" if value is None else str(value)


@contextmanager
def going_on(store: Store, resume: bool) -> Iterator[None]:
    """While cases are measured: where a run goes on, its reference is timed again, and its rows are stored anew at the
    end, whatever ends it."""
    from a2u_bench.run.samples import renew_references

    try:
        yield
    finally:
        if resume:
            with suppress(OSError):  # a full disk, of which the work tells; whoever goes on comes here again
                renew_references(store)


def carry_through(
    store: Store,
    work: Callable[[], None],
    carrier: Launcher | None,
    show: Callable[[Run], None],
    strict: bool,
    what: str,
) -> int:
    """Do the work, then show what there is of it, whatever ended it; the exit code. `what` is the word for a row."""
    from a2u_bench.errors import BenchError, Unwritten
    from a2u_bench.store.read import Run

    failure: BenchError | None = None
    code = 0
    try:
        with store:
            work()
    except KeyboardInterrupt:
        code = 130
    except BenchError as error:
        failure = error
    rows: Sequence[dict[str, Any]] = store.rows
    if isinstance(failure, Unwritten):  # some of its rows are stored
        rows = list({(row["case"], row["origin"]): row for row in (*store.rows, *failure.rows)}.values())
    if code:  # said at once: the table takes a moment
        print_interrupted(store.folder, len(rows), carrier.left() if carrier else "")
    if rows:
        show(Run(store.folder, store.manifest, rows, store.problems))
    if failure is not None:
        raise failure
    if code:
        return code
    typer.echo(f"stored in {store.folder}{_late(rows)}{_examining(store.manifest)}", err=True)
    return exit_code(rows, strict, what)


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
    from a2u_bench.sanitize import plain
    from a2u_bench.store.lines import SAMPLES

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


def _late(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many cases the run had no time for, and how many took too long themselves, with what helps; said once."""
    from a2u_bench.columns import is_open

    late = sum(is_open(row["status"], row["stopped"]) for row in rows)
    slow = sum(row["status"] == "timeout" for row in rows) - late
    said = f"; no time was left for {_cases(late)}: --resume with a larger --time-budget takes them up" if late else ""
    return said + (f"; {_cases(slow)} took too long: a new run with a larger --timeout gives more time" if slow else "")


def _cases(count: int) -> str:
    return f"{count} case{'s' * (count > 1)}"


NOTED = 0.1
"""Seconds of compiling from which on they are mentioned."""


def _examining(manifest: Mapping[str, Any]) -> str:
    """What was done before timing began, in seconds."""
    seconds, compiling = manifest.get("examining"), manifest.get("compiling")
    if not isinstance(seconds, float):
        return ""
    is_noted = isinstance(compiling, float) and compiling >= NOTED
    kernels = f", compiling {compiling:.1f} s (later runs find the kernels compiled)" if is_noted else ""
    return f"; before timing: checking and counting {seconds:.1f} s{kernels}"

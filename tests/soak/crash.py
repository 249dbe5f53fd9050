"""A run that is killed at a random moment, or in the middle of a write, and resumed: nothing lost, nothing doubled.

The processes that measure are fake; the runner, the store and the disk are real.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes import FakeClock, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.errors import Unwritten
from a2u_bench.run.runner import run
from a2u_bench.store import write as store_module
from a2u_bench.store.read import read_run, read_samples
from a2u_bench.store.write import Store
from a2u_bench.suites.plan import Plan, Settings

PLAN = Plan(
    "crash",
    tuple(Case(f"o{index}", "default", f"o{index}", 1, 8, 4, 4) for index in range(10)),
    settings=Settings(time_budget=1e9, processes=2, min_rounds=2, max_rounds=3, target_ci=0.5),
)
COUNTED = ("samples", "processes", "stopped", "latency_low", "latency_high")
"""Columns that tell how a run went: one that was killed has begun more processes."""

Entry = tuple[Any, ...]


class Lost(AssertionError):
    """Something that was stored is no more, or is there twice."""


@dataclass
class Tally:
    """What the kills came to."""

    kills: int = 0
    torn: int = 0
    rounds: int = 0
    rows: int = 0
    unfinished: set[str] = field(default_factory=set)


class Telling(Store):
    """A store that says through a pipe what it has stored, once it has."""

    pipe = -1

    def append_samples(self, samples: Iterable[Mapping[str, Any]]) -> None:
        listed = [dict(sample) for sample in samples]
        super().append_samples(listed)
        self._tell([(s["case"], s["process"], s["round"]) for s in listed])

    def append_row(self, row: Mapping[str, Any]) -> None:
        super().append_row(row)
        self._tell([(row["case"],)])

    def _tell(self, entries: list[Entry]) -> None:
        os.write(Telling.pipe, (json.dumps(entries) + "\n").encode())


def measure(folder: Path) -> None:
    """The whole plan, or what is missing of it."""
    clock = FakeClock()
    seconds = {case.id: 1e-3 * (index + 1) for index, case in enumerate(PLAN.cases)}
    workers = FakeWorkers(clock, lambda case, process, index: seconds[case.id])
    with Telling.open(folder, PLAN.to_manifest(), resume=True) as store:
        run(PLAN, store, workers=workers, clock=clock)


def undisturbed(folder: Path) -> tuple[list[dict[str, Any]], float, int]:
    """The rows of a run that nobody disturbs, the seconds it takes, and the bytes it writes."""
    begin = time.monotonic()
    _in_child(folder, lambda: None)
    seconds = time.monotonic() - begin
    written = sum(path.stat().st_size for path in folder.iterdir())
    return _comparable(folder), seconds, written


def kill_once(folder: Path, expected: list[dict[str, Any]], seconds: float, size: int, seed: int, tally: Tally) -> None:
    """A run killed one to three times, then resumed to its end. Raises Lost, or what reading raises."""
    chance = random.Random(seed)
    told: list[Entry] = []
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.5:
            told += _in_child(folder, lambda: None, kill_after=chance.uniform(0, seconds))
        else:
            limit = chance.randrange(size)
            told += _in_child(folder, lambda limit=limit: _die_after(limit))  # type: ignore[misc]
        tally.kills += 1
        _check(folder, told)
    told += _in_child(folder, lambda: None)
    _check(folder, told)
    tally.torn += any(path.suffix == ".torn" for path in folder.iterdir())
    tally.rounds += sum(len(entry) == 3 for entry in told)
    tally.rows += sum(len(entry) == 1 for entry in told)
    rows = _comparable(folder)
    if rows != expected:
        raise Lost(f"seed {seed}: the resumed run differs from an undisturbed one: {rows} instead of {expected}")


def fill_disk(folder: Path, limit: int) -> bool:
    """A run whose files may not grow beyond `limit` bytes, then one that may; whether the first came to its end."""
    told = _in_child(folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)), may_fail=True)
    finished = len(told) and (folder / "rows.jsonl").exists() and len(read_run(folder).rows) == len(PLAN.cases)
    check_ends(folder)
    told += _in_child(folder, lambda: None)
    _check(folder, told)
    return bool(finished)


def check_ends(folder: Path) -> None:
    """Lost where a file of lines ends within a line."""
    for path in folder.glob("*.jsonl"):
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            raise Lost(f"{path}: ends within a line")


def _comparable(folder: Path) -> list[dict[str, Any]]:
    run = read_run(folder)
    if run.problems:
        raise Lost(f"{folder}: {run.problems}")
    return [{name: value for name, value in row.items() if name not in COUNTED} for row in run.rows]


def _check(folder: Path, told: list[Entry]) -> None:
    """Everything that was said to be stored is there, once."""
    if not (folder / "manifest.json").exists():
        if told:
            raise Lost(f"{folder}: no manifest, but {len(told)} entries were stored")
        return
    rows = Counter((row["case"],) for row in read_run(folder).rows)
    rounds = Counter((s["case"], s["process"], s["round"]) for s in read_samples(folder)[0])
    for found in (rows, rounds):
        twice = [entry for entry, count in found.items() if count > 1]
        if twice:
            raise Lost(f"{folder}: stored twice: {twice}")
    lost = [entry for entry in told if entry not in rows and entry not in rounds]
    if lost:
        raise Lost(f"{folder}: lost: {lost}")


def _in_child(
    folder: Path, prepare: Callable[[], None], kill_after: float | None = None, may_fail: bool = False
) -> list[Entry]:
    """Measure in a forked process; what it said it had stored."""
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child runs no thread of ours
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(ours)
            Telling.pipe = theirs
            prepare()
            measure(folder)
            code = 0
        except (OSError, Unwritten):
            code = 3
        finally:
            os._exit(code)
    os.close(theirs)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(ours, "rb") as pipe:
        lines = pipe.read().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in (0, -signal.SIGKILL) and not (may_fail and code == 3):
        raise Lost(f"{folder}: the run ended with exit code {code}")
    return [tuple(entry) for line in lines for entry in json.loads(line)]


def _die_after(size: int) -> None:
    """From now on this process writes so many bytes to the run's files, then dies, in the middle of a line mostly."""
    real, left = os.write, size

    def write(descriptor: int, data: bytes) -> int:
        nonlocal left
        if descriptor == Telling.pipe:
            return real(descriptor, data)
        if len(data) > left:
            real(descriptor, data[:left])
            os.kill(os.getpid(), signal.SIGKILL)
        left -= len(data)
        return real(descriptor, data)

    store_module.os.write = write  # type: ignore[attr-defined]  # this process is a fork that ends soon

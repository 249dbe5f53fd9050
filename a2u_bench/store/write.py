"""Writing a run's folder: rows, samples, curves and a manifest, by one process at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from a2u_bench.columns import SCHEMA_VERSION, is_open
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.store.disk import append, set_aside_torn_end, sync_folder
from a2u_bench.store.lines import CURVES, FORMAT, MANIFEST, ROWS, SAMPLES
from a2u_bench.store.read import Run, each_curve, each_sample, newest_run, read_manifest, read_run, read_samples
from a2u_bench.store.rows import checked, last_words

__all__ = ["BusyError", "Run", "Store", "newest_run", "read_run", "read_samples"]

LOCK, DRAFT = ".lock", f"{MANIFEST}.tmp"
LINES = (ROWS, SAMPLES, CURVES)
OWN = (LOCK, DRAFT, MANIFEST, *LINES, *(f"{Path(name).stem}.torn" for name in LINES))
"""What is written in a run's folder. None may be a link: a stranger's run would have us write anywhere."""


class BusyError(BenchError):
    """Another process is writing to this run."""


class Store:
    """An open run folder. Use it in a `with` statement: it holds the folder's lock until `close`.

    `finished` holds the ids of cases with a row that is the last word on them (`record.is_open`); `rounds` the samples
    of the others and of the references, by case id; `last_process` the highest number of a process that has samples,
    -1 where none has; `rows` what was stored before; `problems` what could not be read or was set aside.
    """

    def __init__(self, folder: Path, lock: FileLock) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = {}
        self._rows: list[dict[str, Any]] = []
        self.finished: set[str] = set()
        self.rounds: dict[str, list[dict[str, Any]]] = {}
        self.last_process = -1
        self.problems: tuple[str, ...] = ()
        self._curves: set[tuple[str, str | None]] = set()  # case and origin of each
        self._lock = lock

    @classmethod
    def create(cls, folder: Path, manifest: Mapping[str, Any], wait: float = 0) -> Store:
        """A new run in `folder`. UsageError where something is in it, BusyError where another process writes to it."""
        return cls.open(folder, manifest, resume=False, wait=wait)

    @classmethod
    def open(cls, folder: Path, manifest: Mapping[str, Any], resume: bool = False, wait: float = 0) -> Store:
        """A new run or, with `resume`, the one that was begun in `folder`, whose own manifest then stays.

        `wait` is how many seconds to wait for another process that writes to it; -1 waits for ever. OSError (a full
        or read-only disk) propagates.
        """
        folder = Path(folder)
        refuse(folder, resume)  # before the lock, so that a foreign folder stays untouched
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            raise BusyError(
                f"{folder}: another process is writing to this run; wait for it or name another --out"
            ) from None
        try:
            refuse(folder, resume)
            store = cls(folder, lock)
            if (folder / MANIFEST).exists():
                store._take_up()
            else:
                created = datetime.now(timezone.utc).isoformat()
                store.write_manifest({"format": FORMAT, "version": SCHEMA_VERSION, "created": created, **manifest})
            return store
        except BaseException:
            lock.release()
            raise

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What is stored: of each case its last word."""
        return last_words(self._rows, self.manifest.get("reference"))

    def append_row(self, row: Mapping[str, Any]) -> None:
        """One row, on disk when this returns. ValueError for NaN and infinity; OSError where it cannot be written."""
        self.append_rows([row])

    def append_rows(self, rows: Sequence[Mapping[str, Any]], keep: bool = True) -> None:
        """Several rows, all of them on disk when this returns, or none; `keep` puts them into `rows` too."""
        self._append(ROWS, rows)
        if keep:
            self._rows += map(checked, rows)
        self.finished |= _finished(rows)

    def append_samples(self, samples: Iterable[Mapping[str, Any]]) -> None:
        """The samples of one round, on disk when this returns; each {"case", "process", "round", "latency": [s, …]}."""
        listed = list(samples)
        self._append(SAMPLES, listed)
        self.last_process = max([self.last_process, *(sample["process"] for sample in listed)])

    def append_curve(self, curve: Mapping[str, Any]) -> None:
        """What a training came to epoch by epoch, {"case", "loss": […], …}, on disk when this returns.

        One that is there, of a training that was ended before its row was written, is not written again.
        """
        key = _curve_key(curve)
        if key not in self._curves:
            self._append(CURVES, [curve])
            self._curves.add(key)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest by one that adds or changes these entries: whole or not at all."""
        content = {**self.manifest, **manifest}
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        draft = self.folder / DRAFT
        draft.unlink(missing_ok=True)
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / MANIFEST)
        sync_folder(self.folder)
        self.manifest = content

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
        append(self.folder / name, lines)

    def _take_up(self) -> None:
        """What an earlier process left: torn ends are set aside, then rows and samples are read."""
        torn = [set_aside_torn_end(self.folder / name) for name in LINES]
        if (self.folder / ROWS).exists() and (self.folder / ROWS).stat().st_size:
            run = read_run(self.folder)
        else:
            run = Run(self.folder, read_run(self.folder).manifest, (), ())
        problems: list[str] = []
        self.manifest, self._rows = dict(run.manifest), list(run.rows)
        self.finished = _finished(run.rows)
        reference = self.manifest.get("reference")
        beside = {row["case"] for row in run.rows if row["options"] == reference}  # cases to come are paired with it
        for sample in each_sample(self.folder, problems):
            self.last_process = max(self.last_process, sample["process"])
            if sample["case"] not in self.finished - beside:
                self.rounds.setdefault(sample["case"], []).append(sample)
        self._curves = {_curve_key(curve) for curve in each_curve(self.folder)}
        self.problems = (*(text for text in torn if text), *run.problems, *problems)
        if self.manifest["version"] != SCHEMA_VERSION:
            self.write_manifest({"version": SCHEMA_VERSION})  # lines of today follow: an older program must not read on


def new_folder(root: Path, suite: str, now: datetime) -> Path:
    """A folder under `root` that does not exist yet, named after the moment and the suite."""
    label = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(suite).stem)[:40]
    name = f"{now:%Y%m%d-%H%M%S}-{label or 'run'}"
    folder, number = root / name, 1
    while folder.exists():
        number += 1
        folder = root / f"{name}-{number}"
    return folder


def _finished(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The cases of these rows that need not be taken up again."""
    return {row["case"] for row in rows if not is_open(row.get("status"), row.get("stopped"))}


def _curve_key(curve: Mapping[str, Any]) -> tuple[str, str | None]:
    origin = curve.get("origin")
    return curve["case"], origin if isinstance(origin, str) else None


def refuse(folder: Path, resume: bool) -> None:
    """UsageError for a folder that is not ours to write to."""
    if "\0" in str(folder):
        raise UsageError(f"--out {str(folder)!r}: a name cannot hold a NUL; allowed: a new or empty folder")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder}: is a file; allowed: a new or empty folder")
    inside = {entry.name for entry in folder.iterdir()} - {LOCK, DRAFT} if folder.exists() else set()
    linked = sorted(name for name in OWN if (folder / name).is_symlink())
    if linked:
        raise UsageError(f"--out {folder}: {linked[0]} in it is a link; allowed: a run whose files are its own")
    if inside and not resume:
        raise UsageError(f"--out {folder}: not empty; add --resume to go on with the run in it, or name a new folder")
    if inside and MANIFEST not in inside:
        raise UsageError(f"--out {folder}: not empty and not a run (no {MANIFEST}), so there is nothing to resume")
    if inside and not read_manifest(folder)[0]:
        raise UsageError(f"--out {folder}: its {MANIFEST} cannot be read, so there is nothing to resume")

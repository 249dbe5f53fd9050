"""Merging: the results of several runs, perhaps of several machines, in one run in which each row says its origin.

A case that several runs measured stays several rows, and its samples stay apart: nothing is averaged.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from a2u_bench.errors import UsageError
from a2u_bench.machine.differences import differences
from a2u_bench.store.completeness import lacks
from a2u_bench.store.read import Run, each_curve, each_sample, read_run
from a2u_bench.store.write import LOCK, Store

HELD = 1000
"""Lines that are written at once."""


@dataclass(frozen=True)
class Merged:
    """What came together: rows by origin, on what the runs differ, and what could not be read."""

    rows: Mapping[str, int]
    differences: tuple[str, ...]
    problems: tuple[str, ...]


def merge(folders: Sequence[Path], out: Path) -> Merged:
    """Write the runs in `folders` as one new run to `out`, whole or not at all.

    UsageError where a folder is no run, is named twice, or holds other data under the same name as another's, and
    where something is at `out`.
    """
    _refuse(folders, out)
    runs = dict(zip(_names(folders), map(read_run, folders), strict=True))
    _refuse_other_data(runs)
    manifests = {name: run.manifest for name, run in runs.items()}
    differ = tuple(differences(list(manifests.values())) + _other_settings(manifests))
    suites = {str(manifest.get("suite")) for manifest in manifests.values()}
    manifest = {
        "suite": suites.pop() if len(suites) == 1 else "merged",
        "planned": sum(m["planned"] for m in manifests.values() if type(m.get("planned")) is int),
        "origins": manifests,
        "differences": list(differ),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.parent / f".merging-{os.getpid()}"
    problems: list[str] = []
    try:
        with Store.create(draft, manifest) as store:
            for name, run in runs.items():
                problems += (f"{run.path}: {problem}" for problem in (*run.problems, *lacks(run)))
                _copy(run, name, store, problems)
        (draft / LOCK).unlink(missing_ok=True)
        draft.replace(out)  # an empty folder at `out` gives way
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Merged({name: len(run.rows) for name, run in runs.items()}, differ, tuple(problems))


def _copy(run: Run, name: str, store: Store, problems: list[str]) -> None:
    said: list[str] = []
    for samples in in_turn(each_sample(run.path, said)):
        store.append_samples({**sample, "origin": _origin(name, sample.get("origin"))} for sample in samples)
    for rows in in_turn(run.rows):
        store.append_rows([{**row, "origin": _origin(name, row["origin"])} for row in rows], keep=False)
    for curve in each_curve(run.path):
        store.append_curve({**curve, "origin": _origin(name, curve.get("origin"))})
    problems += (f"{run.path}: {problem}" for problem in said)


def in_turn(lines: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """All lines, so many at once."""
    waiting = iter(lines)
    while some := list(islice(waiting, HELD)):
        yield some


def _origin(name: str, earlier: object) -> str:
    """The run that a line is from; of one that was merged before, with the way it took."""
    return f"{name}/{earlier}" if isinstance(earlier, str) and earlier else name


def _names(folders: Sequence[Path]) -> list[str]:
    """A name for each run: its folder's; with a number where several folders are named alike."""
    names: list[str] = []
    for folder in folders:
        name = own = folder.resolve().name
        number = 1
        while name in names:
            number += 1
            name = f"{own}-{number}"
        names.append(name)
    return names


def _refuse(folders: Sequence[Path], out: Path) -> None:
    if len(folders) < 2:
        raise UsageError(f"merge needs at least two runs; given: {', '.join(map(str, folders)) or 'none'}")
    places = [folder.resolve() for folder in folders if "\0" not in str(folder)]
    twice = [str(folder) for folder, place in zip(folders, places, strict=False) if places.count(place) > 1]
    if twice:
        raise UsageError(f"{twice[0]}: is named twice; allowed: each run once")
    if "\0" in str(out) or (out.exists() and not out.is_dir()) or (out.is_dir() and any(out.iterdir())):
        raise UsageError(f"--out {str(out)!r}: something is there; allowed: a new or empty folder")


def _refuse_other_data(runs: Mapping[str, Run]) -> None:
    """A row says the name of its data alone: under one name there must be one set of data."""
    known: dict[str, tuple[str, Any]] = {}
    for origin, run in runs.items():
        data = run.manifest.get("data")
        if isinstance(data, Mapping) and isinstance(data.get("name"), str):
            first, content = known.setdefault(data["name"], (origin, data.get("sha256")))
            if content != data.get("sha256"):
                raise UsageError(
                    f"{first} and {origin} have different data under the name {data['name']!r} (their checksums "
                    "differ); allowed: runs on the same data"
                )


def _other_settings(manifests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One text for each setting on which the runs disagree, and one where their code does."""
    facts: dict[str, list[str]] = {}
    for manifest in manifests.values():
        settings, machine = manifest.get("settings"), manifest.get("machine")
        own = dict(settings) if isinstance(settings, Mapping) else {}
        own["git_commit"] = machine.get("git_commit") if isinstance(machine, Mapping) else None
        for name in own.keys() | facts.keys():
            facts.setdefault(name, []).append(str(own.get(name, "unknown")))
    return [
        f"{name}: {' / '.join(dict.fromkeys(values))}" for name, values in sorted(facts.items()) if len(set(values)) > 1
    ]

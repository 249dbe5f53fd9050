"""The paces that a machine has shown: in a run, and in the runs of the same machine that lie beside it.

A pace is the time of a small convolution (`measure/pace.py`) in one process, in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from a2u_bench.errors import UsageError
from a2u_bench.machines import hardware_differences
from a2u_bench.runs import MANIFEST, read_manifest

SHARE = 0.80
"""The middle part of the known paces within which a repeated run is expected. One process meets it in 8 of 10 cases;
the median of six that have nothing to do with each other would in 97 of 100 at least. Those of a run have: a pace lasts
for seconds or minutes, and often a whole run has the same."""

MOST_RUNS = 20
"""So many of the newest runs that lie beside a run are looked at."""

FARTHEST = 4.0
"""A pace that is so many times another is none: a thread waited for a core, which samples show of themselves. The host
that this was tried on slowed its guest down 2.2 times at most."""

QUICKEST, SLOWEST = 1e-9, 1e3
"""Seconds between which a pace lies that some machine could have."""

Place = tuple[str, int]
"""A device and a number of threads."""


def beside(folder: Path, machine: Any) -> dict[str, list[dict[str, Any]]]:
    """The paces that other runs of this machine took down, by the names of their folders, which lie where this one is.

    Those that cannot be read, and those of another machine, are left out.
    """
    others = [path for path in folder.parent.glob(f"*/{MANIFEST}") if path.parent.name != folder.name]
    found = {}
    for path in sorted(others, key=_age)[:MOST_RUNS]:
        with suppress(UsageError):
            manifest, _ = read_manifest(path.parent)
            entries = _whole(manifest.get("paces"))
            if entries and _is_of(machine, manifest):
                found[path.parent.name] = entries
    return found


def by_place(entries: Sequence[Mapping[str, Any]]) -> dict[Place, list[float]]:
    """The same paces by device and number of threads."""
    found: dict[Place, list[float]] = {}
    for entry in entries:
        found.setdefault((entry["device"], entry["threads"]), []).extend(entry["seconds"])
    return found


def middle(known: Sequence[float], own: float) -> tuple[float, float]:
    """The ends of the middle part, SHARE, of the paces that are no farther from this one than FARTHEST; its own where
    there is none."""
    near = [pace for pace in known if own / FARTHEST <= pace <= own * FARTHEST]
    tail = (1 - SHARE) / 2
    low, high = (float(end) for end in np.quantile(near or [own], (tail, 1 - tail)))
    return low, high


def strayed(manifest: Mapping[str, Any]) -> dict[Place, float]:
    """How many times the quickest pace the slowest was, of the middle part of what a run knows, by place."""
    others = manifest.get("beside")
    entries = _whole(manifest.get("paces"))
    own = {place: median(paces) for place, paces in by_place(entries).items() if paces}
    for found in others.values() if isinstance(others, dict) else ():
        entries += _whole(found)
    known = by_place(entries)
    ends = {place: middle(known[place], pace) for place, pace in own.items()}
    return {place: high / low for place, (low, high) in ends.items()}


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return math.inf


def _is_of(machine: Any, manifest: Mapping[str, Any]) -> bool:
    other = manifest.get("machine")
    if not (isinstance(machine, dict) and isinstance(other, dict)) or machine.get("host") != other.get("host"):
        return False
    return not hardware_differences([{"machine": machine}, {"machine": other}])


def _whole(entries: Any) -> list[dict[str, Any]]:
    """What is an entry of a manifest's paces: files come from strangers."""
    return [entry for entry in entries if _is_whole(entry)] if isinstance(entries, list) else []


def _is_whole(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("device"), str)
        and type(entry.get("threads")) is int
        and isinstance(entry.get("seconds"), list)
        and all(type(seconds) is float and QUICKEST < seconds < SLOWEST for seconds in entry["seconds"])
    )

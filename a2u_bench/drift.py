"""How far the machine's pace strays: from process to process of a run, and among the runs that lie beside it.

An interval made of one case's samples cannot know of a host that is slower for a minute. The pace that every run takes
down between its rounds can: a repeated run may meet any pace that this machine has shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from a2u_bench.errors import UsageError
from a2u_bench.machines import hardware_differences
from a2u_bench.measure.intervals import Estimate
from a2u_bench.runs import MANIFEST, read_manifest

SHARE = 0.80
"""The middle part of the known paces within which a repeated run is expected. One process meets it in 8 of 10 cases;
the median of six that have nothing to do with each other would in 97 of 100 at least. Those of a run have: a pace lasts
for seconds or minutes, and often a whole run has the same."""

MOST_RUNS = 20
"""So many of the newest runs that lie beside a run are looked at."""

Place = tuple[str, int]
"""A device and a number of threads."""


@dataclass(frozen=True)
class Drift:
    """What the pace may come to in a repeated run, as factors of what it was: low ≤ 1 ≤ high."""

    low: float = 1.0
    high: float = 1.0

    def widen(self, estimate: Estimate) -> Estimate:
        """The interval of a run repeated at any of these paces: what samples say at each of them, taken together."""
        return replace(estimate, low=estimate.low * self.low, high=estimate.high * self.high)


NONE = Drift()


def drift(own: float | None, known: Sequence[float]) -> Drift:
    """From the pace while a case was timed, and those of all processes that this machine has shown, in seconds."""
    if not own or not known:
        return NONE
    tail = (1 - SHARE) / 2
    low, high = (float(end) for end in np.quantile(known, (tail, 1 - tail)))
    return Drift(min(1.0, low / own), max(1.0, high / own))


def beside(folder: Path, machine: Any) -> dict[str, list[dict[str, Any]]]:
    """The paces that other runs of this machine took down, by the names of their folders, which lie where this one is.

    Those that cannot be read, and those of another machine, are left out.
    """
    others = [path for path in folder.parent.glob(f"*/{MANIFEST}") if path.parent.name != folder.name]
    found = {}
    for path in sorted(others, key=_age)[:MOST_RUNS]:
        with suppress(UsageError):
            manifest, _ = read_manifest(path.parent)
            entries = [entry for entry in _listed(manifest.get("paces")) if _is_whole(entry)]
            if entries and _is_of(machine, manifest):
                found[path.parent.name] = entries
    return found


def by_place(entries: Sequence[Mapping[str, Any]]) -> dict[Place, list[float]]:
    """The same paces by device and number of threads."""
    found: dict[Place, list[float]] = {}
    for entry in entries:
        found.setdefault((entry["device"], entry["threads"]), []).extend(entry["seconds"])
    return found


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


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_whole(entry: Any) -> bool:
    """Files come from strangers."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("device"), str)
        and type(entry.get("threads")) is int
        and isinstance(entry.get("seconds"), list)
        and all(type(seconds) is float and 0 < seconds < math.inf for seconds in entry["seconds"])
    )

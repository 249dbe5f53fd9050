"""The plan: which cases will be measured, which cannot be, and how long and how closely to measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from a2u_bench.spec import Case

BLOCK = 8
"""Cases that interleave: more would not fit in memory together, fewer would see other moments of the machine."""


@dataclass(frozen=True)
class Settings:
    """How long and how closely to measure. Times in seconds."""

    time_budget: float = 80.0  # of the whole run, process starts included; twice that ends it whatever is left undone
    processes: int = 6  # fresh ones for each block; more where time is left, three if possible where it is not
    warm_up: float = 0.05  # of each case in each process
    target_ci: float = (
        0.02  # a case is measured closely enough when half its interval is below this share of its median
    )
    timeout: float = 60.0  # of one step of one case: building, checking, or one round
    min_rounds: int = 2  # of each process, whatever the budget: one there and one back
    max_rounds: int = 50  # of each process
    block: int = BLOCK  # cases that interleave
    memory_limit: int | None = None  # bytes that a case may need; what is free on its device where None
    seed: int = 0


@dataclass(frozen=True)
class Skipped:
    """A case that will not be measured, and why: impossible (`skipped`), or an operator that is broken (`failed`)."""

    case: Case
    reason: str
    status: str = "skipped"


@dataclass(frozen=True)
class Site:
    """One shape B×C×H×W of z at which a suite upsamples, and at how many places its network does so."""

    shape: tuple[int, int, int, int]
    count: int = 1
    ops: tuple[str, ...] = ()  # what is measured there where no operators are asked for; all where empty


@dataclass(frozen=True)
class Plan:
    """Everything `run` needs: cases in the order of the table, those known to be impossible, and the settings."""

    suite: str
    cases: tuple[Case, ...]
    skipped: tuple[Skipped, ...] = ()
    settings: Settings = field(default_factory=Settings)
    sites: tuple[Site, ...] = ()

    def to_manifest(self) -> dict[str, object]:
        """The plan as plain data for the manifest of a run."""
        return {
            "suite": self.suite,
            "sites": [{"shape": list(site.shape), "count": site.count} for site in self.sites],
            "settings": asdict(self.settings),
            "interval": "of repeated runs, at any pace that the machine has shown",
            "allocation": "each timed call allocates its output",
            "planned": len(self.cases) + len(self.skipped),
        }

    def going_on(self, manifest: Mapping[str, Any], stored: Set[str], finished: Set[str]) -> dict[str, object]:
        """What changes in the manifest of a run that goes on with this plan: how many cases it has, and its settings.

        `stored` are the cases that have a row, `finished` those of them that need no other. Settings under which rows
        were measured are kept in `earlier_settings`.
        """
        changed: dict[str, object] = {}
        asked = {*stored, *(case.id for case in self.cases), *(one.case.id for one in self.skipped)}
        known = manifest.get("planned")
        if type(known) is int and len(asked) > known:  # asked for more when it went on: it has not ended yet
            changed["planned"] = len(asked)
        settings, before = asdict(self.settings), manifest.get("settings")
        if before != settings and any(case.id not in finished for case in self.cases):
            earlier = manifest.get("earlier_settings")
            kept = [*(earlier if isinstance(earlier, list) else ()), *([before] if before else ())]
            changed |= {"settings": settings, "earlier_settings": kept}
        return changed


def blocks(cases: Sequence[Case], size: int = BLOCK) -> Iterator[tuple[Case, ...]]:
    """Cases that are measured together: neighbours in the plan with the same device, threads and allocator."""
    for _, group in groupby(cases, key=lambda case: (case.device, case.threads, case.runtime, case.allocator)):
        members = list(group)
        count = -(-len(members) // size)
        for index in range(count):
            start, stop = index * len(members) // count, (index + 1) * len(members) // count
            yield tuple(members[start:stop])

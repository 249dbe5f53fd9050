"""The instrument measured by itself: costs that are known, cases against themselves, and a slow-down put in on purpose.

*Known*: operators of known work, memory and duration come back right. *A/A*: every operator against itself, in real
processes by the real clock; whatever is called a difference is a false alarm. *A/B*: operators against themselves made
5 % slower; the verdict is *slower* or *inconclusive* and never another. Half of both are compared in the same
processes, where 5 % must be found, half through the reference of two blocks, where what is found is reported.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from a2u_bench.audit.calibration.alarms import SLOWER, Criterion, alike_findings, slowed_findings
from a2u_bench.audit.calibration.known import known_cases, known_findings
from a2u_bench.audit.calibration.pairs import BLOCK, ABComparison, compare, order, replicas
from a2u_bench.case import Case
from a2u_bench.run import runner
from a2u_bench.run.processes import Workers
from a2u_bench.run.progress import Listener, Silence
from a2u_bench.suites.plan import Plan, Reference, Settings

REFERENCE = Reference("bilinear", "default", "bilinear")

Listen = Callable[[str, int], Listener]
"""Gives whoever watches a stage: its title and how many cases it has."""


@dataclass(frozen=True)
class Size:
    """How many comparisons, and for how long; times in seconds. A slow-down has the time that it has in a default run
    of all operators, some five seconds."""

    alike: int
    slowed: int
    known: Settings
    alike_settings: Settings
    slowed_settings: Settings


def _settings(time_budget: float, processes: int, rounds: int, most: int, warm_up: float) -> Settings:
    return Settings(
        time_budget=time_budget,
        processes=processes,
        warm_up=warm_up,
        target_ci=0.02,
        min_rounds=rounds,
        max_rounds=most,
        block=BLOCK,
    )


FULL = Size(208, 32, _settings(20, 3, 10, 20, 0.02), _settings(120, 4, 10, 10, 0.005), _settings(110, 6, 16, 40, 0.01))
QUICK = Size(64, 32, _settings(15, 3, 10, 10, 0.02), _settings(55, 4, 10, 10, 0.005), _settings(85, 6, 16, 40, 0.01))


@dataclass(frozen=True)
class Certificate:
    """All that was found. `seconds`: how long it took."""

    findings: tuple[Criterion, ...]
    alike: tuple[ABComparison, ...]
    slowed: tuple[ABComparison, ...]
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether everything holds."""
        return all(finding.holds for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain data; an end of an interval that is unknown is None."""
        return {
            "holds": self.holds,
            "seconds": round(self.seconds, 1),
            "findings": [vars(finding) for finding in self.findings],
            "alike": [_plain(comparison) for comparison in self.alike],
            "slowed": [_plain(comparison) for comparison in self.slowed],
        }


def certify(
    size: Size,
    listen: Listen = lambda title, cases: Silence(),
    *,
    workers: Workers | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Certificate:
    """Measure everything and judge it. Uses the CPU and one thread."""
    begin = clock()

    def measure(title: str, cases: Sequence[Case], settings: Settings, examine: bool) -> tuple[list[Any], _Kept]:
        kept = _Kept()
        beside = () if examine else (REFERENCE.beside(cases[0]),)
        plan = Plan("certificate", (*cases, *beside), (), settings, reference=None if examine else REFERENCE)
        rows = runner.run(plan, kept, listen(title, len(cases)), workers=workers, clock=clock, examine=examine)  # type: ignore[arg-type]  # a store in memory
        return rows, kept

    known = known_cases()
    rows, _ = measure("known costs", list(known), size.known, examine=True)
    findings = known_findings(known, rows)
    compared = []
    for title, count, percent, settings in (
        ("A/A: cases against themselves", size.alike, 0, size.alike_settings),
        (f"A/B: {SLOWER} % slower", size.slowed, SLOWER, size.slowed_settings),
    ):
        pairs = replicas(count, percent)
        cases = order(pairs)
        _, kept = measure(title, cases, settings, examine=False)
        compared.append(compare(pairs, kept.samples, REFERENCE.beside(cases[0])))
    alike, slowed = compared
    findings += [*alike_findings(alike, size.alike), *slowed_findings(slowed, size.slowed)]
    return Certificate(tuple(findings), tuple(alike), tuple(slowed), clock() - begin)


@dataclass
class _Kept:
    """A store in memory."""

    finished: set[str] = field(default_factory=set)
    rounds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    last_process: int = -1

    def append_samples(self, samples: Iterable[Mapping[str, Any]]) -> None:
        self.samples += [dict(sample) for sample in samples]

    def append_row(self, row: Mapping[str, Any]) -> None:
        self.finished.add(row["case"])

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        self.manifest |= manifest


def _plain(comparison: ABComparison) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in vars(comparison).items()
    }

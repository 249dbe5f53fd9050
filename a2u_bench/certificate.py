"""The instrument measured by itself: costs that are known, cases against themselves, and a slow-down put in on purpose.

*Known*: operators of known work, memory and duration come back right. *A/A*: every operator against itself, in real
processes by the real clock; whatever is called a difference is a false alarm. *A/B*: operators against
themselves made 5 % slower, in the same processes; the verdict must be *slower*, may be *inconclusive* and is never
another.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from a2u_bench import build, ratios, runner
from a2u_bench.judge import LEVEL, verdicts
from a2u_bench.listener import Listener, Silence
from a2u_bench.plan import Plan, Settings
from a2u_bench.pool import Workers
from a2u_bench.ratios import Ratios
from a2u_bench.spec import Case

SLOWER = 5  # per cent
FOUND = 0.9  # of the slow-downs, at least
BLOCK = 16
SIDE, CHANNELS = 16, 16
DURATIONS = (100, 500)  # microseconds: short, because a busy machine takes a longer call apart
LONGER = 0.02  # the share by which a known duration may be exceeded: the call around it takes some microseconds
KIBIBYTES = 3000

Listen = Callable[[str, int], Listener]
"""Gives whoever watches a stage: its title and how many cases it has."""


@dataclass(frozen=True)
class Size:
    """How many comparisons, and for how long; times in seconds. A slow-down has the time that it has in a default run
    of all fourteen operators, some five seconds."""

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


FULL = Size(208, 24, _settings(30, 3, 10, 20, 0.02), _settings(120, 4, 10, 10, 0.005), _settings(130, 6, 16, 40, 0.01))
QUICK = Size(64, 16, _settings(20, 3, 10, 10, 0.02), _settings(40, 4, 10, 10, 0.005), _settings(60, 6, 16, 40, 0.01))


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: what was demanded, what was found, and whether that will do."""

    name: str
    demanded: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Comparison:
    """A case over the case that it is compared with."""

    operator: str
    same_process: bool
    ratio: float
    low: float
    high: float
    probability: float
    verdict: str


@dataclass(frozen=True)
class Certificate:
    """All that was found. `seconds`: how long it took."""

    findings: tuple[Finding, ...]
    alike: tuple[Comparison, ...]
    slowed: tuple[Comparison, ...]
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
        plan = Plan("certificate", tuple(cases), (), settings)
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
        cases = order(pairs) if not percent else [case for pair in pairs for case in pair]
        _, kept = measure(title, cases, settings, examine=False)
        compared.append(compare(pairs, kept.samples))
    alike, slowed = compared
    findings += [*alike_findings(alike, size.alike), *slowed_findings(slowed, size.slowed)]
    return Certificate(tuple(findings), tuple(alike), tuple(slowed), clock() - begin)


def known_cases() -> dict[Case, dict[str, tuple[float, float]]]:
    """Synthetic cases, and between what bounds each of their measures must lie."""
    points = (2 * SIDE) ** 2
    output = CHANNELS * points * 4
    nearest = float(CHANNELS * points)
    work = (1 + CHANNELS) * nearest
    found = {
        _synthetic("Working"): {
            "params": (CHANNELS**2, CHANNELS**2),
            **dict.fromkeys(("macs", "macs_fvcore", "macs_torch"), (work, work)),
        },
        _synthetic(f"Holding:kibibytes={KIBIBYTES}"): {
            "params": (0, 0),
            "macs": (nearest, nearest),
            "output_memory": (output, output),
            "workspace_memory": (1024 * KIBIBYTES, 1024 * KIBIBYTES),
            "peak_memory": (output + 1024 * KIBIBYTES, output + 1024 * KIBIBYTES),
        },
    }
    for duration in DURATIONS:
        seconds = duration * 1e-6
        found[_synthetic(f"Lasting:microseconds={duration}")] = {"latency": (seconds, (1 + LONGER) * seconds + 20e-6)}
    return {
        case: {name: (float(low), float(high)) for name, (low, high) in ends.items()} for case, ends in found.items()
    }


def known_findings(
    known: Mapping[Case, Mapping[str, tuple[float, float]]], rows: Iterable[Mapping[str, Any]]
) -> list[Finding]:
    """Whether each known cost came back right."""
    by_case = {row["case"]: row for row in rows}
    found = []
    for case, ends in known.items():
        row = by_case[case.id]
        title = case.options.rpartition("synthetic:")[2]
        for name, (low, high) in ends.items():
            value = row.get(name)
            demanded = f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
            said = (
                f"{value:.6g}" if value is not None else f"{row['status']}: {row['reason']}" if row["reason"] else "-"
            )
            found.append(Finding(f"{title} {name}", demanded, said, value is not None and low <= value <= high))
    return found


def replicas(count: int, percent: int) -> list[tuple[Case, Case]]:
    """So many pairs of an operator and its replica, slower by so much: every operator, then their variants, in turn."""
    counts = {name: len(build.facts(name).variants) for name in build.names()}
    subjects = [(name, index) for index in range(max(counts.values())) for name in counts if index < counts[name]]
    pairs = []
    for number in range(count):
        name, variant = subjects[number % len(subjects)]
        copy = 2 * (number // len(subjects))
        pairs.append((_replica(name, variant, 0, copy), _replica(name, variant, percent, copy + 1)))
    return pairs


def order(pairs: Sequence[tuple[Case, Case]]) -> list[Case]:
    """The cases of all pairs: for BLOCK pairs at a time, by turns, the two side by side or in blocks of their own."""
    found: list[Case] = []
    for start in range(0, len(pairs), BLOCK):
        some = pairs[start : start + BLOCK]
        apart = (start // BLOCK) % 2 == 1
        found += (
            [case for side in zip(*some, strict=True) for case in side] if apart else [c for pair in some for c in pair]
        )
    return found


def compare(pairs: Iterable[tuple[Case, Case]], samples: Iterable[Mapping[str, object]]) -> list[Comparison]:
    """The verdict on each pair that was measured, as if each were a table of its own."""
    by_case = ratios.gather(samples)
    found = []
    for first, second in pairs:
        if first.id in by_case and second.id in by_case:
            one, other = by_case[second.id], by_case[first.id]
            ratio = ratios.within_a_run(one, other)
            single = Ratios(*(np.atleast_1d(getattr(ratio, name)) for name in ("log", "error", "freedom")))
            low, high = (float(end[0]) for end in single.interval(1 - LEVEL))
            found.append(
                Comparison(
                    first.options.rpartition("synthetic:")[2],
                    bool(one.keys() & other.keys()),
                    float(single.value[0]),
                    low,
                    high,
                    float(single.probability[0]),
                    str(verdicts(single)[0]),
                )
            )
    return found


def alike_findings(alike: Sequence[Comparison], asked: int) -> list[Finding]:
    """False alarms: differences that were found sure, whatever their size."""
    found = [_enough("A/A", alike, asked)]
    if alike:
        alarms, count = _alarms(alike), len(alike)
        most = math.floor(count * (LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / count)))
        found.append(Finding("A/A false alarms", f"at most {most} of {count}", _share(alarms, count), alarms <= most))
    # Each further limit would be one more that a sound instrument exceeds by chance: the rest is reported.
    for name, same_process in (("of these, in one process", True), ("of these, in two blocks", False)):
        some = [one for one in alike if one.same_process is same_process]
        found.append(Finding(name, f"reported, of {len(some)}", _share(_alarms(some), len(some)), holds=True))
    corrected = ratios.holm([one.probability for one in alike])
    said = f"{int(sum(corrected <= LEVEL))} after Holm's correction over all"
    return [*found, Finding("A/A as one table", "reported", said, holds=True)]


def slowed_findings(slowed: Sequence[Comparison], asked: int) -> list[Finding]:
    """How many of the slow-downs were found, and that none was taken for anything else."""
    count, found = len(slowed), [one.verdict for one in slowed].count("slower")
    wrong = sorted({one.verdict for one in slowed} - {"slower", "inconclusive"})
    least = math.ceil(FOUND * count)
    return [
        _enough("A/B", slowed, asked),
        Finding(f"A/B {SLOWER} % found", f"at least {least} of {count}", _share(found, count), found >= least),
        Finding("A/B the rest", "inconclusive", ", ".join(wrong) or "inconclusive", not wrong),
    ]


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


def _synthetic(name: str) -> Case:
    asked = build.operator(f"a2u_bench.synthetic:{name}")
    return Case(asked.name, asked.variant, asked.text, 1, CHANNELS, SIDE, SIDE)


def _replica(of: str, variant: int, percent: int, copy: int) -> Case:
    return _synthetic(f"Replica:of={of},variant={variant},percent={percent},copy={copy}")


def _alarms(some: Sequence[Comparison]) -> int:
    return sum(one.probability <= LEVEL for one in some)


def _enough(name: str, some: Sequence[Comparison], asked: int) -> Finding:
    known = sum(math.isfinite(one.high) for one in some)
    return Finding(f"{name} comparisons", str(asked), str(known), known == asked)


def _share(part: int, whole: int) -> str:
    """`3 (1.4 %, 95 % surely between 0.3 % and 4.2 %)`, by Clopper and Pearson."""
    if not whole:
        return "0"
    ends = stats.binomtest(part, whole).proportion_ci(0.95, "exact")
    return f"{part} ({part / whole:.1%}; 95 % interval {ends.low:.1%} to {ends.high:.1%})"


def _plain(comparison: Comparison) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in vars(comparison).items()
    }

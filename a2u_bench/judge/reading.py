"""Runs are read once: every row in one frame, its intervals made from the samples, its ratio and its verdict filled.

Whatever shows results begins here, so that all say the same of a run, wherever it lies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench import stats
from a2u_bench.columns import RUN
from a2u_bench.judge import peers, timings, verdicts
from a2u_bench.judge.timings import Key, Timings
from a2u_bench.judge.verdicts import Rows
from a2u_bench.stats import Estimate
from a2u_bench.store import frames
from a2u_bench.store.frames import to_values
from a2u_bench.store.lines import SAMPLES
from a2u_bench.store.read import Run, each_sample

REFERENCE = "bilinear"
"""What a run is read against whose manifest names no reference operator."""

MOST_SAMPLES = 64 << 20
"""Bytes of raw samples that are read. Beyond, the intervals that stand in the rows must do."""


@dataclass(frozen=True)
class Reading:
    """What runs say. The index of the frame, and of every part of it, is the place of a row in the whole.

    `label`: which run a row is of. `place`: the number of its case in the timings, -1 where it has no samples.
    `base`: the row of the reference on its workload, -1 without one. `against`: the row that its ratio is to,
    of the `chosen` rows of `operators` (by run): the reference, which `named` runs name themselves, or a baseline.
    `stored`: the rows as they were written; `doubled`: those whose case stands several times in their run.
    """

    runs: Sequence[Run]
    frame: pd.DataFrame
    timings: Mapping[str, Timings]
    label: NDArray[np.object_]
    place: Rows
    base: Rows
    against: Rows
    chosen: NDArray[np.bool_]
    operators: Mapping[str, str]
    named: Collection[str]
    stored: pd.DataFrame
    doubled: NDArray[np.bool_]
    problems: Sequence[str]  # what was left out of the samples

    @property
    def manifests(self) -> dict[str, Mapping[str, Any]]:
        """The manifest of each run, and of each that was merged into one, by label."""
        return _manifests(self.runs)

    def ratios(self, name: str, rows: Rows, others: Rows) -> Estimate:
        """Of latencies of rows: paired where they shared processes, else by way of the reference; else unknown."""
        timed = self.timings.get(name)
        if timed is None:
            return Estimate(np.full(len(rows), np.nan), np.zeros(len(rows)), np.zeros(len(rows)))
        first, second = self.place[rows], self.place[others]
        found = timed.ratios(first, second)
        apart = np.isnan(found.log)
        base = np.where(apart & (self.base[rows] == self.base[others]), self.base[rows], -1)  # of one run and workload
        if (base >= 0).any():
            reference = np.where(base >= 0, self.place[base], -1)
            through = stats.change(timed.ratios(second, reference), timed.ratios(first, reference))
            found = verdicts.choose(apart, through, found)
        return found

    def strays(self) -> dict[str, tuple[str, float]]:
        """For each run its reference, and how far the reference's latency strays from process to process: half of the
        range that holds 95 of 100 of them, as a share. Nothing where no two processes timed it."""
        found: dict[str, tuple[str, float]] = {}
        timed = self.timings.get("latency")
        if timed is None:
            return found
        for label in dict.fromkeys(self.label):
            rows = np.unique(self.base[(self.label == label) & (self.base >= 0)])
            each = timed.latencies(self.place[rows])
            squares, freedom = (each.error**2 * (each.freedom + 1) * each.freedom).sum(), each.freedom.sum()
            if freedom > 0:
                name = str(self.frame["options"].iloc[rows[0]])
                found[label] = (name, float(np.expm1(1.96 * np.sqrt(squares / freedom))))
        return found


def read(runs: Sequence[Run], baseline: str | None = None) -> Reading:
    """The rows of the runs with their derived columns. UsageError for a baseline that is not there.

    `baseline`: an operator, or `peers`, each operator's own formula in plain PyTorch.
    """
    stored = frames.runs_to_frame(runs)
    label = np.array(to_values(stored[RUN]) if RUN in stored else [""] * len(stored), dtype=object)
    keys = list(zip(label, to_values(stored["case"].fillna("")), strict=True))
    doubled = stored.duplicated([*([RUN] if RUN in stored else []), "case"], keep=False).to_numpy()
    found, said = _timings(runs, {keys[row] for row in np.flatnonzero(doubled)})
    place = next((timed.place(keys) for timed in found.values()), np.full(len(stored), -1))
    frame = stored
    for name, timed in found.items():
        frame = frames.derive(_with_intervals(frame, name, timed, place))
    named = _named(runs)
    chosen = _is_reference(frame, label, named)
    base = verdicts.base_of(frame, chosen & frame["latency"].notna().to_numpy())
    against, word, operators = base, "reference", {one: named.get(one, REFERENCE) for one in label}
    if baseline is not None:
        each = baseline == peers.PEERS
        chosen = peers.is_peer(frame) if each else verdicts.named(frame, baseline)
        against = peers.base_of(frame) if each else verdicts.base_of(frame, chosen)
        word, operators = "baseline", dict.fromkeys(label, baseline)
    known = named if baseline is None else operators
    made = Reading(runs, frame, found, label, place, base, against, chosen, operators, known, stored, doubled, said)
    return replace(made, frame=verdicts.against(frame, against, word, made))


def size_of_samples(runs: Sequence[Run]) -> int:
    """Bytes of the raw samples of these runs, unread."""
    return sum((run.path / SAMPLES).stat().st_size for run in runs if (run.path / SAMPLES).is_file())


def _timings(runs: Sequence[Run], ambiguous: set[Key]) -> tuple[dict[str, Timings], list[str]]:
    """The timings of all cases but those, and what was left out."""
    if (size := size_of_samples(runs)) > MOST_SAMPLES:
        return {}, [f"{size >> 20} MiB of samples are too many to read here: intervals are those of the rows"]
    said: list[str] = []

    def each() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for label, run in frames.labelled(runs):
            problems: list[str] = []
            for sample in each_sample(run.path, problems):
                origin = sample.get("origin")
                name = label if origin is None else frames.label_of(label, origin)
                if (name, sample["case"]) not in ambiguous:
                    yield name, sample
            said.extend(f"{run.path}: {problem}" for problem in problems)

    return timings.gather(each()), said


def _with_intervals(frame: pd.DataFrame, name: str, timed: Timings, place: Rows) -> pd.DataFrame:
    """The frame with a latency and its interval as the samples say, where a row has both."""
    rows = np.flatnonzero((place >= 0) & frame[name].notna().to_numpy())
    each = timed.latencies(place[rows])
    rows, each = rows[~np.isnan(each.log)], each[~np.isnan(each.log)]
    low, high = each.interval()
    unknown = each.freedom == 0
    columns = {name: each.value, f"{name}_low": low, f"{name}_high": high}
    if name == "latency":
        columns["processes"] = each.freedom + 1
    made = {}
    for column, values in columns.items():
        made[column] = frame[column].copy()
        made[column].iloc[rows] = values
        if column.endswith(("_low", "_high")):
            made[column].iloc[rows[unknown]] = pd.NA
    return frame.assign(**made)


def _manifests(runs: Sequence[Run]) -> dict[str, Mapping[str, Any]]:
    waiting: list[tuple[str, Any]] = [(label, run.manifest) for label, run in frames.labelled(runs)]
    found: dict[str, Mapping[str, Any]] = {}
    for label, manifest in waiting:
        known = manifest if isinstance(manifest, Mapping) else {}
        origins = known.get("origins")
        if isinstance(origins, Mapping) and origins:
            waiting += [(frames.label_of(label, str(name)), inner) for name, inner in origins.items()]
        else:
            found[label] = known
    return found


def _named(runs: Sequence[Run]) -> dict[str, str]:
    """The reference operator that each run names, by label."""
    manifests = _manifests(runs).items()
    return {label: one["reference"] for label, one in manifests if isinstance(one.get("reference"), str)}


def _is_reference(frame: pd.DataFrame, label: NDArray[np.object_], named: Mapping[str, str]) -> NDArray[np.bool_]:
    """Which rows are of the operator that their run is read against."""
    wanted = np.array([named.get(one, REFERENCE) for one in label], dtype=object)
    return np.asarray(frame["options"].fillna("").to_numpy(dtype=object) == wanted, dtype=bool)

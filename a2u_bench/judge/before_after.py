"""Two runs, before and after: what changed in each case that both have, and whether significantly.

A latency is compared by its ratio to the reference operator, which the host's own change leaves alone: a machine that
is twice as slow the second time makes both twice as slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench import stats
from a2u_bench.columns import BY_NAME, RUN, SHAPE, VERDICT, is_axis
from a2u_bench.judge import verdicts
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.timings import MEASURES as TIMED
from a2u_bench.judge.verdicts import Rows
from a2u_bench.sanitize import some
from a2u_bench.stats import Estimate
from a2u_bench.store.frames import to_values

BEFORE, AFTER, CHANGE = "before", "after", "after/before"
FEWEST_TO_SUM_UP = 10
"""Ratios of which one can say what nine of ten do."""

COUNTED = ("params", "macs", "peak_memory", "saved_memory")
"""Measures without chance: shown where they changed."""


@dataclass(frozen=True)
class Matched:
    """Rows of two runs: those of the same case side by side, and those that only one of the runs has."""

    before: pd.DataFrame
    after: pd.DataFrame
    gone: pd.DataFrame
    new: pd.DataFrame

    def notes(self, runs: Sequence[str]) -> tuple[str, ...]:
        """What is not compared, and in which run it is."""
        return tuple(
            f"{len(part)} case{'s' if len(part) > 1 else ''} only in {run}, not compared: "
            f"{some(part['options'].fillna('unknown'))}"
            for run, part in zip(runs, (self.gone, self.new), strict=True)
            if len(part)
        )

    def nothing_common(self) -> str:
        """That no case is in both runs, and by which axis they differ throughout, if by one."""
        said = "the two runs have no case in common"
        for name in filter(is_axis, map(str, self.gone.columns)):
            values = [list(dict.fromkeys(part[name].dropna().astype(str))) for part in (self.gone, self.new)]
            if name not in (RUN, "variant") and all(values) and not {*values[0]} & {*values[1]}:
                return f"{said}: {name} is {some(values[0])} before and {some(values[1])} after"
        return said


@dataclass(frozen=True)
class Change:
    """One measure of the same cases in two runs: before, after, and after/before as a logarithm.

    `relative`: before and after are ratios to the reference, whose rows are `base` of the whole frame (-1: the case has
    none that both runs have, and its times are compared as they are); `own` are the reference's own rows.
    """

    name: str
    relative: bool
    before: Estimate
    after: Estimate
    found: Estimate
    own: NDArray[np.bool_]
    base: tuple[Rows, Rows]


def pair(frame: pd.DataFrame, runs: Sequence[str]) -> Matched:
    """The rows of the two runs that are of the same case, in the first one's order, and the others.

    A case that was measured several times is paired in the order of its rows.
    """
    parts = [frame[(frame[RUN] == run).fillna(False).astype(bool)] for run in runs]
    keys = [
        list(zip(to_values(part["case"]), part.groupby("case", sort=False).cumcount(), strict=True)) for part in parts
    ]
    places = [{key: place for place, key in enumerate(each)} for each in keys]
    common = [key for key in keys[0] if key in places[1]]
    both = [part.iloc[[place[key] for key in common]] for part, place in zip(parts, places, strict=True)]
    known = set(common)
    alone = [part[[key not in known for key in each]] for part, each in zip(parts, keys, strict=True)]
    return Matched(*both, *alone)


def between(pair: Matched, name: str, reading: Reading, absolute: bool = False) -> Change:
    """How a measure changed in each pair of rows. Latencies by their ratios to the reference, or `absolute`, or where
    the runs share no reference, as they are (Welch). A measure without an interval is what it is: its error is zero."""
    sides = [verdicts.estimates(part, name) for part in (pair.before, pair.after)]
    rows = [part.index.to_numpy() for part in (pair.before, pair.after)]
    base = np.full((2, len(rows[0])), -1)
    if name not in TIMED:
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(sides[1].log) - np.log(sides[0].log)
        log = np.where(sides[0].log == sides[1].log, 0.0, log)  # also where both are zero
        found = Estimate(log, np.zeros(len(log)), np.where(np.isnan(log), 0.0, np.inf))
    else:
        found = stats.change(*sides)
        if not absolute:
            base = _bases(rows, name, reading)
    own = base[0] == rows[0]
    beside = base[0] >= 0
    if beside.any():
        ratios = [_ratio(*both, name, reading) for both in zip(rows, base, strict=True)]
        sides = [verdicts.choose(beside, ratio, _nothing(len(own))) for ratio in ratios]
        found = verdicts.choose(beside, stats.change(*ratios), found)
    before, after = sides
    return Change(name, bool(beside.any()), before, after, found, own & beside, (base[0], base[1]))


def table(pair: Matched, change: Change) -> pd.DataFrame:
    """The axes, then `before`, `after` and `after/before` with their intervals, and the verdict on it."""
    before, after, name = pair.before.reset_index(drop=True), pair.after.reset_index(drop=True), change.name
    axes = [str(column) for column in before.columns if is_axis(str(column)) and column != RUN]
    made = before[["case", *axes, SHAPE]].copy()
    timed = name in TIMED
    for word, side in ((BEFORE, change.before), (AFTER, change.after)):
        made[word] = _float(np.exp(side.log) if timed else side.log)
        if timed:
            made[f"{word}_low"], made[f"{word}_high"] = map(_float, side.interval())
    finite = np.isfinite(change.found.log)  # nothing is a multiple of zero
    made[CHANGE] = _float(np.exp(np.where(finite, change.found.log, np.nan)))
    if timed:
        made[f"{CHANGE}_low"], made[f"{CHANGE}_high"] = map(_float, change.found.interval())
    made[VERDICT] = _verdicts(change, before, after)
    made["status"], made["reason"] = "ok", ""
    return made


def notes(change: Change, reading: Reading, absolute: bool) -> list[str]:
    """What became of the machine between the runs, and how well the ratios agree."""
    if change.name not in TIMED:
        return []
    if not change.relative:
        why = "" if absolute else "the runs share no reference operator: "
        return [f"{why}changes are of latencies, so that the machine's own change is in them"]
    loose = int((np.isfinite(change.found.log) & (change.base[0] < 0)).sum())
    said = [_host(change, reading)]
    if loose:
        which = "1 case has" if loose == 1 else f"{loose} cases have"
        said.append(
            f"{which} no reference in both runs: the machine's own change is in {'its' if loose == 1 else 'theirs'}"
        )
    known = (change.found.freedom > 0) & ~change.own
    if known.any():
        found = change.found[known]
        low, high = found.interval()
        within = int(((low <= 1) & (high >= 1)).sum())
        said.append(f"{within} of {len(low)} ratios changed by no more than their combined 95 % interval")
        if len(low) >= FEWEST_TO_SUM_UP:
            most = np.expm1(np.quantile(np.abs(found.log), 0.9))
            said[-1] += f"; nine of ten differ by at most {most:.1%}"
    return said


def changed(pair: Matched) -> list[str]:
    """The measures of COUNTED that are not the same in every case that has them in both."""
    after = pair.after.set_axis(pair.before.index)
    return [name for name in COUNTED if (pair.before[name] != after[name]).fillna(False).any()]


def shown(columns: Sequence[str], pair: Matched) -> list[str]:
    """Which measures to compare: those that were chosen, else the latency and what else changed."""
    chosen = [name for name in columns if name in BY_NAME and BY_NAME[name].role == "measure"]
    timed = any(part["latency"].notna().any() for part in (pair.before, pair.after))
    return chosen or [*(["latency"] if timed else []), *changed(pair)] or ["latency"]


def _bases(rows: Sequence[Rows], name: str, reading: Reading) -> NDArray[np.intp]:
    """For each pair of rows those of a reference that both runs timed on its workload, before and after; else -1."""
    frame, found = reading.frame, np.full((2, len(rows[0])), -1)
    timed = frame[name].notna().to_numpy()
    options = frame["options"].fillna("").to_numpy(dtype=object)
    for operator in dict.fromkeys(options[base] for side in rows for base in reading.base[side] if base >= 0):
        base = verdicts.base_of(frame, timed & (options == operator))
        both = np.stack([base[side] for side in rows])
        found = np.where((found[0] < 0) & (both >= 0).all(0), both, found)
    return found


def _ratio(rows: Rows, base: Rows, name: str, reading: Reading) -> Estimate:
    """Of each row to its reference; 1 of the reference itself."""
    found = verdicts.difference(reading.frame, name, rows, base, reading)
    none = np.zeros(len(rows))
    return verdicts.choose(rows == base, Estimate(none, none, none + np.inf), found)


def _host(change: Change, reading: Reading) -> str:
    """How the machine changed, as the references of all workloads say, which every ratio is free of."""
    both = np.unique(np.stack(change.base)[:, change.base[0] >= 0], axis=1)
    every = verdicts.estimates(reading.frame, change.name)
    each = stats.change(every[both[0]], every[both[1]])
    factor = float(np.exp(each.log.mean()))
    low, high = (
        each.interval() if len(each.log) == 1 else (each.value.min(keepdims=True), each.value.max(keepdims=True))
    )
    names = some(reading.frame["options"].iloc[both[0]], between=", ")
    ends = f", {low[0]:.2f} to {high[0]:.2f}" if np.isfinite(high[0]) else ""
    if low[0] <= 1 <= high[0] or abs(factor - 1) < verdicts.MARGIN:
        return f"by {names} the machine was as quick in both runs (after/before {factor:.2f}{ends})"
    times, word = (factor, "slower") if factor > 1 else (1 / factor, "quicker")
    return f"by {names} the machine was {times:.2f} times {word} after (after/before {factor:.2f}{ends}); taken out"


def _verdicts(change: Change, before: pd.DataFrame, after: pd.DataFrame) -> pd.Series:
    said = pd.Series(pd.NA, index=before.index, dtype="string")
    known = np.flatnonzero(~np.isnan(change.found.log) & ~change.own)
    found = change.found[known]
    if change.name.startswith("latency"):
        said.iloc[known] = verdicts.verdicts(found)
    else:
        said.iloc[known] = np.select([found.log == 0, found.log > 0], ["same", "more"], "less").astype(object)
    said[change.own] = "reference"
    ways = [part["status"].fillna("unknown") for part in (before, after)]
    for word, way in zip((BEFORE, AFTER), ways, strict=True):
        sick = np.asarray(way != "ok", dtype=bool)
        said[sick] = word + ": " + way[sick]
    alike = np.asarray((ways[0] == ways[1]) & (ways[0] != "ok"), dtype=bool)
    said[alike] = ways[0][alike]
    return said


def _nothing(count: int) -> Estimate:
    return Estimate(np.full(count, np.nan), np.zeros(count), np.zeros(count))


def _float(values: NDArray[np.float64]) -> pd.Series:
    """Numbers as a column, NA where they are not finite or, as an end of an interval, zero: nothing is known there."""
    return pd.Series(np.where(np.isfinite(values), values, np.nan)).astype("Float64")

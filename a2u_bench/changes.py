"""Two runs, before and after: what changed in each case that both have, and whether it surely did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from a2u_bench import judge, ratios
from a2u_bench.frames import RUN, is_axis
from a2u_bench.judge import VERDICT
from a2u_bench.ratios import Numbers, Ratios, Samples
from a2u_bench.record import BY_NAME

BEFORE, AFTER, CHANGE = "before", "after", "after/before"
TURN = "turn"
COUNTED = ("params", "macs", "peak_memory", "saved_memory")
"""Measures without chance: shown where they changed."""


@dataclass(frozen=True)
class Pair:
    """Rows of two runs: those of the same case side by side, and those that only one of the runs has."""

    before: pd.DataFrame
    after: pd.DataFrame
    gone: pd.DataFrame
    new: pd.DataFrame

    def notes(self, runs: Sequence[str]) -> tuple[str, ...]:
        """What is not compared, and in which run it is."""
        said = []
        for run, part in zip(runs, (self.gone, self.new), strict=True):
            names = list(dict.fromkeys(map(str, part["options"].fillna("unknown"))))
            if names:
                shown = "; ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
                said.append(f"{len(part)} case{'s' if len(part) > 1 else ''} only in {run}, not compared: {shown}")
        return tuple(said)


def pair(frame: pd.DataFrame, runs: Sequence[str]) -> Pair:
    """The rows of the two runs that are of the same case, in the first one's order, and the others.

    A case that was measured several times is paired in the order of its rows.
    """
    parts = []
    for run in runs:
        rows = frame[(frame[RUN] == run).fillna(False).astype(bool)]
        turn = rows.groupby("case", sort=False).cumcount()
        parts.append(rows.assign(**{TURN: turn}).set_index(["case", TURN]))
    common = parts[0].index.intersection(parts[1].index, sort=False)
    both = [part.loc[common] for part in parts]
    alone = [part.loc[part.index.difference(common, sort=False)] for part in parts]
    return Pair(*(part.reset_index().drop(columns=TURN) for part in (*both, *alone)))


def between(
    before: pd.DataFrame,
    after: pd.DataFrame,
    measure: str,
    samples: tuple[Mapping[str, Samples], Mapping[str, Samples]] | None = None,
) -> Ratios:
    """after / before of a measure for each pair of rows. No degree of freedom where its spread is not known.

    Latencies are judged by the `samples` of their cases where both runs have them, and by how far the machine's pace
    was another; else, as every measure with an interval, by the ends of it, which know of the pace. A measure without
    an interval is what it is: its error is zero.
    """
    values = [_numbers(part, measure) for part in (after, before)]
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(values[0]) - np.log(values[1])
    log = np.where(values[0] == values[1], 0.0, log)  # also where both are zero
    if f"{measure}_low" not in before:
        return Ratios(log, np.zeros(len(log)), np.where(np.isnan(log), 0.0, np.inf))
    found = ratios.from_intervals(_interval(after, measure), _interval(before, measure), _freedom(before, after))
    if not samples or measure != "latency":
        return found
    strayed = _strayed(before, after)
    table = [np.array(part) for part in (found.log, found.error, found.freedom)]
    for index, case in enumerate(before["case"]):
        one, other = samples[1].get(case), samples[0].get(case)
        if one and other:
            exact = ratios.between_runs(one, other)
            error = np.hypot(exact.error, strayed[index])
            for column, value in zip(table, (exact.log, error, exact.freedom), strict=True):
                column[index] = float(value)
    return Ratios(*table)


def table(
    before: pd.DataFrame,
    after: pd.DataFrame,
    measure: str,
    samples: tuple[Mapping[str, Samples], Mapping[str, Samples]] | None = None,
) -> pd.DataFrame:
    """The axes, then `before` and `after` with their intervals, `after/before`, and the verdict on it."""
    axes = [str(name) for name in before.columns if is_axis(str(name)) and name != RUN]
    found = between(before, after, measure, samples)
    made = before[["case", *axes]].copy()
    for word, part in ((BEFORE, before), (AFTER, after)):
        made[word] = part[measure]
        for end in ("low", "high"):
            if f"{measure}_{end}" in part:
                made[f"{word}_{end}"] = part[f"{measure}_{end}"]
    known = ~np.isnan(found.log)
    finite = np.isfinite(found.log)  # nothing is a multiple of zero
    made[CHANGE] = pd.Series(np.where(finite, np.exp(np.where(finite, found.log, 0.0)), 0.0)).astype("Float64")
    made.loc[~finite, CHANGE] = pd.NA
    said = pd.Series(pd.NA, index=made.index, dtype="string")
    chosen = Ratios(found.log[known], found.error[known], found.freedom[known])
    if measure.startswith("latency"):
        words = judge.verdicts(chosen)
    else:
        words = np.select([chosen.log == 0, chosen.log > 0], ["same", "more"], "less").astype(object)
    said[known] = words
    ways = [part["status"].fillna("unknown") for part in (before, after)]
    for word, way in zip((BEFORE, AFTER), ways, strict=True):
        sick = np.asarray(way != "ok", dtype=bool)
        said[sick] = word + ": " + way[sick]
    alike = np.asarray((ways[0] == ways[1]) & (ways[0] != "ok"), dtype=bool)
    said[alike] = ways[0][alike]
    made[VERDICT], made["status"], made["reason"] = said, "ok", ""
    return made


def changed(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """The measures of COUNTED that are not the same in every case that has them in both."""
    found = []
    for name in COUNTED:
        differs = (before[name] != after[name]).fillna(False)
        if differs.any():
            found.append(name)
    return found


def agreement(before: pd.DataFrame, after: pd.DataFrame, measure: str = "latency") -> str:
    """How many cases have each median within the other run's interval, in words; "" where none has intervals in both.

    Of two runs of the same thing on the same machine it says how far to trust an interval from one day to the next.
    """
    one, other = (_interval(part, measure) for part in (before, after))
    known = ~np.isnan(np.array([*one, *other])).any(axis=0)
    within = (one[1] <= other[0]) & (other[0] <= one[2]) & (other[1] <= one[0]) & (one[0] <= other[2])
    count = int(known.sum())
    if not count:
        return ""
    agree = int((within & known).sum())
    return f"each {measure} lies within the other run's interval: {agree} of {count} cases ({agree / count:.0%})"


def shown(columns: Sequence[str], before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Which measures to compare: those that were chosen, else the latency and what else changed."""
    chosen = [name for name in columns if name in BY_NAME and BY_NAME[name].role == "measure"]
    latency = ["latency"] if (before["latency"].notna() | after["latency"].notna()).any() else []
    return chosen or [*latency, *changed(before, after)] or ["latency"]


def _interval(frame: pd.DataFrame, measure: str) -> tuple[Numbers, Numbers, Numbers]:
    return _numbers(frame, measure), _numbers(frame, f"{measure}_low"), _numbers(frame, f"{measure}_high")


def _strayed(before: pd.DataFrame, after: pd.DataFrame) -> Numbers:
    """How far the machine's pace was another, as a logarithm, which adds to the error; 0 where unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.abs(np.log(_numbers(after, "pace") / _numbers(before, "pace")))
    return np.where(np.isfinite(found), found, 0.0)


def _freedom(before: pd.DataFrame, after: pd.DataFrame) -> Numbers:
    """One less than the fewer processes; without end where their number is not stored."""
    counts = (np.nan_to_num(_numbers(part, "processes"), nan=np.inf) for part in (before, after))
    return np.minimum(*counts) - 1


def _numbers(frame: pd.DataFrame, name: str) -> Numbers:
    return np.asarray(frame[name].to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)

"""Rows of several seeds become one a setting: the mean, its t interval, and which settings differ significantly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from a2u_bench import stats
from a2u_bench.columns import BY_NAME, RANKED, RUN, is_axis
from a2u_bench.judge import folds
from a2u_bench.store.frames import SEED, SEEDS


def by_task(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each task's trainings, and of each kind of features and guide: scores are of different things."""
    kinds = [name for name in ("task", "features", "guide") if name in frame]
    return [rows for _, rows in frame.groupby(kinds, sort=False, dropna=False)]


def over_seeds(frame: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row for each setting, in the order of their first seeds: means over the seeds that ended ok.

    Each measure gets `<name>_low` and `<name>_high`, the ends of Student's t interval of the mean; NA for one seed.
    Where not all seeds ended ok, status and reason are those of the first that did not. Seeds that were trained in
    different runs, since merged, are of one setting, unless two runs have the same one.
    """
    frame = _of_one_study(frame)
    axes = [name for name in frame.columns if is_axis(name) and name != SEED]
    measures = [name for name in frame.columns if name in BY_NAME and BY_NAME[name].role == "measure"]
    rows = []
    for _, group in frame.groupby(axes, dropna=False, sort=False):
        well = group[group["status"] == "ok"]
        sick = group[(group["status"] != "ok").fillna(True)]
        row = {name: group[name].iloc[0] for name in frame.columns}
        row |= {"status": "ok", "reason": "", SEEDS: len(well), SEED: pd.NA}
        if len(sick):
            row |= {name: sick[name].iloc[0] for name in ("status", "reason")}
        for name in measures:
            row[name], row[f"{name}_low"], row[f"{name}_high"] = _mean(well[name].dropna().tolist(), confidence)
        rows.append(row)
    made = pd.DataFrame(rows, columns=None if rows else list(frame.columns))
    types = {name: frame[name].dtype for name in frame.columns if name not in measures}
    numbers = {name: "Float64" for name in made.columns if name not in types and name != SEEDS}
    return made.astype({**types, **numbers, **({SEEDS: "Int64"} if rows else {})})


def order(frame: pd.DataFrame, measure: str = "", level: float = 0.05) -> str:
    """The settings by mean, best first: `>` where neighbours differ significantly, `≈` where they do not; a sentence
    where none do, and "" for fewer than two settings with two seeds.

    Apart is what Welch's t-test says after Holm's correction over all comparisons of two settings; of restored features
    Student's over the folds that both were tested on. The measure is by default what ranks the task of these rows.
    """
    known = [name for name in RANKED if name in frame and frame[name].notna().any()]
    measure = measure or (known or RANKED)[0]
    frame = _of_one_study(frame)
    axes = [name for name in frame.columns if is_axis(name) and name != SEED]
    samples: list[tuple[str, list[float]]] = []
    well = frame[(frame["status"] == "ok") & frame[measure].notna()]
    paired = measure == "gain"
    if paired:
        well = folds.tested_alike(well)
    for _, group in well.groupby(axes, dropna=False, sort=False):
        if len(group) > 1:
            samples.append((str(group["pair"].iloc[0]), group[measure].tolist()))
    if len(samples) < 2:
        return ""
    higher = BY_NAME[measure].better == "higher"
    samples.sort(key=lambda sample: math.fsum(sample[1]) / len(sample[1]), reverse=higher)
    ends = list(combinations(range(len(samples)), 2))
    differ = folds.paired if paired else _welch
    corrected = stats.holm([differ(samples[a][1], samples[b][1]) for a, b in ends])
    apart = {pair: bool(chance <= level) for pair, chance in zip(ends, corrected, strict=True)}
    test = folds.TEST if paired else "Welch's t"
    what = f"{test}, {len(ends)} comparisons corrected by Holm, {level:.0%}" if len(ends) > 1 else test
    if not any(apart[index - 1, index] for index in range(1, len(samples))):
        return f"{BY_NAME[measure].label}: nobody differs significantly from the next best ({what})"
    text = samples[0][0]
    for index in range(1, len(samples)):
        text += f" {'>' if apart[index - 1, index] else '≈'} {samples[index][0]}"
    return f"{BY_NAME[measure].label}: {text} (> is significant, ≈ is not: {what})"


def _of_one_study(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of one merged run without what tells its origins apart, where no setting has a seed from two of them."""
    if RUN not in frame or not (frame[RUN] == frame["origin"]).fillna(False).all():
        return frame
    axes = [name for name in frame.columns if is_axis(name) and name != RUN]
    return frame if frame.duplicated(axes).any() else frame.drop(columns=RUN)


def _welch(first: Sequence[float], second: Sequence[float]) -> float:
    """The probability of so large a difference; without any spread it is certain either way."""
    return float(stats.change(stats.over_replicates(first), stats.over_replicates(second)).probability)


def _mean(values: Sequence[float], confidence: float) -> tuple[object, object, object]:
    if not values:
        return pd.NA, pd.NA, pd.NA
    mean, low, high = stats.scores(values, confidence)
    return (mean, low, high) if math.isfinite(high) else (mean, pd.NA, pd.NA)

"""Costs beside quality: each cost row gets the mean score of the networks that were trained with its operator."""

from __future__ import annotations

import pandas as pd

from a2u_bench.columns import BY_NAME, RANKED
from a2u_bench.judge.seeds import over_seeds
from a2u_bench.store.frames import is_trained

SETTING = ("task", "data", "preset", "epochs", "images", "test_images", "learning_rate")


def with_quality(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of costs with what ranks each task, `psnr` or `sad`, its interval over seeds, and where they are from.

    An operator trained in several pairs counts with its best one. Trainings of different settings are not comparable:
    where a task has several settings, the one with most operators counts, and the sentence says so.
    """
    trained = is_trained(frame)
    costs, well = frame[~trained], frame[trained & (frame["status"] == "ok").fillna(False)]
    if well.empty or costs.empty:
        return costs, ""
    means = over_seeds(well)
    told = []
    for name in RANKED:
        known = means.dropna(subset=[name])
        if len(known):
            costs, sentence = _joined(costs, known, name)
            told.append(sentence)
    return costs, "; ".join(told)


def _joined(costs: pd.DataFrame, means: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str]:
    """The costs with one score of trainings that all have it, and the sentence on it."""
    settings = [group for _, group in means.groupby(list(SETTING), dropna=False, sort=False)]
    settings.sort(key=lambda group: -group["options"].nunique())
    rising = BY_NAME[name].better == "lower"
    best = settings[0].sort_values(name, ascending=rising).drop_duplicates("options").set_index("options")
    parts = (name, f"{name}_low", f"{name}_high")
    found = {part: costs["options"].map(best[part]).astype("Float64") for part in parts}
    first = settings[0].iloc[0]
    label = BY_NAME[name].label
    told = f"{label}: {first['task']} of {first['data']}, {first['epochs']} epochs, mean over seeds of the best pair"
    if len(settings) > 1:
        told += f"; {len(settings) - 1} other settings of training left out"
    return costs.assign(**found), told

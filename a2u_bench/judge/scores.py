"""Costs beside quality: each cost row gets the mean score of the networks that were trained with its operator."""

from __future__ import annotations

import pandas as pd

from a2u_bench.columns import BY_NAME, RANKED
from a2u_bench.errors import UsageError, nearest
from a2u_bench.judge import folds
from a2u_bench.judge.seeds import over_seeds
from a2u_bench.store.frames import is_trained

CEILING = "gain_ceiling"
"""What no convex 3×3 kernel gains over bilinear: beside the gain where a run has it, no column of its own."""

SETTING = ("task", "data", "features", "guide", "folds", "preset", "epochs", "images", "test_images", "learning_rate")


def with_quality(frame: pd.DataFrame, asked: str = "") -> tuple[pd.DataFrame, str]:
    """The rows of costs with what ranks each task (`psnr`, `sad`, `gain`), its interval, and where that is from.

    An operator trained in several pairs counts with its best one. Trainings of different settings are not comparable:
    where a task has several settings, the one with most operators counts, and the sentence says so. `asked` chooses
    one task, or one kind of restored features: `restoration:seg/mix`. UsageError where it is not there, or where it
    means several.
    """
    trained = is_trained(frame)
    costs, well = frame[~trained], frame[trained & (frame["status"] == "ok").fillna(False)]
    if asked:
        well = _chosen(well, asked)
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


def _chosen(well: pd.DataFrame, asked: str) -> pd.DataFrame:
    """The trainings of one task, and of one kind of features and guide where it has several."""
    task, _, cell = asked.partition(":")
    kinds = {
        (str(name), "" if pd.isna(features) else f"{features}/{guide}"): None
        for name, features, guide in zip(well["task"], well["features"], well["guide"], strict=True)
    }
    names = [f"{name}:{kind}" if kind else name for name, kind in kinds]
    if not names:
        raise UsageError(f"--quality {asked}: no training is in what was read; name a run of `a2u-bench quality` too")
    found = [one for one in kinds if one[0] == task and (not cell or one[1] == cell)]
    if not found:
        match = nearest(asked, names)
        hint = f"did you mean {match!r}? " if match else ""
        raise UsageError(f"--quality {asked}: no such training is in what was read; {hint}there: {', '.join(names)}")
    if len(found) > 1:
        raise UsageError(f"--quality {asked} means several; choose: {' or '.join(f'{a}:{b}' for a, b in found)}")
    kind = well["features"] + "/" + well["guide"]
    return well[(well["task"] == task) & ((kind == found[0][1]).fillna(False) if found[0][1] else True)]


def _joined(costs: pd.DataFrame, means: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str]:
    """The costs with one score of trainings that all have it, and the sentence on it."""
    settings = [group for _, group in means.groupby(list(SETTING), dropna=False, sort=False)]
    settings.sort(key=lambda group: -group["options"].nunique())
    rising = BY_NAME[name].better == "lower"
    ceilings = settings[0].loc[(settings[0]["section"] == folds.CEILING).fillna(False), name]
    best = settings[0].sort_values(name, ascending=rising).drop_duplicates("options").set_index("options")
    parts = (name, f"{name}_low", f"{name}_high")
    found = {part: costs["options"].map(best[part]).astype("Float64") for part in parts}
    first = settings[0].iloc[0]
    label = BY_NAME[name].label
    kind = "" if pd.isna(first["features"]) else f", features {first['features']}, guide {first['guide']}"
    over = "seeds of the best pair" if not kind else "folds"
    epochs = "1 epoch" if first["epochs"] == 1 else f"{first['epochs']} epochs"
    told = f"{label}: {first['task']} of {first['data']}{kind}, {epochs}, mean over {over}"
    if len(ceilings):
        found[CEILING] = pd.Series(float(ceilings.max()), index=costs.index, dtype="Float64")
    if len(settings) > 1:
        told += f"; {len(settings) - 1} other setting{'s' * (len(settings) > 2)} of training left out"
    return costs.assign(**found), told

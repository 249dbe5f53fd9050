"""Costs beside quality: each cost row gets the mean PSNR of the networks that were trained with its operator."""

from __future__ import annotations

import pandas as pd

from a2u_bench.seeds import is_trained, over_seeds

SETTING = ("task", "data", "preset", "epochs", "images", "test_images", "learning_rate")
WORTH = ("psnr", "psnr_low", "psnr_high")


def with_quality(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of costs with `psnr` and its interval over seeds, and one sentence on where they are from.

    An operator trained in several pairs counts with its best one. Trainings of different settings are not comparable:
    where there are several settings, the one with most operators counts, and the sentence says so.
    """
    trained = is_trained(frame)
    costs, well = frame[~trained], frame[trained & (frame["status"] == "ok").fillna(False)]
    if well.empty or costs.empty:
        return costs, ""
    means = over_seeds(well)
    settings = [group for _, group in means.groupby(list(SETTING), dropna=False, sort=False)]
    settings.sort(key=lambda group: -group["options"].nunique())
    best = settings[0].dropna(subset=["psnr"]).sort_values("psnr", ascending=False).drop_duplicates("options")
    best = best.set_index("options")
    found = {name: costs["options"].map(best[name]).astype("Float64") for name in WORTH}
    first = settings[0].iloc[0]
    told = f"PSNR: {first['task']} of {first['data']}, {first['epochs']} epochs, mean over seeds of the best pair"
    if len(settings) > 1:
        told += f"; {len(settings) - 1} other settings of training left out"
    return costs.assign(**found), told

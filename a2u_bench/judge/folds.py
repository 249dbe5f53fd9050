"""Restored features: operators that were tested on the same folds of photographs are compared fold by fold.

Photographs of one fold share a training and are no independent replicates; so a fold counts once, with the mean of its
photographs' gains.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from a2u_bench import stats
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import SEED

TEST = "Student's t, paired over folds"
CEILING = "ceiling"
SECTIONS = (CEILING, "reference", "convex, with guide", "convex", "not convex", "mixes channels", "one tap")


def tested_alike(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of operators, not of ceilings, that were tested on every fold that one of them was, by seed."""
    rows = rows[(rows["section"] != CEILING).fillna(True)]
    count = rows.groupby("pair")[SEED].transform("nunique")
    return rows[count == rows[SEED].nunique()].sort_values(SEED, kind="stable")


def paired(first: Sequence[float], second: Sequence[float]) -> float:
    """The probability of so large a mean difference of gains on the same folds; 1 where they differ in none."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    if not any(differences):
        return 1.0
    return float(stats.over_replicates(differences).probability)


def by_section(means: pd.DataFrame) -> pd.DataFrame:
    """The settings section by section, in each the largest gain first."""
    place = means["section"].map({name: number for number, name in enumerate(SECTIONS)}).fillna(len(SECTIONS))
    order = pd.DataFrame({"section": place, "gain": -means["gain"]}).sort_values(["section", "gain"], kind="stable")
    return means.loc[order.index]


def ends(rows: pd.DataFrame) -> list[str]:
    """A sentence on whether the best and the worst operator of each section, by gain, are the same in every fold."""
    well = tested_alike(rows[(rows["status"] == "ok").fillna(False) & rows["gain"].notna()])
    if well[SEED].nunique() < 2:
        return []
    same: list[str] = []
    other: list[str] = []
    for name in SECTIONS:
        section = well[(well["section"] == name).fillna(False)]
        if section["pair"].nunique() < 2:
            continue
        for word, at in (
            ("best", section.groupby(SEED)["gain"].idxmax()),
            ("worst", section.groupby(SEED)["gain"].idxmin()),
        ):
            who = list(dict.fromkeys(section["pair"].loc[at]))
            (other if len(who) > 1 else same).append(f"{word} of {name}: {plain(' or '.join(map(str, who)))}")
    said = []
    if same:
        said.append(f"the same in every fold: {'; '.join(same)}")
    if other:
        said.append(f"not the same in every fold: {'; '.join(other)}")
    return said

"""Restored features are compared fold by fold, and section by section."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats as scipy_stats

from a2u_bench.errors import UsageError
from a2u_bench.judge import folds, scores, seeds
from a2u_bench.store.frames import to_frame

GAINS = {"sapa": [12.0, 14.0, 13.1], "a2u": [-2.1, -2.2, -2.4], "convex": [2.0, 1.4, 1.6], "carafe": [0.4, 0.3, 1.7]}
SECTION = {"sapa": "convex, with guide", "a2u": "convex, with guide", "convex": "convex", "carafe": "convex"}


def rows(guides: tuple[str, ...] = ("mix",)) -> pd.DataFrame:
    """Trainings of four operators on three folds, and a ceiling's."""
    found = []
    for guide in guides:
        for pair, gains in {**GAINS, "ceiling:simplex": [15.0, 25.0, 14.0]}.items():
            for seed, gain in enumerate(gains):
                own = {"operator": pair, "options": pair, "pair": pair, "task": "restoration", "data": "photographs"}
                kind = {"features": "seg", "guide": guide, "folds": 3, "seed": seed, "epochs": 8}
                section = SECTION.get(pair, "ceiling")
                found.append({**own, **kind, "case": f"{pair}-{guide}-{seed}", "section": section, "gain": gain})
                found[-1] |= {"status": "ok", "reason": "", "mode": "training"}
    return to_frame(found)


def test_a_pair_of_operators_is_compared_on_the_folds_that_both_were_tested_on():
    chance = scipy_stats.ttest_rel(GAINS["convex"], GAINS["carafe"]).pvalue
    assert folds.paired(GAINS["convex"], GAINS["carafe"]) == pytest.approx(chance)
    assert folds.paired([1.0, 2.0], [1.0, 2.0]) == 1


def test_the_order_says_how_it_was_tested_and_leaves_ceilings_out():
    said = seeds.order(rows())
    assert said.startswith(
        "gain over bilinear: sapa > convex ≈ carafe ≈ a2u (> is significant, ≈ is not: Student's t, paired over folds"
    )
    assert "ceiling" not in said
    unfinished = rows().drop(index=0)  # the first fold of sapa
    assert "sapa" not in seeds.order(unfinished)


def test_the_ends_of_sections_are_named_where_they_are_the_same_in_every_fold():
    assert folds.ends(rows()) == [
        "the same in every fold: best of convex, with guide: sapa; worst of convex, with guide: a2u",
        "not the same in every fold: best of convex: convex or carafe; worst of convex: carafe or convex",
    ]


def test_settings_stand_section_by_section_the_largest_gain_first():
    means = folds.by_section(seeds.over_seeds(rows()))
    assert means["pair"].tolist() == ["ceiling:simplex", "sapa", "a2u", "convex", "carafe"]


def test_each_kind_of_guide_is_a_table_of_its_own():
    assert [part["guide"].unique().tolist() for part in seeds.by_task(rows(("mix", "nl")))] == [["mix"], ["nl"]]


def test_costs_take_the_gain_of_the_kind_that_was_asked_for_and_the_ceiling_beside_it():
    cost = to_frame([{"operator": "sapa", "options": "sapa", "case": "x", "status": "ok", "latency": 0.001}])
    frame = pd.concat([cost, rows(("mix", "nl"))], ignore_index=True)
    costs, told = scores.with_quality(frame, "restoration:seg/nl")
    assert costs["gain"].tolist() == pytest.approx([13.0333333])
    assert costs[scores.CEILING].tolist() == pytest.approx([18.0])
    assert "features seg, guide nl, 8 epochs, mean over folds" in told
    with pytest.raises(UsageError, match="means several; choose: restoration:seg/mix or restoration:seg/nl"):
        scores.with_quality(frame, "restoration")
    with pytest.raises(UsageError, match="--quality matting: no such training is in what was read; "):
        scores.with_quality(frame, "matting")

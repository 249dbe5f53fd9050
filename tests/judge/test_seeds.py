"""Means over seeds and what may be said from them, against numbers worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from a2u_bench.judge import seeds
from a2u_bench.store import frames
from a2u_bench.store.frames import to_frame


def row(pair="conv/nearest", seed=0, status="ok", **measures):
    operator = pair.partition("/")[2]
    return {
        "case": f"{pair}-{seed}",
        "operator": operator,
        "options": operator,
        "task": "reconstruction",
        "pair": pair,
        "seed": seed,
        "epochs": 3,
        "status": status,
        "reason": "" if status == "ok" else "the loss is nan",
        **measures,
    }


def rows(pair, values):
    return [row(pair, seed, psnr=value) for seed, value in enumerate(values)]


def test_a_mean_of_three_has_students_interval():
    frame = seeds.over_seeds(to_frame(rows("conv/nearest", [20.0, 21.0, 22.0])))
    assert len(frame) == 1
    assert frame["psnr"][0] == pytest.approx(21)
    # t(0.975, 2) = 4.302652730, and the standard error of 20, 21, 22 is 1/√3.
    assert frame["psnr_high"][0] - 21 == pytest.approx(4.302652730 / 3**0.5)
    assert 21 - frame["psnr_low"][0] == pytest.approx(4.302652730 / 3**0.5)
    assert frame["seeds"][0] == 3
    assert frame["seed"].isna().all()
    assert frame["ssim"].isna().all()


def test_one_seed_has_no_interval_and_settings_keep_their_order():
    frame = seeds.over_seeds(to_frame([row("conv/nearest", psnr=1.0), row("conv/bilinear", psnr=2.0)]))
    assert frame["pair"].tolist() == ["conv/nearest", "conv/bilinear"]
    assert frame["psnr_low"].isna().all()
    assert frame["epochs"].tolist() == [3, 3]


def test_a_seed_that_failed_is_told_and_left_out_of_the_mean():
    frame = seeds.over_seeds(to_frame([*rows("conv/nearest", [20.0, 22.0]), row(seed=2, status="failed")]))
    assert frame["psnr"][0] == 21
    assert (frame["seeds"][0], frame["status"][0], frame["reason"][0]) == (2, "failed", "the loss is nan")
    nothing = seeds.over_seeds(to_frame([row(status="failed")]))
    assert nothing["psnr"].isna().all()
    assert nothing["seeds"][0] == 0


def test_no_rows_are_no_means():
    assert seeds.over_seeds(to_frame([])).empty


def test_the_order_says_which_neighbours_are_surely_apart():
    frame = to_frame(
        [
            *rows("conv/bilinear", [20.0, 20.1, 20.2]),
            *rows("conv/nearest", [20.1, 20.2, 20.15]),
            *rows("twin/index_net", [33.0, 33.1, 33.2]),
            row("twin/a2u", psnr=50.0),
        ]
    )
    assert seeds.order(frame) == (
        "PSNR: twin/index_net > conv/nearest ≈ conv/bilinear "
        "(> is significant, ≈ is not: Welch's t, 3 comparisons corrected by Holm, 5%)"
    )
    assert seeds.order(frame.assign(mae=frame["psnr"]), "mae").startswith("MAE: conv/bilinear ≈ conv/nearest > ")


def test_rows_of_each_task_are_ranked_by_what_ranks_it():
    mattes = [{**row(pair, seed, sad=value + seed / 100), "task": "matting"} for seed in (0, 1)
        for pair, value in (("conv/nearest", 2.0), ("twin/a2u", 1.0))]  # fmt: skip
    frame = to_frame([*rows("conv/nearest", [20.0, 20.1]), *mattes, *rows("twin/a2u", [30.0, 30.1])])
    first, second = seeds.by_task(frame)
    assert seeds.order(first).startswith("PSNR: twin/a2u > conv/nearest (")
    assert seeds.order(second).startswith("SAD: twin/a2u > conv/nearest (")  # less is better
    assert seeds.by_task(frame.iloc[:0]) == []


def test_equal_values_are_apart_only_where_they_differ():
    frame = to_frame([*rows("conv/bilinear", [20.0, 20.0]), *rows("conv/nearest", [20.0, 20.0])])
    assert seeds.order(frame) == "PSNR: nobody differs significantly from the next best (Welch's t)"
    frame = to_frame([*rows("conv/bilinear", [20.0, 20.0]), *rows("conv/nearest", [21.0, 21.0])])
    assert seeds.order(frame).startswith("PSNR: conv/nearest > conv/bilinear (")


def test_one_setting_or_one_seed_has_no_order():
    assert seeds.order(to_frame(rows("conv/nearest", [1.0, 2.0]))) == ""
    assert seeds.order(to_frame([row("conv/nearest", psnr=1.0), row("conv/bilinear", psnr=2.0)])) == ""


def test_rows_of_trainings_are_told_from_rows_of_costs():
    frame = to_frame([row(), {"case": "a", "operator": "a2u", "status": "ok"}])
    assert frames.is_trained(frame).tolist() == [True, False]
    assert isinstance(frame, pd.DataFrame)


def merged(*origins):
    """A frame of one merged run: the rows of each origin."""
    made = [{**one, "origin": name} for name, found in origins for one in found]
    frame = to_frame(made)
    frame.insert(0, "run", frame["origin"])
    return frame


def test_seeds_of_runs_that_were_merged_are_of_one_setting():
    first = [*rows("conv/nearest", [20.0, 21.0]), *rows("conv/deconv", [30.0, 31.0])]
    last = [row("conv/nearest", 2, psnr=22.0), row("conv/deconv", 2, psnr=32.0)]
    frame = merged(("x", first), ("y", last))
    means = seeds.over_seeds(frame)
    assert (means["psnr"].tolist(), means["seeds"].tolist()) == ([21.0, 31.0], [3, 3])
    assert seeds.order(frame).startswith("PSNR: conv/deconv > conv/nearest")


def test_runs_that_trained_the_same_seed_stay_apart():
    frame = merged(("x", rows("conv/nearest", [20.0, 21.0])), ("y", rows("conv/nearest", [22.0])))
    assert seeds.over_seeds(frame)["run"].tolist() == ["x", "y"]

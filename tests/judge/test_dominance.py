"""Which rows nothing beats, by hand; and costs beside the quality that trainings gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from example_rows import COSTS, case, make_quality, make_run, measures
from timed_runs import NOISE, one_round, write_run

from a2u_bench.columns import make_row
from a2u_bench.export.plots.pareto import draw
from a2u_bench.judge.pareto import front
from a2u_bench.judge.reading import Reading, read
from a2u_bench.judge.scores import with_quality
from a2u_bench.store.frames import runs_to_frame, to_frame
from a2u_bench.store.read import read_run


def frame(**columns: list[float | None]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.array(values, dtype="Float64") for name, values in columns.items()})


def test_the_front_is_what_nothing_beats_in_everything():
    made = frame(latency=[1, 2, 3, 2], peak_memory=[3, 2, 3, 4])
    assert front(made, ["latency", "peak_memory"]).tolist() == [True, True, False, False]


def test_two_that_are_equal_are_both_on_the_front():
    assert front(frame(latency=[1, 1], macs=[5, 5]), ["latency", "macs"]).tolist() == [True, True]


def test_a_difference_that_may_be_chance_puts_nobody_off():
    made = frame(latency=[1.0, 1.1], latency_low=[0.9, 1.0], latency_high=[1.05, 1.2], processes=[6, 6])
    assert front(made, ["latency"]).tolist() == [True, True]
    apart = made.assign(latency_low=pd.array([0.98, 1.08], dtype="Float64"), latency_high=[1.02, 1.12])
    assert front(apart, ["latency"]).tolist() == [True, False]


def test_latencies_are_compared_round_by_round_though_their_own_intervals_touch(tmp_path):
    load = np.array([1.0, 3.0, 1.5, 2.0, 1.2, 2.6])
    timed = {"bilinear": load, "b": 1.02 * load * NOISE, "c": 1.5 * load[::-1]}
    found = read([write_run(tmp_path / "run", {name: one_round(times) for name, times in timed.items()})])
    assert front(found.frame, ["latency"], found).tolist() == [True, False, True]
    assert front(found.frame, ["latency"]).tolist() == [True, True, True]
    turned = found.frame.iloc[[2, 1, 0]]  # rows are known by the index of the frame, however it is sorted
    assert front(turned, ["latency"], found).tolist() == [True, False, True]


def drifted(folder: Path) -> Reading:
    """c is 1.1 times bilinear in three slow processes, b 1.2 times in three fast ones; b has the least MACs."""
    timed = {"bilinear": one_round(np.repeat([1.0, 3.0], 3))}
    timed |= {"b": one_round(1.2 * NOISE[:3]), "c": one_round(3.3 * NOISE[:3], first=3)}
    macs = {"bilinear": 5, "b": 2, "c": 3}
    return read([write_run(folder, timed, rows={name: {"macs": count} for name, count in macs.items()})])


def test_where_all_have_a_ratio_to_the_reference_the_front_goes_by_it_and_not_by_absolute_latency(tmp_path):
    found = drifted(tmp_path / "run")
    assert found.frame["latency"].tolist() == pytest.approx([3**0.5, 1.2, 3.3], rel=1e-3)
    assert found.frame["latency_ratio"].tolist() == pytest.approx([1, 1.2, 1.1], rel=1e-3)
    assert front(found.frame, ["latency"], found).tolist() == [True, False, False]
    assert front(found.frame, ["latency", "macs"], found).tolist() == [True, True, True]
    more = found.frame.assign(macs=[1, 2, 3])
    assert front(more, ["latency", "macs"], found).tolist() == [True, False, False]


def test_a_figure_fills_and_joins_what_is_on_the_front_of_what_it_draws(tmp_path):
    found = drifted(tmp_path / "run")
    ((_, figure),) = draw(found.frame, reading=found)
    (axes,) = figure.axes
    marked = [line for line in axes.lines if line.get_marker() != "None"]
    assert [np.asarray(line.get_xdata()).item() for line in marked] == pytest.approx([1, 1.2, 1.1], rel=1e-3)
    assert [np.asarray(line.get_ydata()).item() for line in marked] == pytest.approx([5, 2, 3])
    assert [line.get_markerfacecolor() != "white" for line in marked] == [True, True, True]


def test_of_quality_more_is_better():
    made = frame(latency=[1, 2, 3], psnr=[30, 29, 31], psnr_low=[29.9, 28.9, 30.9], psnr_high=[30.1, 29.1, 31.1])
    assert front(made, ["latency", "psnr"]).tolist() == [True, False, True]


def test_what_is_unknown_is_not_on_the_front_and_beats_nothing():
    made = frame(latency=[None, 2, 1], macs=[1, 2, None])
    assert front(made, ["latency", "macs"]).tolist() == [False, True, False]


def test_no_rows_have_no_front():
    assert front(to_frame([]), ["latency"]).empty


def test_costs_get_the_mean_quality_of_the_best_pair(tmp_path):
    costs, trained = make_run(tmp_path / "c"), make_quality(tmp_path / "q", {"conv/a2u": 24, "twin/a2u": 29})
    joined, told = with_quality(runs_to_frame([read_run(costs), read_run(trained)]))
    assert len(joined) == len(COSTS) + 1
    assert joined.loc[joined["options"] == "a2u", "psnr"].tolist() == pytest.approx([29.1])
    assert joined.loc[joined["options"] != "a2u", "psnr"].isna().all()
    assert told == "PSNR: reconstruction of natural, 3 epochs, mean over seeds of the best pair"


def test_trainings_of_another_setting_are_left_out_and_said(tmp_path):
    runs = [make_run(tmp_path / "c"), make_quality(tmp_path / "q", {"twin/a2u": 29, "conv/bilinear": 20})]
    runs.append(make_quality(tmp_path / "long", {"twin/a2u": 35}, epochs=100))
    joined, told = with_quality(runs_to_frame([read_run(run) for run in runs]))
    assert joined.loc[joined["options"] == "a2u", "psnr"].tolist() == pytest.approx([29.1])
    assert told.endswith("; 1 other setting of training left out")


def test_each_task_ranks_by_its_own_score(tmp_path):
    runs = [make_run(tmp_path / "c"), make_quality(tmp_path / "q", {"conv/a2u": 24, "twin/a2u": 29, "conv/carafe": 25})]
    runs.append(make_quality(tmp_path / "m", {"pool/a2u": 30, "twin/a2u": 3, "conv/nearest": 9}, task="matting"))
    joined, told = with_quality(runs_to_frame([read_run(run) for run in runs]))
    found = joined.set_index("options")
    assert [found.at["a2u", name] for name in ("psnr", "sad")] == pytest.approx([29.1, 3.1])
    assert found.at["nearest", "sad"] == pytest.approx(9.1)
    assert found["psnr"].notna().tolist() == [name in ("a2u", "carafe") for name in found.index]
    assert found["sad"].notna().tolist() == [name in ("a2u", "nearest") for name in found.index]
    assert told == (
        "PSNR: reconstruction of natural, 3 epochs, mean over seeds of the best pair; "
        "SAD: matting of natural, 3 epochs, mean over seeds of the best pair"
    )


def test_without_trainings_costs_stay_as_they_are():
    rows = to_frame([make_row(case("a2u"), "ok", "", measures(7, case("a2u")))])
    joined, told = with_quality(rows)
    pd.testing.assert_frame_equal(joined, rows)
    assert told == ""

"""Rows become typed frames, and verdicts say no more than the intervals allow."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from a2u_bench.errors import UsageError
from a2u_bench.frames import runs_to_frame, sort, to_frame, to_records
from a2u_bench.judge import against, best, samples_of
from a2u_bench.machines import differences
from a2u_bench.record import COLUMNS, make_row
from a2u_bench.runs import Run
from a2u_bench.spec import Case


def row(options: str, latency: float | None = 1.0, half: float = 0.0, height: int = 4):
    case = Case(options.partition(":")[0], options, options, 1, 8, height, 4)
    if latency is None:
        return make_row(case, "failed", "boom", {})
    times = {"latency": latency, "latency_low": latency - half, "latency_high": latency + half}
    return make_row(case, "ok", "", times)


def test_a_frame_has_every_column_in_order_and_typed_even_when_empty():
    for rows in ([], [row("nearest")], [row("nearest", None)]):
        frame = to_frame(rows)
        assert list(frame.columns) == [column.name for column in COLUMNS]
        assert [str(dtype) for dtype in frame.dtypes] == [column.dtype for column in COLUMNS]


def test_unknown_values_stay_unknown_and_come_back_as_none():
    rows = [row("nearest", None), row("bilinear")]
    assert to_frame(rows)["latency"].isna().tolist() == [True, False]
    assert to_records(to_frame(rows)) == rows


def test_large_counts_keep_every_digit():
    big = 2**62 + 1
    rows = [row("nearest", None) | {"macs": big}, row("nearest", None)]
    assert to_records(to_frame(rows))[0]["macs"] == big


def test_sorting_puts_unknown_values_last_either_way():
    frame = to_frame([row("a", 2.0), row("b", None), row("c", 1.0), row("d", 2.0)])
    assert sort(frame, ["latency"])["operator"].tolist() == ["c", "a", "d", "b"]
    assert sort(frame, ["-latency"])["operator"].tolist() == ["a", "d", "c", "b"]
    assert sort(frame, ["-latency", "-operator"])["operator"].tolist() == ["d", "a", "c", "b"]
    assert sort(frame, [])["operator"].tolist() == ["a", "b", "c", "d"]


def test_sorting_by_no_column_is_wrong_usage():
    with pytest.raises(UsageError, match="Did you mean 'latency'"):
        sort(to_frame([row("a")]), ["latncy"])
    with pytest.raises(UsageError, match="twice"):
        sort(to_frame([row("a")]), ["latency", "-latency"])


def test_several_runs_are_told_apart():
    runs = [Run(Path(name), {}, (row("a"),), ()) for name in ("x/one", "y/two", "z/two")]
    assert runs_to_frame(runs)["run"].tolist() == ["one", "y/two", "z/two"]
    assert "run" not in runs_to_frame(runs[:1])


@pytest.mark.parametrize(
    ("latency", "half", "verdict"),
    [
        (0.5, 0.1, "faster"),
        (2.0, 0.1, "slower"),
        (1.0, 0.005, "same"),
        (1.01, 0.002, "same"),
        (1.0, 0.1, "inconclusive"),
        (0.95, 0.1, "inconclusive"),
    ],
)
def test_a_verdict_follows_from_the_two_intervals(latency, half, verdict):
    judged = against(to_frame([row("bilinear", 1.0, 0.001), row("a", latency, half)]), "bilinear")
    assert judged["verdict"].tolist() == ["baseline", verdict]
    assert judged["latency_ratio"].tolist() == [1.0, latency]


def sampled(medians: dict[str, list[float]]) -> Run:
    """A run whose cases have one round a process, of these times."""
    rows, samples = [], []
    for options, times in medians.items():
        one = row(options, sorted(times)[len(times) // 2]) | {"processes": len(times)}
        rows.append(one)
        samples += [
            {"case": one["case"], "process": process, "round": 0, "latency": [time]}
            for process, time in enumerate(times)
        ]
    run = Run(Path("run"), {}, tuple(rows), ())
    run.__dict__["samples"] = tuple(samples)
    return run


LOAD = [1.0, 3.0, 1.5, 2.0, 1.2, 2.6]
NOISE = [1.001, 0.999, 1.0005, 0.9995, 1.0, 1.0]


def test_a_verdict_is_made_of_what_happened_in_the_same_round():
    run = sampled({"base": LOAD, "a": [1.05 * t * n for t, n in zip(LOAD, NOISE, strict=True)]})
    frame = runs_to_frame([run])
    judged = against(frame, "base", samples=samples_of([run]))
    assert judged["verdict"].tolist() == ["baseline", "slower"]
    assert judged["latency_ratio"].tolist() == pytest.approx([1.0, 1.05], rel=1e-3)
    assert judged["latency_ratio_low"][1] < 1.05 < judged["latency_ratio_high"][1]
    turned = sampled({"base": LOAD, "a": [1.05 * t for t in LOAD[::-1]]})
    judged = against(runs_to_frame([turned]), "base", samples=samples_of([turned]))
    assert judged["verdict"].tolist() == ["baseline", "inconclusive"]


def test_a_difference_that_is_sure_alone_is_not_sure_among_many():
    step = [1.03, 1.01, 1.05, 1.0, 1.04, 1.02]  # p = 0.015
    alone = sampled({"base": [1.0] * 6, "a": step})
    many = sampled({"base": [1.0] * 6} | dict.fromkeys("abcdef", step))
    for run, verdict in ((alone, "slower"), (many, "inconclusive")):
        judged = against(runs_to_frame([run]), "base", samples=samples_of([run]))
        assert set(judged["verdict"][1:]) == {verdict}


def test_several_runs_keep_their_samples_apart():
    runs = [sampled({"base": LOAD, "a": [2 * t for t in LOAD]}), sampled({"base": LOAD, "a": [3 * t for t in LOAD]})]
    runs = [Run(Path(name), {}, run.rows, ()) for name, run in zip(("one", "two"), runs, strict=True)]
    runs[0].__dict__["samples"] = sampled({"base": LOAD, "a": [2 * t for t in LOAD]}).samples
    runs[1].__dict__["samples"] = sampled({"base": LOAD, "a": [3 * t for t in LOAD]}).samples
    judged = against(runs_to_frame(runs), "base", samples=samples_of(runs))
    assert judged["latency_ratio"].tolist() == pytest.approx([1, 2, 1, 3])


def test_the_best_are_the_fastest_and_whoever_is_not_surely_slower():
    close = [t * n for t, n in zip(LOAD, NOISE, strict=True)]
    run = sampled({"a": LOAD, "b": close, "c": [2 * t * n for t, n in zip(LOAD, NOISE, strict=True)]})
    assert best(runs_to_frame([run]), samples_of([run])).tolist() == [True, True, False]
    tied = sampled({"a": LOAD, "b": close})
    assert best(runs_to_frame([tied]), samples_of([tied])).tolist() == [False, False]
    frame = to_frame([row("a", 1.0, 0.01), row("b", 2.0, 0.01), row("c", None), row("a", 3.0, 0.01, height=8)])
    assert best(frame).tolist() == [True, False, False, False]


def test_a_case_without_a_latency_or_a_baseline_has_no_verdict():
    frame = to_frame([row("bilinear", 1.0), row("a", None), row("b", 1.0, height=8)])
    judged = against(frame, "bilinear")
    assert judged["verdict"].isna().tolist() == [False, True, True]
    assert judged["latency_ratio"].isna().tolist() == [False, True, True]


def test_each_workload_has_its_own_baseline():
    frame = to_frame([row("base", 1.0), row("a", 2.0), row("base", 4.0, height=8), row("a", 2.0, height=8)])
    assert against(frame, "base")["latency_ratio"].tolist() == [1.0, 2.0, 1.0, 0.5]


def test_each_run_has_its_own_baseline():
    runs = [Run(Path("one"), {}, (row("base", 1.0), row("a", 3.0)), ()), Run(Path("two"), {}, (row("a", 3.0),), ())]
    judged = against(runs_to_frame(runs), "base")
    assert judged["latency_ratio"].isna().tolist() == [False, False, True]


def test_a_baseline_is_an_operator_string_or_a_name_that_means_one():
    frame = to_frame([row("a2u:rank=1"), row("a2u:rank=2"), row("carafe:kernel_size=7")])
    assert against(frame, "a2u:rank=2")["verdict"].tolist()[1] == "baseline"
    assert against(frame, "carafe")["verdict"].tolist()[2] == "baseline"
    with pytest.raises(UsageError, match="several rows; allowed: a2u:rank=1; a2u:rank=2"):
        against(frame, "a2u")
    with pytest.raises(UsageError, match="did you mean 'a2u:rank=1'"):
        against(frame, "a2u:rnk=1")


def test_judging_leaves_the_rows_as_they_were():
    frame = to_frame([row("a", 2.0), row("bilinear", 1.0), row("c", None)])
    judged = against(frame, "bilinear")
    pd.testing.assert_frame_equal(judged[frame.columns.tolist()], frame)


def test_machines_differ_in_what_lasts_not_in_what_passes():
    one = {"machine": {"cpu": "A", "torch": {"version": "2.13"}, "load": 0.1}}
    two = {"machine": {"cpu": "B", "torch": {"version": "2.13"}, "load": 3.0}}
    assert differences([one, two]) == ["cpu: A / B"]
    assert differences([one, one]) == []
    assert differences([one, {}]) == ["cpu: A / unknown", "torch.version: 2.13 / unknown"]
    assert differences([{"machine": "?"}]) == []

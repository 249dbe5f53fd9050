"""What a run says when it is read: intervals, ratios to the reference, verdicts, and every reason to doubt them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from timed_runs import NOISE, case, one_round, write_run

from a2u_bench import stats
from a2u_bench.columns import DERIVED, make_row
from a2u_bench.errors import UsageError
from a2u_bench.judge import reading
from a2u_bench.judge.reading import read
from a2u_bench.judge.verdicts import against, base_of, named
from a2u_bench.store.merge import merge
from a2u_bench.store.read import Run, read_run
from a2u_bench.tables import notes

ROOT = Path(__file__).resolve().parents[2]


def said(found: reading.Reading) -> tuple[str, ...]:
    return (*notes.of_reading(found), *notes.ratios(found))


LOAD = np.array([1.0, 3.0, 1.5, 2.0, 1.2, 2.6]) * 1e-3


def ratios(found: reading.Reading) -> dict[str, tuple[Any, ...]]:
    names = ["options", "latency_ratio", "latency_ratio_low", "latency_ratio_high", "verdict"]
    return {row[0]: row[1:] for row in found.frame[names].itertuples(index=False)}


def test_ratios_are_made_of_what_happened_in_the_same_round(tmp_path):
    a = one_round(1.05 * LOAD * NOISE)
    found = ratios(read([write_run(tmp_path / "run", {"bilinear": one_round(LOAD), "a": a})]))
    value, low, high, verdict = found["a"]
    exact = stats.ratio(a, one_round(LOAD))
    assert_allclose([value, low, high], [exact.value, *exact.interval()])
    assert (verdict, found["bilinear"]) == ("slower", (1.0, 1.0, 1.0, "reference"))
    turned = write_run(tmp_path / "turned", {"bilinear": one_round(LOAD), "a": one_round(1.05 * LOAD[::-1])})
    assert ratios(read([turned]))["a"][3] == "inconclusive"


def test_two_cases_that_shared_no_process_are_compared_by_way_of_the_reference(tmp_path):
    """Their blocks have one reference, timed in the rounds of both, on a machine that was slower in the second."""
    other = 2 * LOAD[::-1]
    run = write_run(
        tmp_path / "run",
        {
            "bilinear": {**one_round(LOAD), **one_round(other, 6)},
            "a": one_round(3 * LOAD * NOISE),
            "b": one_round(1.5 * other * NOISE, 6),
        },
    )
    found = ratios(read([run], "b"))
    value, low, high, verdict = found["a"]
    assert value == pytest.approx(2, rel=1e-3)
    assert high / low < 1.01
    assert (verdict, found["b"][3]) == ("slower", "baseline")
    assert found["bilinear"][0] == pytest.approx(1 / 1.5, rel=1e-3)


def test_intervals_are_those_of_the_samples_cold_ones_alike(tmp_path):
    times, cold = one_round(LOAD), one_round(2 * LOAD[::-1])
    stale = {"latency": 7.0, "latency_low": 6.0, "latency_high": 8.0, "latency_cold": 9.0, "processes": 99}
    run = write_run(tmp_path / "run", {"bilinear": times}, rows={"bilinear": stale})
    lines = [json.loads(line) for line in (run.path / "samples.jsonl").read_text().splitlines()]
    more = [line | {"latency_cold": [cold[line["process"]][0]]} for line in lines]
    (run.path / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in more))
    row = read([run]).frame.iloc[0]
    for name, samples in (("latency", times), ("latency_cold", cold)):
        exact = stats.latency(samples)
        assert_allclose([row[f"{name}{end}"] for end in ("", "_low", "_high")], [exact.value, *exact.interval()])
    assert row["processes"] == 6


def test_a_difference_that_is_sure_alone_is_not_sure_among_many(tmp_path):
    step = np.array([1.03, 1.01, 1.05, 1.0, 1.04, 1.02])  # p = 0.015
    alone = {"bilinear": one_round(np.ones(6)), "a": one_round(step)}
    many = alone | {name: one_round(step) for name in "bcdef"}
    assert ratios(read([write_run(tmp_path / "alone", alone)]))["a"][3] == "slower"
    assert ratios(read([write_run(tmp_path / "many", many)]))["a"][3] == "inconclusive"


def test_several_runs_keep_their_samples_and_their_references_apart(tmp_path):
    one = write_run(tmp_path / "one", {"bilinear": one_round(LOAD), "a": one_round(2 * LOAD)})
    two = write_run(tmp_path / "two", {"nearest": one_round(LOAD), "a": one_round(3 * LOAD)}, reference="nearest")
    frame = read([one, two]).frame
    assert frame["latency_ratio"].tolist() == pytest.approx([1, 2, 1, 3])
    merge([one.path, two.path], tmp_path / "merged")
    merged = read([read_run(tmp_path / "merged")])
    assert merged.frame["latency_ratio"].tolist() == pytest.approx([1, 2, 1, 3])
    assert said(merged) == (
        "one: ratio: to bilinear, timed in the same rounds",
        "two: ratio: to nearest, timed in the same rounds",
    )


def test_each_workload_has_its_own_reference(tmp_path):
    small, large = ({name: case(name, height=height) for name in ("bilinear", "a")} for height in (4, 8))
    timed = {small["bilinear"]: one_round(LOAD), small["a"]: one_round(2 * LOAD)}
    timed |= {large["bilinear"]: one_round(4 * LOAD, 6), large["a"]: one_round(2 * LOAD, 6)}
    assert read([write_run(tmp_path / "run", timed)]).frame["latency_ratio"].tolist() == pytest.approx([1, 2, 1, 0.5])


def test_every_frame_has_the_derived_columns_and_the_rows_as_they_were(tmp_path):
    empty = read([Run(Path("x"), {}, (make_row(case("a"), "failed", "boom", {}),), ())])
    assert list(empty.frame.columns[-4:]) == [column.name for column in DERIVED[-4:]]
    assert [str(dtype) for dtype in empty.frame.dtypes[-4:]] == [column.dtype for column in DERIVED[-4:]]
    assert said(empty) == ()


def test_a_run_s_folder_says_the_same_wherever_it_lies(tmp_path):
    timed = {"bilinear": one_round(LOAD), "a": one_round(1.05 * LOAD * NOISE)}
    run = write_run(tmp_path / "here" / "run", timed)
    write_run(tmp_path / "there" / "neighbour", {"bilinear": one_round(9 * LOAD)})
    shutil.copytree(run.path, tmp_path / "there" / "run")
    (tmp_path / "there" / "exports.json").write_text('{"format": "a2u-bench exports"}')
    frames = [read([read_run(tmp_path / place / "run")]).frame for place in ("here", "there")]
    pd.testing.assert_frame_equal(frames[0], frames[1])


# Reasons to doubt: each is said once, and a ratio is there wherever one can be had.

LESS_SURE = "of two latencies that were not timed in the same rounds (Welch's t), which is less sure"


def doubtful(folder: Path, name: str) -> Run:
    timed = {"bilinear": one_round(LOAD), "a": one_round(2 * LOAD * NOISE), "b": one_round(3 * LOAD, 6)}
    if name == "one process":
        timed = {options: one_round(times[next(iter(times))].values()) for options, times in timed.items()}
    if name in ("failed", "incorrect"):
        return write_run(folder, {n: t for n, t in timed.items() if n != "bilinear"}, {"bilinear": name})
    run = write_run(
        folder, timed, reference=None if name == "no reference named" else "nearest" if name == "absent" else "bilinear"
    )
    if name == "no samples":
        (folder / "samples.jsonl").unlink()
    return run


DOUBTS = {
    "no samples": (
        "no samples of every case: the intervals are those of the rows",
        f"ratio: to bilinear; of 2 of 3 cases it is {LESS_SURE}",
    ),
    "one process": (
        "timed in one process, which says nothing of how processes differ, so without an interval: bilinear; a; b",
        "ratio: to bilinear, timed in the same rounds",
    ),
    "no reference named": (f"ratio: to bilinear, since the run names no reference; of 1 of 3 cases it is {LESS_SURE}",),
    "absent": ("no ratio: nearest was not timed; --baseline OP chooses another operator",),
    "failed": ("no ratio: bilinear ended failed; --baseline OP chooses another operator",),
    "incorrect": ("no ratio: bilinear ended incorrect; --baseline OP chooses another operator",),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_makes_ratios_less_sure_is_said_once(name, tmp_path):
    run = doubtful(tmp_path / "run", name)
    found = read([run])
    assert said(found) == DOUBTS[name]
    some = ratios(found)
    if name in ("absent", "failed", "incorrect"):
        assert pd.isna([*some["a"], *some["b"]]).all()
        chosen = read([run], "a")
        assert said(chosen) == (
            f"ratio: to a; of 1 of {chosen.frame['latency'].notna().sum()} cases it is {LESS_SURE}",
        )
        assert ratios(chosen)["b"][0] == pytest.approx(1.5, rel=1e-3)
    else:
        assert some["a"][0] == pytest.approx(2, rel=1e-3)
        assert some["b"][0] == pytest.approx(3, rel=1e-3)
        assert pd.isna(some["b"][1]) == (name == "one process")
        assert some["b"][3] == ("inconclusive" if name == "one process" else "slower")


def test_a_reference_that_one_workload_lacks_is_said(tmp_path):
    timed = {case("bilinear"): one_round(LOAD), case("a"): one_round(LOAD), case("a", height=8): one_round(LOAD, 6)}
    found = read([write_run(tmp_path / "run", timed)])
    assert said(found) == (
        "ratio: to bilinear, timed in the same rounds; none for 1 of 3 cases, where that was not timed",
    )
    assert found.frame["latency_ratio"].isna().tolist() == [False, False, True]


def test_rows_that_their_samples_contradict_are_named_and_the_samples_count(tmp_path):
    timed = {"bilinear": one_round(LOAD), "a": one_round(2 * LOAD), "b": one_round(2 * LOAD)}
    earlier = {"latency": float(np.median(2 * LOAD))}  # what a program before this one wrote
    run = write_run(tmp_path / "run", timed, rows={"a": {"latency": 5e-4}, "b": earlier})
    found = read([run])
    assert said(found)[0] == "1 row has a latency that the samples contradict: a; what is shown is what the samples say"
    assert len(said(found)) == 2
    assert_allclose(found.frame["latency"][1], stats.latency(timed["a"]).value)


def test_samples_that_are_too_many_are_left_to_the_rows(tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", {"bilinear": one_round(LOAD), "a": one_round(LOAD)})
    monkeypatch.setattr(reading, "MOST_SAMPLES", 10)
    assert said(read([run]))[0] == "0 MiB of samples are too many to read here: intervals are those of the rows"


def test_how_far_the_reference_strays_is_what_its_processes_say(tmp_path):
    logs = np.array([0.1, -0.1, 0.3, 0.0])
    timed = {"bilinear": one_round(np.exp(logs)), "a": one_round(np.exp(2 * logs))}
    ((operator, share),) = read([write_run(tmp_path / "run", timed)]).strays().values()
    assert operator == "bilinear"
    assert_allclose(share, np.expm1(1.96 * logs.std(ddof=1)))
    assert read([write_run(tmp_path / "one", {"bilinear": one_round([1.0])})]).strays() == {}


# Baselines.


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
def test_without_samples_a_verdict_follows_from_the_two_intervals(latency, half, verdict):
    rows = [
        make_row(case(name), "ok", "", {"latency": t, "latency_low": t - h, "latency_high": t + h, "processes": 6})
        for name, t, h in (("bilinear", 1.0, 0.001), ("a", latency, half))
    ]
    found = read([Run(Path("x"), {}, tuple(rows), ())])
    assert found.frame["verdict"].tolist() == ["reference", verdict]
    assert found.frame["latency_ratio"].tolist() == [1.0, latency]


def test_a_baseline_is_an_operator_string_or_a_name_that_means_one():
    rows = [
        make_row(case(name), "ok", "", {"latency": 1.0})
        for name in ("a2u:rank=1", "a2u:rank=2", "carafe:kernel_size=7")
    ]
    run = Run(Path("x"), {}, tuple(rows), ())
    assert read([run], "a2u:rank=2").frame["verdict"].tolist()[1] == "baseline"
    assert read([run], "carafe").frame["verdict"].tolist()[2] == "baseline"
    with pytest.raises(UsageError, match="several rows; allowed: a2u:rank=1; a2u:rank=2"):
        read([run], "a2u")
    with pytest.raises(UsageError, match="did you mean 'a2u:rank=1'"):
        read([run], "a2u:rnk=1")


def test_judging_leaves_the_rows_as_they_were():
    rows = [make_row(case(name), "ok", "", {"latency": t}) for name, t in (("a", 2.0), ("bilinear", 1.0), ("c", None))]
    frame = read([Run(Path("x"), {}, tuple(rows), ())]).frame
    judged = against(frame, base_of(frame, named(frame, "bilinear")), "baseline")
    plain = [name for name in frame if name not in [column.name for column in DERIVED]]
    pd.testing.assert_frame_equal(judged[plain], frame[plain])


@pytest.mark.parametrize("samples", sorted(ROOT.glob("results/*/samples.jsonl")), ids=lambda path: path.parent.name)
def test_the_runs_of_this_project_contradict_themselves_nowhere(samples):
    run = read_run(samples.parent)
    assert run.problems == ()
    assert not any("contradict" in note or "stand" in note for note in said(read([run])))

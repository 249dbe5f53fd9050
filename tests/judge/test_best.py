"""Bold is what is certainly best; ties share it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from timed_runs import NOISE, one_round, write_run

from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.judge.best import best
from a2u_bench.judge.reading import read
from a2u_bench.store.frames import to_frame


def marks(rows: pd.DataFrame, name: str) -> list[int]:
    found = best(rows, [name])
    return [index for index, one in enumerate(found[name]) if one] if name in found else []


def frame(*values: Any, name: str = "params", half: float | None = None, heights: tuple[int, ...] = ()):
    rows = []
    for number, value in enumerate(values):
        case = Case(f"op{number}", "", f"op{number}", 1, 8, heights[number] if heights else 4, 4)
        ends = {} if half is None or value is None else {f"{name}_low": value - half, f"{name}_high": value + half}
        rows.append(make_row(case, "ok", "", {name: value, **ends, "processes": 6}))
    return to_frame(rows)


@pytest.mark.parametrize(
    ("name", "values", "marked"),
    [
        ("params", (3, 1, 2), [1]),
        ("params", (1, 1, 2), [0, 1]),
        ("params", (1, 1), []),
        ("params", (1,), []),
        ("params", (None, 1, 2), [1]),
        ("params", (None, None), []),
        ("psnr", (30.0, 31.0), [1]),
        ("mae", (0.1, 0.2), [0]),
        ("macs_fvcore", (1, 2), []),
        ("samples", (1, 2), []),
        ("reason", (), []),
    ],
)
def test_the_best_of_a_measure(name, values, marked):
    assert marks(frame(*values, name=name), name) == marked


@pytest.mark.parametrize(
    ("name", "values", "half", "marked"),
    [
        ("latency_cold", (1.0, 1.1, 3.0), 0.1, [0, 1]),
        ("latency_cold", (1.0, 1.1, 3.0), 0.01, [0]),
        ("latency_cold", (1.0, 1.1), 0.1, []),
        ("latency", (1.0, 1.1, 3.0), 0.2, [0, 1]),
        ("latency", (1.0, 1.1, 3.0), 0.001, [0]),
        ("latency", (None, 1.1, 3.0), 0.001, [1]),
    ],
)
def test_those_not_surely_worse_share_it(name, values, half, marked):
    assert marks(frame(*values, name=name, half=half), name) == marked


def test_each_workload_has_its_own_best():
    assert marks(frame(3, 1, 5, 9, heights=(4, 4, 8, 8)), "params") == [1, 2]


LOAD = np.array([1.0, 3.0, 1.5, 2.0, 1.2, 2.6])


def test_latencies_and_ratios_are_marked_by_what_happened_in_the_same_round(tmp_path):
    timed = {"bilinear": LOAD, "b": LOAD * NOISE, "c": 1.05 * LOAD * NOISE[::-1]}
    found = read([write_run(tmp_path / "run", {name: one_round(times) for name, times in timed.items()})])
    for name in ("latency", "latency_ratio"):
        assert best(found.frame, [name], found)[name].tolist() == [True, True, False]
        assert not best(found.frame, [name])[name].any()  # the machine hides it from two intervals
    tied = {name: timed[name] for name in ("bilinear", "b")}
    found = read([write_run(tmp_path / "tied", {name: one_round(times) for name, times in tied.items()})])
    assert best(found.frame, ["latency"], found)["latency"].tolist() == [False, False]


def test_cases_of_two_blocks_are_marked_by_way_of_their_reference(tmp_path):
    """The block of the second one ran on a machine that was slower."""
    reference = {**one_round(LOAD), **one_round(3 * LOAD, 6)}
    timed = {"bilinear": reference, "a": one_round(2 * LOAD * NOISE), "b": one_round(1.5 * LOAD * NOISE, 6)}
    found = read([write_run(tmp_path / "run", timed)])
    assert best(found.frame.iloc[1:], ["latency"], found)["latency"].tolist() == [False, True]


ROUGH = np.array([1.06, 0.94, 1.05, 0.95, 1.02, 0.98])


def test_what_is_slower_by_its_verdict_or_behind_such_a_row_is_not_bold(tmp_path):
    timed = {
        "first": 0.99 * LOAD * ROUGH,
        "bilinear": LOAD,
        "unknown": 1.03 * LOAD * ROUGH[::-1],
        "slower": 1.05 * LOAD * NOISE,  # than bilinear; than `first`, which is rough, not significantly
        "behind": 1.06 * LOAD * ROUGH[::-1],
    }
    found = read([write_run(tmp_path / "run", {name: one_round(times) for name, times in timed.items()})])
    assert found.frame["verdict"].tolist() == ["inconclusive", "reference", "inconclusive", "slower", "inconclusive"]
    for name in ("latency", "latency_ratio"):
        assert best(found.frame, [name], found)[name].tolist() == [True, True, True, False, False]
    without = found.frame[found.frame["options"] != "bilinear"]
    assert not best(without, ["latency"], found)["latency"].any()  # what it is slower than is not in the table

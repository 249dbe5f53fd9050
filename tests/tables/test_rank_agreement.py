"""Rankings along an axis: τ, pairs that change places significantly, and what is too little to say anything."""

from __future__ import annotations

import pytest

from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.errors import UsageError
from a2u_bench.store.frames import to_frame
from a2u_bench.tables.rank_agreement import Comparison, along, to_table


def row(name: str, seconds: float, spread: float = 0.01, **axes):
    case = Case(name, name, name, **({"batch": 1, "channels": 8, "height": 4, "width": 4} | axes))
    times = {
        "latency": seconds,
        "latency_low": seconds * (1 - spread),
        "latency_high": seconds * (1 + spread),
        "processes": 6,
    }
    return make_row(case, "ok", "", times)


def frame(*order_by_dtype: tuple[str, dict[str, float]], spread: float = 0.01, **axes):
    return to_frame(
        [row(n, t, spread, dtype=dtype, **axes) for dtype, times in order_by_dtype for n, t in times.items()]
    )


SLOWER = ("float32", {"a": 1.0, "b": 2.0, "c": 3.0})
SWAPPED = ("float16", {"a": 2.0, "b": 1.0, "c": 3.0})


def test_the_same_order_has_tau_one_and_no_swaps():
    (found,) = along(frame(SLOWER, ("float16", {"a": 0.1, "b": 0.2, "c": 0.3})), "dtype")
    assert found == Comparison("dtype", "float32", "float16", 1, 3, 1.0, ())


def test_a_pair_that_changes_places_is_named_the_quicker_first():
    (found,) = along(frame(SLOWER, SWAPPED), "dtype")
    assert found.swaps == (("a", "b"),)
    assert found.tau == pytest.approx(1 / 3)


def test_a_pair_whose_intervals_meet_does_not_surely_change_places():
    (found,) = along(frame(SLOWER, SWAPPED, spread=0.6), "dtype")
    assert found.swaps == ()


def test_workloads_stay_apart_and_the_least_tau_counts():
    small, large = frame(SLOWER, SWAPPED), frame(SLOWER, ("float16", SLOWER[1]), height=64)
    import pandas as pd

    (found,) = along(pd.concat([small, large], ignore_index=True), "dtype")
    assert (found.workloads, found.swaps) == (2, (("a", "b"),))
    assert found.tau == pytest.approx(1 / 3)


def test_shapes_are_an_axis_of_their_own():
    rows = [row(n, t, height=side) for side in (4, 8) for n, t in SLOWER[1].items()]
    with pytest.raises(UsageError, match="Axes here: shape"):
        along(to_frame(rows), "dtype")
    (found,) = along(to_frame(rows), "shape")
    assert (found.first, found.second, found.tau) == ("1x8x4x4", "1x8x8x4", 1.0)


def test_two_operators_are_no_ranking_and_failed_rows_none():
    two = {"a": 1.0, "b": 2.0}
    for given in (
        frame(("float32", two), ("float16", two)),
        to_frame([make_row(Case("a", "a", "a", 1, 8, 4, 4), "failed", "x", {})]),
    ):
        with pytest.raises(UsageError, match="no 3 operators share two values"):
            along(given, "dtype")


def test_the_table_has_a_line_for_each_comparison():
    table = to_table(along(frame(SLOWER, SWAPPED), "dtype"))
    assert table.cells == (("float32 to float16", "1", "3", "0.33", "a and b"),)

"""Rows become typed frames, sorted as asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from a2u_bench.case import Case
from a2u_bench.columns import BY_NAME, COLUMNS, FLOOR_SHARE, SHAPE, make_row
from a2u_bench.errors import UsageError
from a2u_bench.machine.differences import differences
from a2u_bench.store.frames import runs_to_frame, sort, to_frame, to_records
from a2u_bench.store.read import Run


def row(options: str, latency: float | None = 1.0, half: float = 0.0, height: int = 4):
    case = Case(options.partition(":")[0], options, options, 1, 8, height, 4)
    if latency is None:
        return make_row(case, "failed", "boom", {})
    times = {"latency": latency, "latency_low": latency - half, "latency_high": latency + half}
    return make_row(case, "ok", "", times)


def test_a_frame_has_every_column_in_order_and_typed_even_when_empty():
    for rows in ([], [row("nearest")], [row("nearest", None)]):
        frame = to_frame(rows)
        assert list(frame.columns) == [*(column.name for column in COLUMNS), SHAPE, FLOOR_SHARE]
        assert [str(dtype) for dtype in frame.dtypes][:-2] == [column.dtype for column in COLUMNS]


def test_unknown_values_stay_unknown_and_come_back_as_none():
    rows = [row("nearest", None), row("bilinear")]
    assert to_frame(rows)["latency"].isna().tolist() == [True, False]
    assert to_records(to_frame(rows)[list(BY_NAME)]) == rows


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


def test_machines_differ_in_what_lasts_not_in_what_passes():
    one = {"machine": {"cpu": "A", "torch": {"version": "2.13"}, "load": 0.1}}
    two = {"machine": {"cpu": "B", "torch": {"version": "2.13"}, "load": 3.0}}
    assert differences([one, two]) == ["cpu: A / B"]
    assert differences([one, one]) == []
    assert differences([one, {}]) == ["cpu: A / unknown", "torch.version: 2.13 / unknown"]
    assert differences([{"machine": "?"}]) == []


def test_what_differs_from_start_to_start_of_one_machine_makes_no_other_of_it():
    one, two, three = (
        {"machine": {"memory": memory, "environment": {"TORCHINDUCTOR_CACHE_DIR": place, "OMP_NUM_THREADS": threads}}}
        for memory, place, threads in ((25276514304, "/a", "1"), (25276059648, "/b", "1"), (16 << 30, "/a", "2"))
    )
    assert differences([one, two]) == []
    assert differences([one, three]) == ["environment.OMP_NUM_THREADS: 1 / 2", "memory: 23.5 GiB / 16.0 GiB"]

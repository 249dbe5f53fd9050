"""Rows are read whole around what is broken, and the last word on a case is the one that counts."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from a2u_bench.case import Case
from a2u_bench.columns import BY_NAME, make_row
from a2u_bench.store import read as runs
from a2u_bench.store.frames import to_frame
from a2u_bench.store.lines import parse_line
from a2u_bench.store.read import read_run
from a2u_bench.store.rows import last_words
from a2u_bench.store.write import Store

MANIFEST = {"format": "a2u-bench run", "version": 1, "created": "2025-01-01T00:00:00+00:00"}


def row(number: int, **measures):
    case = Case("nearest", "nearest", "nearest", 1, 8, 4, 4, threads=number)
    return make_row(case, "ok", "", {"latency": number / 7, "params": number, **measures})


def write(folder: Path, lines: list[bytes]) -> Path:
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "rows.jsonl").write_bytes(b"".join(lines))
    return folder


def line(content: object) -> bytes:
    return json.dumps(content).encode() + b"\n"


def test_many_rows_are_read_whole_around_broken_ones(tmp_path):
    count = 300
    lines = [line({"version": 1, **row(number)}) for number in range(1, count + 1)]
    lines[100] = b"{broken\n"
    lines[-2] = line({"version": 1, **row(count - 1), "latency": "fast"})
    run = read_run(write(tmp_path, lines))
    expected = [row(number) for number in range(1, count + 1) if number != 101]
    expected[-2]["latency"] = None
    assert list(run.rows) == expected
    assert run.problems == (
        "rows.jsonl: not a JSON object, left out (line 101)",
        f"rows.jsonl: latency is no Float64, taken as unknown (line {count - 1})",
    )


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ([b'{"a": 1},{"b": 2}\n', b'{"c": 3}\n'], "line 1"),
        ([b'{"a": [{}\n', b'{}], "b": 2}\n', b'{"c": 3},{"d": 4}\n'], "line 1 and 2 more"),
        ([b'{"a": "x\n', b'{", "b": 1}\n', b'{"c": 3}, 4\n'], "line 1 and 2 more"),
    ],
)
def test_lines_are_never_read_together_as_what_none_of_them_is(tmp_path, lines, broken):
    good = {"version": 1, **row(1)}
    run = read_run(write(tmp_path, [*lines, line(good)]))
    assert [one["case"] for one in run.rows] == [good["case"]]
    assert f"rows.jsonl: not a JSON object, left out ({broken})" in run.problems


def test_rows_of_mixed_schemas_are_read_each_with_what_it_has(tmp_path):
    older = {"case": "x", "status": "ok", "latency": 2}
    newer = {"status": "ok", "colour": "blue", **row(1)}
    run = read_run(write(tmp_path, [line({"version": 1, **older}), line({"version": 1, **newer})]))
    assert [(one["case"], one["latency"], one["threads"]) for one in run.rows] == [
        ("x", 2.0, None),
        (row(1)["case"], 1 / 7, 1),
    ]
    assert all(set(one) == set(BY_NAME) for one in run.rows)
    assert run.problems == ("rows.jsonl: unknown column 'colour', set aside (line 2)",)


def test_integers_come_into_a_frame_by_way_of_no_float():
    given = [row(number, macs=2**62 + number) for number in range(1, 5)]
    given[2]["macs"] = None
    assert to_frame(given)["macs"].tolist() == [2**62 + 1, 2**62 + 2, pd.NA, 2**62 + 4]


def test_only_lines_that_the_quick_reader_refuses_are_read_by_the_slow_one(tmp_path, monkeypatch):
    lines = [line({"version": 1, **row(number)}) for number in range(1, 6)]
    lines[2] = line({"version": 1, **row(3), "latency": float("nan"), "note": "\ud800", "macs": 2**70})
    folder = write(tmp_path, lines)
    slowly, loads = [], json.loads

    def counted(text):
        slowly.append(text)
        return loads(text)

    monkeypatch.setattr(json, "loads", counted)
    monkeypatch.setattr(runs, "_parse_facts", parse_line)
    run = read_run(folder)
    assert slowly == lines[2:3]
    assert [one["params"] for one in run.rows] == [1, 2, 3, 4, 5]
    assert (run.rows[2]["latency"], run.rows[2]["macs"], run.rows[2]["note"]) == (None, None, "\ud800")
    assert run.problems == (
        "rows.jsonl: macs is no Int64, taken as unknown (line 3)",
        "rows.jsonl: latency is no Float64, taken as unknown (line 3)",
    )


def late(number: int, **measures):
    """A row of a case that the run had no time for."""
    return {**row(number, latency=None, stopped="budget", **measures), "status": "timeout"}


def test_a_row_that_is_not_the_last_word_gives_way_to_a_later_one_of_its_case(tmp_path):
    given = [
        late(1),
        row(2),
        late(3),
        late(1, params=5),
        late(4),
        row(3),
        *(row(n) for n in range(5, 9)),
        row(4),
    ]
    expected = [row(2), late(1, params=5), row(3), *(row(n) for n in range(5, 9)), row(4)]
    run = read_run(write(tmp_path, [line({"version": 1, **one}) for one in given]))
    assert (list(run.rows), run.problems) == (expected, ())
    assert last_words(given) == expected


def test_no_row_but_one_that_lacked_time_gives_way(tmp_path):
    hung = {**row(1), "status": "timeout"}
    other = {**late(2), "origin": "one"}
    given = [hung, row(1), other, row(2), row(3), late(3)]
    run = read_run(write(tmp_path, [line({"version": 1, **one}) for one in given]))
    assert list(run.rows) == given
    assert run.problems == (
        "rows.jsonl: a case that stands above already; both kept, and each is judged (line 2 and 1 more)",
    )


def test_a_row_of_the_reference_gives_way_to_one_that_counts_more_processes_and_no_other_does(tmp_path):
    given = [row(1, processes=3), {**row(2, processes=3), "options": "other"}, row(3, processes=3)]
    given += [row(1, processes=6), {**row(2, processes=6), "options": "other"}, row(3, processes=3)]
    folder = write(tmp_path, [line({"version": 1, **one}) for one in given])
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "reference": "nearest"}))
    run = read_run(folder)
    assert list(run.rows) == given[1:]
    assert run.problems == (
        "rows.jsonl: a case that stands above already; both kept, and each is judged (line 5 and 1 more)",
    )
    with Store.open(folder, {}, resume=True) as store:
        assert store.rows == given[1:]


def test_an_interval_that_does_not_hold_its_value_is_left_out_and_said(tmp_path):
    ends: list[tuple[float | None, ...]] = [
        (1.0, 1.0, 1.0),
        (2.0, 1.0, 3.0),
        (2.0, 3.0, 1.0),
        (0.5, 1.0, 3.0),
        (4.0, 1.0, 3.0),
        (None, 3.0, 1.0),
    ]
    ends += [(4.0, None, 3.0)]
    names = ("latency", "latency_low", "latency_high")
    given = [row(number, **dict(zip(names, three, strict=True))) for number, three in enumerate(ends)]
    run = read_run(write(tmp_path, [line({"version": 1, **one}) for one in given]))
    left = [*ends[:2], *((value, None, None) for value, _, _ in ends[2:6]), ends[6]]
    assert [tuple(one[name] for name in names) for one in run.rows] == left
    assert run.problems == (
        "rows.jsonl: latency lies outside its interval, or the interval ends before it begins: taken as unknown "
        "(line 3 and 3 more)",
    )

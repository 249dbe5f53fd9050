"""Conditions keep what they say, and say what they left out."""

from __future__ import annotations

import pytest

from a2u_bench.case import Case
from a2u_bench.columns import SHOWN, make_row
from a2u_bench.errors import UsageError
from a2u_bench.judge.filters import apart, keep, parse
from a2u_bench.store.frames import to_frame

COLUMNS = list(SHOWN)


def row(options: str, latency: float | None = None, height: int = 4, memory: int | None = None, dtype: str = "float32"):
    case = Case(options.partition(":")[0], options, options, 1, 8, height, 4, dtype=dtype)
    status = "ok" if latency is not None else "failed"
    return make_row(case, status, "" if latency is not None else "boom", {"latency": latency, "peak_memory": memory})


FRAME = to_frame(
    [
        row("a2u:rank=4,sharing=unshared", 1e-3, memory=64_000_000),
        row("a2u", 2e-3, memory=64_000_001),
        row("carafe", 3e-3, height=8, dtype="float16"),
        row("sapa"),
    ]
)


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        ([], [0, 1, 2, 3]),
        (["operator=a2u"], [0, 1]),
        (["operator=a2u,carafe"], [0, 1, 2]),
        (["operator!=a2u"], [2, 3]),
        (["options=a2u:rank=4,sharing=unshared,carafe"], [0, 2]),
        (["latency<2ms"], [0]),
        (["latency <= 2ms"], [0, 1]),
        (["time>=0.002s"], [1, 2]),
        (["latency>1000us"], [1, 2]),
        (["memory<=64MB"], [0]),
        (["height=8"], [2]),
        (["height!=8"], [0, 1, 3]),
        (["shape=1x8x8x4"], [2]),
        (["shape=1×8×4×4,1X8x8x4"], [0, 1, 2, 3]),
        (["status==ok"], [0, 1, 2]),
        (["operator=a2u", "latency>1ms"], [1]),
        (["latency>1ms,operator=a2u"], [1]),
        (["operator=a2u,carafe,latency>1ms"], [1, 2]),
        (["options=a2u:rank=4,sharing=unshared,dtype=fp32"], [0]),
        (["dtype=fp16"], [2]),
        (["operator=a2u,carafe; latency<2ms"], [0]),
        (["options=a2u:rank=4,sharing=unshared;height=4;"], [0]),
        (["latency>1ms;dtype=fp32,memory>64MB"], [1]),
    ],
)
def test_rows_that_meet_every_condition_are_kept(texts, rows):
    kept, _ = keep(FRAME, [parse(text, COLUMNS) for text in apart(texts)])
    assert kept["case"].tolist() == [FRAME["case"].iloc[index] for index in rows]


def test_every_mark_stays_in_a_free_text():
    assert apart(["note=slow; latency=2ms, hot"]) == ["note=slow; latency=2ms, hot"]


def test_after_a_semicolon_a_condition_is_expected():
    with pytest.raises(UsageError, match="'carafe': no condition"):
        [parse(one, COLUMNS) for one in apart(["operator=a2u; carafe"])]


@pytest.mark.parametrize("text", ["latency<1ns", "floor_share<2,operator=a2u"])
def test_a_selection_of_nothing_is_wrong_usage_but_not_of_what_has_no_rows(text):
    conditions = [parse(one, COLUMNS) for one in apart([text])]
    with pytest.raises(UsageError, match="no row is left: 0 of 4 rows kept by --filter"):
        keep(FRAME, conditions)
    assert keep(FRAME.iloc[:0], conditions[:1])[0].empty


def test_what_was_left_out_is_said_and_what_is_unknown_apart():
    _, notes = keep(FRAME, [parse("latency<2ms", COLUMNS)])
    assert notes == (
        "1 of 4 rows kept by --filter latency<2ms",
        "--filter latency<2ms: 1 row left out, whose latency is unknown",
    )
    assert keep(FRAME, [])[1] == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latency", "no condition"),
        ("latency<", "no condition"),
        ("<2ms", "no condition"),
        ("latncy<2ms", "Did you mean 'latency'"),
        ("latency<2mm", "'2mm' is no time with its unit"),
        ("latency<fast", "such as latency=2ms"),
        ("operator<a2u", "allowed: = and !="),
        ("height=tall", "'tall' is no plain number"),
        ("latency<2ms and params=0", "Allowed: a ; between conditions, which all must hold"),
        ("operator=a2u OR latency<2ms", "Allowed: a ; between conditions"),
        ("latency<2", "no unit. Allowed: a number with its unit, such as latency<2ms"),
    ],
)
def test_a_condition_that_cannot_be_read_is_wrong_usage(text, said):
    with pytest.raises(UsageError, match=said):
        parse(text, COLUMNS)


@pytest.mark.parametrize("sign", ["=", "!="])
def test_of_a_text_that_no_row_has_any_of_nothing_is_allowed(sign):
    with pytest.raises(UsageError, match=f"^--filter note{sign}x: no row has a note$"):
        keep(FRAME, [parse(f"note{sign}x", COLUMNS)])


@pytest.mark.parametrize(("text", "said"), [("operator=a2v", "Did you mean 'a2u'"), ("shape=1x1x1x1", "1x8x4x4")])
def test_a_text_that_no_row_has_is_wrong_usage(text, said):
    with pytest.raises(UsageError, match=said):
        keep(FRAME, [parse(text, COLUMNS)])

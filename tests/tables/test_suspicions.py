"""Results that are not as they should be are told, each with its figure; sound ones are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_rows import case

from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.store.frames import to_frame
from a2u_bench.store.write import Store
from a2u_bench.tables.suspicions import of_rows


def row(options: str, dtype: str = "float32", latency: float = 1e-3, half: float = 0.01, **more: Any) -> dict[str, Any]:
    ends = {"latency_low": latency * (1 - half), "latency_high": latency * (1 + half), "processes": 8}
    return make_row(case(options, dtype=dtype), "ok", "", {"latency": latency, **ends, **more})


def said(*rows: dict[str, Any]) -> list[str]:
    return of_rows(to_frame(list(rows)))


def test_sound_results_are_not_suspicious():
    rows = [
        row("a2u", floor=1e-4, first_call=0.01, digest="aa"),
        row("a2u:rank=4", floor=1e-4, first_call=0.01, digest="bb"),
        row("carafe", floor=1e-4, digest="aa"),  # equal to another operator, not to a variant of its own
        row("a2u", "float16", 5e-4, digest="aa"),
    ]
    assert said(*rows) == []


def test_a_half_type_that_is_slower_than_float32_is_told_with_how_many_times():
    rows = [row("a2u"), row("a2u", "float16", 3e-3), row("a2u", "bfloat16", 2e-3), row("carafe", "float16", 9.0)]
    assert said(*rows) == [
        "slower in a half type than in float32: a2u in float16 3.00 times; a2u in bfloat16 2.00 times"
    ]


def test_one_that_may_be_slower_by_chance_is_not_told():
    assert said(row("a2u", half=0.2), row("a2u", "float16", 1.1e-3, half=0.2)) == []


def test_what_is_far_above_the_speed_of_light_is_told():
    rows = [row("a2u", floor=5e-6), row("carafe", floor=9e-6), row("sapa", floor=11e-6)]
    assert said(*rows) == ["more than 100 times the time at the speed of light: a2u 200 times; carafe 111 times"]


def test_work_that_a_person_s_own_operator_states_and_fvcore_does_not_see_is_told():
    counted = {"mine:Soft": (5, 500), "mine:Odd": (1000, 50), "mine:Fair": (100, 300), "mine:Unseen": (100, None)}
    counted["a2u"] = (5, 500)  # ours are held to fvcore elsewhere
    rows = [row(name, macs=one, macs_fvcore=other) | {"operator": name} for name, (one, other) in counted.items()]
    assert said(*rows) == [
        "macs() and what fvcore counts are more than 10 times apart: mine:Soft 100 times; mine:Odd 20.0 times"
    ]


def test_a_first_call_of_a_hundred_later_ones_is_told_with_its_seconds():
    assert said(row("a2u", first_call=0.3), row("carafe", first_call=0.05)) == [
        "a first call, which may compile or load, took more than 100 times a later one: a2u (0.3000 s) 301 times"
    ]


def test_a_long_first_call_says_of_which_dtype_it_is_where_there_are_several():
    (said_now,) = said(row("a2u"), row("a2u", "float16", first_call=0.3))
    assert said_now.endswith(": a2u in float16 (0.3000 s) 301 times")


def test_variants_whose_outputs_are_equal_are_told():
    rows = [row("sapa", digest="aa"), row("sapa:embedding=64", digest="aa"), row("sapa:mode=gated", digest="bb")]
    assert said(*rows) == ["variants whose outputs are equal to the last bit: sapa = sapa:embedding=64"]


def test_few_are_named_and_the_others_counted_the_worst_first():
    rows = [row(f"op{number}", floor=1e-3 / number) for number in (150, 300, 200, 400, 500)]
    assert said(*rows) == [
        "more than 100 times the time at the speed of light: op500 500 times; op400 400 times; "
        "op300 300 times and 2 more"
    ]


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_what_did_not_end_ok_is_not_judged(status: str):
    one = {**row("a2u", floor=1e-9), "status": status}
    assert said(one) == []


def test_compare_says_it_under_the_table(tmp_path: Path, capsys):
    with Store.create(tmp_path / "run", {}) as store:
        store.append_row(row("nearest", floor=1e-6))
        for options in ("sapa", "sapa:embedding=64"):
            store.append_row(row(options, digest="aa"))
    far = "more than 100 times the time at the speed of light: nearest 1000 times"
    alike = "variants whose outputs are equal to the last bit: SAPA = SAPA, embedding 64"
    assert main(["compare", str(tmp_path / "run")]) == 0
    short = capsys.readouterr().out
    assert main(["compare", str(tmp_path / "run"), "--notes", "full"]) == 0
    full = capsys.readouterr().out
    assert (alike in short, far in short) == (True, False)  # small maps are always far from the bound
    assert (alike in full, far in full) == (True, True)

"""Tables of text, to the last character."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.errors import UsageError
from a2u_bench.judge.reading import read
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import runs_to_frame, to_frame
from a2u_bench.store.read import Run
from a2u_bench.tables.layout import Heading, Table, apart, lay_out
from a2u_bench.tables.terminal import LONGEST_BY_RICH, print_table


def case(options: str, **axes) -> Case:
    return Case(options.partition(":")[0], options, options, 1, 64, 32, 32, **axes)


def rows():
    times = {"latency": 20e-6, "latency_low": 19.8e-6, "latency_high": 20.2e-6, "samples": 24}
    work = {"params": 0, "macs": 65_536, "macs_fvcore": 65_536, "peak_memory": 1_048_576}
    slow = {"latency": 1.2e-3, "latency_low": 1.1e-3, "latency_high": 1.3e-3, "samples": 24}
    more = {"params": 36_928, "macs": 37_748_736, "macs_fvcore": 37_748_736, "peak_memory": 2_097_152}
    return [
        make_row(case("nearest"), "ok", "", times | work),
        make_row(case("a2u:rank=4,sharing=semi-shared"), "ok", "", slow | more),
    ]


def text(table, width: int = 80) -> str:
    out = io.StringIO()
    print_table(table, Console(file=out, width=width, force_terminal=False, highlight=False))
    return out.getvalue()


def test_the_table_of_a_run_to_the_last_character():
    assert text(lay_out(to_frame(rows()))) == (
        "z 1×64×32×32, scale 2, float32, contiguous, inference, eager, cpu, 1 thread\n"
        "operator                       params    MACs        latency peak mem\n"
        "                                  [k]     [M]           [ms]     [MB]\n"
        "─────────────────────────────────────────────────────────────────────\n"
        "nearest                             0 0.06554 0.0200 ±0.0002    1.049\n"
        "a2u:rank=4,sharing=semi-shared  36.93   37.75     1.20 ±0.10    2.097\n"
    )


def test_a_table_says_in_which_network_an_operator_was_measured():
    times = {"latency": 20e-6}
    alone, inside = (
        make_row(case("nearest"), "ok", "", times),
        make_row(case("a2u", network="matting-unet"), "ok", "", times),
    )
    title = lay_out(to_frame([inside])).title
    assert title.startswith("in matting-unet, image 1×64×32×32, scale 2, float32")
    assert "network" not in lay_out(to_frame([alone])).title
    both = lay_out(to_frame([alone, inside]))
    assert [heading.label for heading in both.headings][:2] == ["operator", "network"]
    assert [row[:2] for row in both.cells] == [("nearest", ""), ("a2u", "matting-unet")]
    assert apart(to_frame([alone, inside])) == ["nearest", "a2u, in matting-unet"]


def test_a_table_fits_80_columns_with_ratios_and_a_long_operator():
    made = [{**row, "latency": row["latency"] * 1.1111, "processes": 6} for row in rows()]
    table = lay_out(read([Run(Path("x"), {"reference": "nearest"}, tuple(made), ())]).frame)
    printed = text(table)
    assert max(len(line) for line in printed.splitlines()) <= 80
    assert [cells[4] for cells in table.cells] == ["1", "60 ±5"]
    assert "part" not in printed


def test_what_fvcore_counts_is_shown_where_it_is_another_number():
    table = lay_out(to_frame([*rows(), make_row(case("a"), "ok", "", {"macs": 3, "macs_fvcore": 4})]))
    assert "macs_fvcore" in [heading.name for heading in table.headings]


def test_verdicts_are_shown_of_a_baseline_that_was_asked_for():
    run = Run(Path("x"), {"reference": "nearest"}, tuple(rows()), ())
    for baseline, shown in ((None, False), ("nearest", True)):
        table = lay_out(read([run], baseline).frame)
        assert ("verdict" in [heading.name for heading in table.headings]) == shown
        assert [heading.label for heading in lay_out(read([run], baseline).frame, ["verdict"]).headings][1:] == [
            "verdict"
        ]


def test_a_ratio_without_an_interval_has_three_digits():
    made = [{**row, "latency_low": None, "latency_high": None} for row in rows()]
    table = lay_out(read([Run(Path("x"), {"reference": "nearest"}, tuple(made), ())]).frame, ["latency_ratio"])
    assert [cells[1] for cells in table.cells] == ["1", "60.0"]


def test_axes_that_differ_become_columns_and_the_others_stay_in_the_title():
    varied = [make_row(case("nearest", dtype=dtype), "ok", "", {}) for dtype in ("float32", "float16")]
    table = lay_out(to_frame(varied))
    assert table.title == "z 1×64×32×32, scale 2, contiguous, inference, eager, cpu, 1 thread"
    assert [heading.text for heading in table.headings] == ["operator", "dtype"]
    assert table.cells == (("nearest", "float32"), ("nearest", "float16"))


def test_flops_are_two_for_each_multiply_add_and_the_heading_says_so():
    table = lay_out(to_frame(rows()), columns=["macs", "macs_fvcore"], convention="flop")
    assert [heading.text for heading in table.headings] == ["operator", "FLOPs [M]", "fvcore FLOPs [M]"]
    assert table.cells[1] == ("a2u:rank=4,sharing=semi-shared", "75.50", "75.50")


def test_unknown_values_are_empty_and_columns_without_any_are_left_out():
    table = lay_out(to_frame([*rows(), make_row(case("carafe"), "ok", "", {"params": 5})]))
    assert table.cells[2] == ("carafe", "0.005", "", "", "")
    assert "saved_memory" not in [heading.name for heading in table.headings]


def test_a_status_other_than_ok_is_shown_with_its_reason():
    bad = [make_row(case(name), "failed", "RuntimeError: boom", {}) for name in ("a", "b", "c", "d", "e")]
    table = lay_out(to_frame([*rows(), *bad, make_row(case("f"), "timeout", "", {})]))
    assert table.headings[-1].name == "status"
    assert table.cells[2][-1] == "failed"
    assert table.notes == ("failed: a; b; c; d; e – RuntimeError: boom", "timeout: f")


def test_a_single_sample_shows_no_interval_and_equal_samples_a_zero_one():
    single = make_row(case("a"), "ok", "", {"latency": 1e-3})
    alike = make_row(case("b"), "ok", "", {"latency": 1e-3, "latency_low": 1e-3, "latency_high": 1e-3})
    table = lay_out(to_frame([single, alike]), columns=["latency"])
    assert table.cells == (("a", "1.000"), ("b", "1.000 ±0"))


def test_one_key_comes_first():
    table = lay_out(to_frame(rows()), columns=["params"], by=["shape"])
    assert [heading.name for heading in table.headings] == ["shape", "options", "params"]
    assert table.cells[0] == ("1×64×32×32", "nearest", "0")


def test_the_first_key_stands_at_the_side_and_the_others_across():
    varied = [
        make_row(case(name, dtype=dtype), "ok", "", {"params": number})
        for number, (name, dtype) in enumerate([("a", "float32"), ("a", "float16"), ("b", "float16")])
    ]
    table = lay_out(to_frame(varied), ["params"], ["operator", "dtype"])
    assert table.title == "params, z 1×64×32×32, scale 2, contiguous, inference, eager, cpu, 1 thread"
    assert [heading.text for heading in table.headings] == ["operator", "float32", "float16"]
    assert table.cells == (("a", "0", "1"), ("b", "", "2"))
    turned = lay_out(to_frame(varied), ["params", "status"], ["dtype", "operator"])
    assert [heading.label for heading in turned.headings] == ["dtype", "a params", "a status", "b params", "b status"]
    assert turned.cells == (("float32", "0", "ok", "", ""), ("float16", "1", "ok", "2", "ok"))


def test_axes_that_no_key_names_stay_at_the_side_of_a_grid():
    varied = [
        make_row(case("a", dtype=dtype, scale=scale), "ok", "", {"params": scale})
        for dtype in ("float32", "float16")
        for scale in (2, 3)
    ]
    table = lay_out(to_frame(varied), ["params"], ["operator", "dtype"])
    assert table.cells == (("a", "2", "2", "2"), ("a", "3", "3", "3"))


def test_a_case_that_stands_twice_takes_a_second_line_of_a_grid():
    twice = [make_row(case("a"), "ok", "", {"params": number}) for number in (1, 2)]
    assert lay_out(to_frame(twice), ["params"], ["operator", "dtype"]).cells == (("a", "1"), ("a", "2"))


def test_lines_beyond_the_most_are_counted_and_the_prefix_is_that_of_all():
    many = [make_row(case("a", threads=number), "ok", "", {"latency": 10.0**-number}) for number in range(1, 7)]
    table = lay_out(to_frame(many), ["latency"], most=2)
    assert table.cells == (("a", "1", "100.0"), ("a", "2", "10.00"))
    assert table.notes == ("2 of 6 lines are shown; --all shows every one",)
    grid = lay_out(to_frame(many), ["latency"], ["threads", "operator"], most=2)
    assert len(grid.cells) == 2
    assert grid.notes == ("2 of 6 lines are shown; --all shows every one",)


@pytest.mark.parametrize(("columns", "by"), [(["latncy"], []), ([], ["latncy"])])
def test_a_name_that_is_no_column_is_wrong_usage(columns, by):
    with pytest.raises(UsageError, match=r"unknown column 'latncy'. Did you mean 'latency'\?"):
        lay_out(to_frame(rows()), columns, by)


def test_no_rows_make_an_empty_table():
    table = lay_out(to_frame([]))
    assert table.title == "no rows"
    assert table.cells == ()
    assert text(table).startswith("no rows\noperator")


def test_two_runs_stay_told_apart():
    runs = [Run(Path(name), {}, tuple(rows()[:1]), ()) for name in ("one", "two")]
    assert [cells[:2] for cells in lay_out(runs_to_frame(runs)).cells] == [("nearest", "one"), ("nearest", "two")]


def test_escapes_in_texts_of_a_file_never_reach_the_terminal():
    hostile = "\x1b[31mred\x1b]0;title\x07\x9b5m\u202e\ud800\r\n[bold]x[/bold]\x00"
    bad = make_row(case("nearest"), "failed", hostile, {}) | {"options": hostile, "dtype": hostile}
    written = text(lay_out(to_frame([bad, *rows()]), notes=[hostile]), width=500)
    assert all(character == "\n" or character.isprintable() for character in written)
    assert "[bold]x[/bold]" in written


@pytest.mark.parametrize(
    ("given", "text"),
    [("a\x1b[0mb", "ab"), ("a\x1b]8;;http://x\x1b\\b", "ab"), ("a\nb", "a b"), ("ab\x1b", "ab"), ("±×µ", "±×µ")],
)
def test_plain_text_keeps_what_is_seen(given, text):
    assert plain(given) == text


def wide(columns: int) -> Table:
    headings = (
        Heading("options", "operator", right=False),
        *(Heading(f"m{n}", f"measure {n}") for n in range(columns)),
    )
    cells = tuple((f"a2u:rank={row},sharing=unshared", *(f"{row}.{n}" for n in range(columns))) for row in range(3))
    return Table("a title", headings, cells, ("a note",), frozenset({(1, columns)}))


def test_a_table_wider_than_the_terminal_comes_in_parts_that_fit_and_lose_nothing():
    printed = text(wide(12), width=80)
    assert max(len(line) for line in printed.splitlines()) <= 80
    assert [line for line in printed.splitlines() if "title" in line or "note" in line] == [
        "a title",
        "a title (part 2 of 3)",
        "a title (part 3 of 3)",
        "a note",
    ]
    for row in range(3):
        assert printed.count(f"a2u:rank={row},sharing=unshared") == 3
        assert all(f"{row}.{number}" in printed for number in range(12))


def test_a_table_that_fits_when_its_texts_are_folded_stays_whole():
    printed = text(wide(5), width=80)
    assert "part" not in printed
    assert max(len(line) for line in printed.splitlines()) <= 80


def test_a_table_of_words_is_never_cut():
    words = Table("", tuple(Heading(name, name, right=False) for name in "abc"), (("x " * 40, "y " * 40, "z " * 40),))
    printed = text(words, width=80)
    assert [printed.count(letter) for letter in "xyz"] == [40, 40, 40]


def test_what_is_best_is_bold_on_a_terminal():
    out = io.StringIO()
    print_table(wide(2), Console(file=out, width=80, force_terminal=True, color_system="standard", highlight=False))
    assert out.getvalue().count("\x1b[1m      1.1\x1b[0m") == 1


def test_a_long_table_looks_like_a_short_one():
    """Beyond a thousand lines rich would take minutes: plain lines must be the same."""
    table = lay_out(to_frame(rows() * 3), by=["operator"], notes=["a note"])
    table = replace(table, cells=(*table.cells, ("漢字", "1", "2", "3", "4")))
    long = replace(table, cells=table.cells * (LONGEST_BY_RICH // len(table.cells) + 1))
    assert text(long, width=500).splitlines()[: len(table.cells) + 4] == text(table, width=500).splitlines()[:-1]
    assert len(text(long, width=500).splitlines()) == len(long.cells) + 5

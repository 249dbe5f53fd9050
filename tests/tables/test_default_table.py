"""The table without any flags: operators at their defaults, fastest first, and a sentence on them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from timed_runs import NOISE, one_round, write_run

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.store.read import read_run
from a2u_bench.store.write import Store
from a2u_bench.tables.request import Request
from a2u_bench.tables.terminal import print_table
from a2u_bench.tables.view import make

REFERENCE = Path(__file__).parents[2] / "results" / "reference-cpu"

ROWS = {"a2u": 3.0, "a2u:rank=2": 4.0, "a2u:rank=4": 5.0, "nearest": 1.0, "carafe:groups=2": 2.0}


def cost(options: str, milliseconds: float, height: int = 8) -> dict[str, Any]:
    case = Case(options.partition(":")[0], "", options, 1, 8, height, 8)
    low, high = milliseconds * 0.98e-3, milliseconds * 1.02e-3
    measures = {"latency": milliseconds * 1e-3, "latency_low": low, "latency_high": high, "processes": 8}
    return make_row(case, "ok", "", measures)


def write(folder: Path, rows: list[dict[str, Any]], **manifest: Any) -> str:
    with Store.create(folder, manifest) as store:
        store.append_rows(rows)
    return str(folder)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[str], str]:
    """The operators of the table, as they are typed, from top to bottom, and all that is printed."""
    assert main(["compare", *arguments, "--names", "option"]) == 0
    printed = capsys.readouterr().out
    names, above = [], ""
    for words in (line.split() for line in printed.splitlines() if "fastest" not in line):
        for name in (words[:1] if words else []) and (words[0], f"{above}:{words[0]}"):  # a variant says what differs
            if name in ROWS:
                names.append(name)
                above = name.partition(":")[0]
    return names, printed


def test_operators_stand_at_their_defaults_and_fastest_first(tmp_path, capsys):
    run = write(tmp_path / "run", [cost(*row) for row in ROWS.items()])
    names, printed = shown(capsys, run)
    assert names == ["nearest", "carafe:groups=2", "a2u"]  # the only one of its operator stands for it
    assert "2 variants not shown (compare --variants)" in printed


def test_what_was_named_or_is_read_against_stands_beside_the_default(tmp_path, capsys):
    named = write(tmp_path / "named", [cost(*row) for row in ROWS.items()], named=["a2u:rank=4"])
    assert shown(capsys, named)[0] == ["nearest", "carafe:groups=2", "a2u", "a2u:rank=4"]
    names, printed = shown(capsys, named, "--baseline", "a2u:rank=2")
    assert names == ["nearest", "carafe:groups=2", "a2u", "a2u:rank=2", "a2u:rank=4"][: len(names)]
    assert "a2u:rank=2" in names
    assert "baseline" in printed


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["--variants"], ["nearest", "carafe:groups=2", "a2u", "a2u:rank=2", "a2u:rank=4"]),
        (["--filter", "operator=a2u"], ["a2u", "a2u:rank=2", "a2u:rank=4"]),
        (["--sort", "-latency"], ["a2u", "carafe:groups=2", "nearest"]),
    ],
)
def test_every_variant_stands_where_it_is_asked_for(asked, names, tmp_path, capsys):
    assert shown(capsys, write(tmp_path / "run", [cost(*row) for row in ROWS.items()]), *asked)[0] == names


@pytest.mark.parametrize(("condition", "hidden"), [("", 2), ("latency<9ms", 2), ("time<4.5ms;height=8", 1)])
def test_a_condition_on_anything_but_who_leaves_variants_hidden_and_counted(condition, hidden, tmp_path, capsys):
    run = write(tmp_path / "run", [cost(*row) for row in ROWS.items()])
    names, printed = shown(capsys, run, "--filter", condition)
    assert names == ["nearest", "carafe:groups=2", "a2u"]
    assert f"{hidden} variant{'s' * (hidden > 1)} not shown (compare --variants)" in printed


@pytest.mark.parametrize("condition", ["options!=carafe:groups=2", "latency<9ms,variant!=other"])
def test_a_condition_on_who_shows_variants(condition, tmp_path, capsys):
    rows = [cost(*row) for row in ROWS.items()]
    run = write(tmp_path / "run", [*rows, cost("carafe", 6.0) | {"variant": "other"}])
    names, printed = shown(capsys, run, "--filter", condition)
    assert {"a2u", "a2u:rank=2", "a2u:rank=4"} <= set(names)
    assert "not shown" not in printed


def test_a_variant_whose_default_has_another_workload_stands(tmp_path, capsys):
    run = write(tmp_path / "run", [cost("a2u", 3.0), cost("a2u:rank=2", 4.0, height=16)])
    assert shown(capsys, run)[0] == ["a2u", "a2u:rank=2"]


def test_files_for_other_programs_hold_every_variant(tmp_path, capsys):
    run = write(tmp_path / "run", [cost(*row) for row in ROWS.items()])
    assert main(["export", run]) == 0
    assert all(f",{name}," in text or f'"{name}"' in text for text in [capsys.readouterr().out] for name in ROWS)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"next": 1.01, "slow": 9.0}, "fast and next are fastest; slow is 9.0 ± 0.2 times slower than fast"),
        ({"next": 2.0, "slow": 9.0}, "fast is fastest; next is 2.00 ± 0.05 times slower; slow 9.0 ± 0.2 times"),
        ({"next": 1.01, "slow": 1.02}, "fast and next are fastest; slow is not significantly slower"),
    ],
)
def test_a_sentence_says_who_is_fastest_and_by_how_much(rows, said, tmp_path, capsys):
    run = write(tmp_path / "run", [cost("fast", 1.0), *(cost(*row) for row in rows.items())])
    assert said in shown(capsys, run)[1].splitlines()


ROUGH = np.array([1.06, 0.94, 1.05, 0.95, 1.02, 0.98])


@pytest.mark.parametrize(
    ("timed", "said"),
    [
        (  # the ratios in the table are to bilinear
            {"first": 0.99 * ROUGH, "bilinear": 1 + 0 * NOISE, "slow": 1.05 * NOISE},
            "first and bilinear are fastest; slow is 1.0500 ± 0.0008 times slower than bilinear",
        ),
        (  # beyond all doubt, but not of all
            {"first": 0.5 * NOISE, "bilinear": 1 + 0 * NOISE, "slow": 1.05 * ROUGH**40},
            "first is fastest; bilinear is 2.0000 ± 0.0015 times slower; slow is not significantly slower",
        ),
        (  # as many as are in bold
            {"bilinear": NOISE, "b": 1.01 * ROUGH, "c": 1.02 * ROUGH, "d": 1.03 * ROUGH, "e": 9 * NOISE},
            "bilinear, b, c and d are fastest; e is 9.000 ± 0 times slower than bilinear",
        ),
        (
            {"bilinear": NOISE, **dict.fromkeys("bcdef", 1.01 * ROUGH), "slow": 9 * NOISE},
            "bilinear, b, c and 3 more are fastest; slow is 9.000 ± 0 times slower than bilinear",
        ),
    ],
)
def test_the_sentence_is_of_one_mind_with_ratios_and_verdicts(timed, said, tmp_path, capsys):
    run = write_run(tmp_path / "run", {name: one_round(times) for name, times in timed.items()})
    assert said in shown(capsys, str(run.path))[1].splitlines()


def test_where_absolute_times_drift_the_ratio_says_who_is_fastest(tmp_path, capsys):
    steady = [1.0, 1.0, 1.0]
    timed = {  # the one of half the processes that began before the machine became twice as slow
        "early": one_round([1.08, 1.08, 1.08]),
        "bilinear": one_round([*steady, 2.0, 2.0, 2.0]),
        "late": one_round([1.96, 1.95, 1.96], first=3),
    }
    run = str(write_run(tmp_path / "run", timed).path)
    out = shown(capsys, run)[1].splitlines()
    assert [line.split()[0] for line in out if line.startswith(("early", "bilinear ", "late"))][:3] == [
        "late", "bilinear", "early",
    ]  # fmt: skip
    assert "late is fastest; bilinear is 1.022 ± 0.007 times slower; early 1.104 ± 0.008 times" in out
    assert main(["recommend", run, "--budget", "latency=9s"]) == 0
    assert capsys.readouterr().out.startswith("Use late")


@pytest.mark.parametrize(
    ("columns", "order"),
    [
        ("latency", ["early", "bilinear", "late"]),
        ("params,latency", ["early", "bilinear", "late"]),
        ("latency,ratio", ["late", "bilinear", "early"]),
        ("latency,verdict", ["late", "bilinear", "early"]),
        ("latency,all", ["late", "bilinear", "early"]),
        ("params", ["late", "bilinear", "early"]),
    ],
)
def test_rows_go_by_the_latency_where_it_is_shown_without_a_ratio(columns, order, tmp_path):
    timed = {
        "early": one_round([1.08, 1.08, 1.08]),
        "bilinear": one_round([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]),
        "late": one_round([1.96, 1.95, 1.96], first=3),
    }
    run = write_run(tmp_path / "run", timed)
    (table,) = make([run], Request(columns=tuple(columns.split(",")))).tables()
    assert [row[0] for row in table.cells] == order


@pytest.mark.parametrize(
    ("asked", "headings"),
    [
        ({"columns": ("operator", "latency")}, ["options", "shape", "latency"]),
        ({"columns": ("latency", "variant", "latency, warm", "latency")}, ["options", "shape", "latency", "variant"]),
        ({"columns": ("operator", "macs"), "by": ("height", "operator")}, ["height", "shape", "macs", "macs"]),
    ],
)
def test_no_column_stands_twice(asked, headings, tmp_path):
    write(tmp_path / "run", [cost("a2u", 3.0), cost("carafe", 2.0), cost("carafe", 2.0, height=16)])
    (table,) = make([read_run(tmp_path / "run")], Request(**asked)).tables()
    assert [heading.name for heading in table.headings] == headings


def test_an_interval_that_is_too_wide_for_a_spread_stands_alone_and_is_explained(tmp_path, capsys):
    timed = {"bilinear": one_round([1, 1.01, 1.02]), "wild": one_round([1, 3, 90])}
    run = write_run(tmp_path / "run", timed)
    out = shown(capsys, str(run.path))[1]
    assert "a range, 1.2–9: the 95 % interval, where it is too wide for ±" in out.splitlines()
    assert re.search(r"^wild +[\d.]+–\d+ +[\d.]+–\d+$", out, re.MULTILINE)
    assert "±" in next(line for line in out.splitlines() if line.startswith("bilinear"))
    assert "a range" not in shown(capsys, str(run.path), "--filter", "operator=bilinear")[1]


def test_the_table_of_formulas_beside_operators_compares_them_unless_more_was_asked_for(tmp_path, capsys):
    name = "a2u_bench.peers:PixelShuffle"
    peer = Case(name, name, name, batch=1, channels=8, height=4, width=4)
    timed = {"bilinear": one_round(NOISE), "pixel_shuffle": one_round(2 * NOISE), peer: one_round(4 * NOISE)}
    run = str(write_run(tmp_path / "run", timed).path)
    assert main(["compare", run]) == 0
    out = capsys.readouterr().out
    assert re.search("^pixel shuffle .* 0.5000 ±0 ", out, re.MULTILINE)
    assert "PyTorch" not in out
    assert main(["compare", run, "--columns", "latency"]) == 0
    assert re.search(r"^pixel shuffle \(PyTorch\) ", capsys.readouterr().out, re.MULTILINE)


def test_nobody_is_fastest_of_several_workloads(tmp_path, capsys):
    run = write(tmp_path / "run", [cost("a2u", 3.0), cost("carafe", 2.0), cost("nearest", 1.0, height=16)])
    assert "fastest" not in shown(capsys, run)[1]


def committed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["compare", str(REFERENCE), *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_first_screen_has_three_lines_of_heading_a_sentence_and_two_notes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = committed(capsys)
    rule = next(number for number, line in enumerate(lines) if set(line) == {"─"})
    assert rule == 3
    below = lines[rule + 1 + 21 :]
    assert [line.partition(" ")[0] for line in below] == ["nearest", "ratio:", "times"]
    assert max(map(len, lines)) <= 80


def test_operators_have_their_names_in_papers_and_variants_stand_below_them(capsys):
    lines = committed(capsys, "--variants")
    names = [line[:24].strip("\u00a0 ") for line in lines]
    first = names.index("A2U")
    below = lines[first + 1 : first + 13]
    assert all(line.startswith("\u00a0\u00a0") for line in below)
    assert {"rank 4", "rank 4, unshared", "unshared", "hybrid"} <= set(names[first + 1 : first + 13])
    assert "CARAFE, k 3" in [" ".join(line.split()[:3]) for line in committed(capsys, "--filter", "operator=carafe")]


def test_notes_are_as_many_as_asked_for(capsys):
    counts = {asked: len(committed(capsys, "--notes", asked)) for asked in ("none", "short", "full")}
    assert counts["none"] < counts["short"] < counts["full"]
    assert "grade" in "\n".join(committed(capsys, "--notes", "full"))


def test_bold_follows_the_verdicts_and_is_on_no_zero(capsys):
    view = make([read_run(REFERENCE)], Request())
    (table,) = view.tables()
    at = {heading.name: place for place, heading in enumerate(table.headings)}
    bold = {name: {table.cells[row][0] for row, place in table.bold if place == at[name]} for name in at}
    assert bold["latency"] == bold["latency_ratio"] == {"nearest"}  # every other one is slower, for sure
    assert bold["params"] == set()  # the least is a zero
    assert bold["peak_memory"] == {"bicubic"}


def test_latencies_are_coloured_where_they_differ_from_the_reference_for_sure():
    (table,) = make([read_run(REFERENCE)], Request()).tables()
    ratio = [heading.name for heading in table.headings].index("latency_ratio")
    tones = {table.cells[row][0]: tone for (row, place), tone in table.tones.items() if place == ratio}
    assert tones.pop("nearest") == "better"
    assert "bilinear" not in tones
    assert set(tones.values()) == {"worse"}
    out = io.StringIO()
    print_table(table, Console(file=out, width=100, force_terminal=True, color_system="standard", no_color=False))
    assert "\x1b[1;32m0.85 ±0.05" in out.getvalue()
    assert "\x1b[31m1.63 ±0.11" in out.getvalue()

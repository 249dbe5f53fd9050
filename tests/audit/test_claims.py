"""A text stands or falls by the numbers that it gives of a run's operators, whatever else is in it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from timed_runs import case as timed_case
from timed_runs import one_round, write_run

from a2u_bench.audit.claims import check
from a2u_bench.audit.claims.match import _apart, close
from a2u_bench.cli import main
from a2u_bench.errors import UsageError

RUNS = Path(__file__).parents[1] / "golden" / "runs"
EXAMPLE, LATER = RUNS / "example", RUNS / "example-later"
SUFFIX = {"csv": ".csv", "markdown": ".md", "latex": ".tex"}

Export = Callable[..., Path]


@pytest.fixture(autouse=True)
def among_the_runs(monkeypatch):
    monkeypatch.chdir(RUNS)  # a table says the name of its run, and no folder


@pytest.fixture
def export(tmp_path) -> Export:
    """The example run as a file."""

    def made(form: str, *flags: str, runs: tuple[Path, ...] = (EXAMPLE,)) -> Path:
        file = tmp_path / f"table{SUFFIX[form]}"
        assert main(["export", *map(str, runs), "--format", form, "--out", str(file), *flags]) == 0
        return file

    return made


def change(file: Path, old: str, new: str) -> Path:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


FLAGS = [
    (),
    ("--baseline", "bilinear"),
    ("--by", "operator,shape"),
    ("--by", "shape,operator", "--sort", "-latency"),
    ("--columns", "options,shape,latency,macs", "--convention", "flop", "--filter", "latency<2ms"),
]


@pytest.mark.parametrize("form", SUFFIX)
@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_a_table_as_it_was_exported_stands(export, form, flags):
    found = check(export(form, *flags), EXAMPLE if form == "csv" else None)
    assert not found.wrong and not found.unread
    assert found.holds
    assert found.cells > 5


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_two_runs_side_by_side_stand(export, form):
    assert check(export(form, runs=(EXAMPLE, LATER))).holds


@pytest.mark.parametrize(
    ("form", "old", "new", "column"),
    [
        ("csv", "36928", "36929", "params"),
        ("markdown", "1.91 ±0.04", "1.90 ±0.04", "latency"),
        ("markdown", "1.91 ±0.04", "1.91 ±0.03", "latency"),
        ("markdown", "22.8 ±0.5", "22.8 ±0.4", "latency_ratio"),
        ("markdown", "37.75", "37.74", "macs"),
        ("latex", r"1.91 & $\pm$0.04", r"1.19 & $\pm$0.04", "latency"),
        ("latex", r"\bfseries 1.05", r"\bfseries 1.06", ""),
        # a number of the row, in the column of another
        ("csv", "ok,,36928,", "ok,,37748736,", "params"),
        ("markdown", "36.93 |      37.75", "37.75 |      37.75", "params"),
        ("latex", "36.93 & 37.75", "3.41 & 37.75", "params"),
        ("latex", "22.8 & $\\pm$0.5 & 3.41", "22.8 & $\\pm$0.5 & 1.91", "peak_memory"),
    ],
)
def test_a_number_that_is_not_the_stored_one_is_named_with_both(export, form, old, new, column):
    found = check(change(export(form), old, new), EXAMPLE if form == "csv" else None)
    (wrong,) = found.wrong
    assert not found.holds
    assert not column or wrong.column == column
    assert wrong.given != wrong.stored
    assert wrong.given in wrong.sentence
    assert wrong.stored in wrong.sentence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.91 ±0.04", "1.91"),  # the spread left out
        ("1.91 ±0.04", "1.9"),  # fewer digits, rightly rounded
        ("36.93", "37"),
        ("**0.0212 ±0.0002**", "0.0212 ±0.0002"),  # no longer bold
        ("1.91 ±0.04", ""),  # not said
    ],
)
def test_saying_less_is_no_wrong_claim(export, old, new):
    assert check(change(export("markdown"), old, new)).holds


@pytest.mark.parametrize(
    ("form", "old", "new"),
    [
        ("markdown", "36.93", "0.03693"),  # a number of another unit than its heading's
        ("markdown", "36.93", "0"),
        ("markdown", "params \\[k\\]", "params \\[M\\]"),
        ("markdown", "latency \\[ms\\]", "latency \\[s\\]"),
        ("latex", "36.93", "0.03693"),
        ("latex", r"[\unit{\milli\second}]", r"[\unit{\second}]"),
        ("csv", "36928,37748736", "36.928,37748736"),
    ],
)
def test_a_number_stands_in_the_unit_of_its_heading_alone(export, form, old, new):
    run = EXAMPLE if form == "csv" else None
    assert check(export(form), run).holds
    assert not check(change(export(form), old, new), run).holds


def test_a_row_without_its_options_is_that_of_its_operator_and_variant(tmp_path):
    file = tmp_path / "table.csv"
    run = RUNS.parents[2] / "results" / "reference-cpu"
    assert main(["export", str(run), "--variants", "--columns", "operator,variant,latency", "--out", str(file)]) == 0
    found = check(file, run)
    assert found.holds
    assert found.cells > 50
    rows = file.read_text(encoding="utf-8").splitlines()
    first, second = (next(row for row in rows if row.startswith(f'a2u,"rank {n}, shared"')) for n in (1, 2))
    swapped = {first: second.replace("rank 2", "rank 1"), second: first.replace("rank 1", "rank 2")}
    file.write_text("\n".join(swapped.get(row, row) for row in rows), encoding="utf-8")
    assert {wrong.row.split()[0] for wrong in check(file, run).wrong} == {"a2u", "a2u:rank=2"}


def test_a_column_of_one_s_own_is_not_checked_and_said(export):
    file = export("markdown")
    lines = file.read_text(encoding="utf-8").splitlines()
    more = [f"{line} {'year' if 'params' in line else '2019'} |" if line.startswith("|") else line for line in lines]
    file.write_text("\n".join(more), encoding="utf-8")
    found = check(file)
    assert found.holds
    assert "not checked, since no column is called so: year" in found.remarks[-1]


@pytest.mark.parametrize(
    ("given", "stored", "holds"),
    [
        ("1.9", 1.94, True),
        ("1.9", 1.96, False),
        ("1.940", 1.94, True),
        ("1.941", 1.94, False),  # more digits than the run can vouch for
        ("1920", 1920.4, True),
        ("1920", 1.92, False),
        ("2e-05", 2.1252949999999998e-05, True),
        ("2.2e-05", 2.1252949999999998e-05, False),
    ],
)
def test_a_number_is_compared_to_its_last_printed_digit(given, stored, holds):
    assert bool(close(stored, given)) is holds


PROSE = (
    "Here are 42 things that we found.\n"
    "On 1×64×32×32 deconv takes 1.91 ms, which is 22.8 times as long as the 0.0839 ms of bilinear.\n"
    "At 1×64×64×64 a2u:rank=4,sharing=unshared needs 87.76 million multiply-adds (175.5 MFLOPs).\n"
)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("Here", "There", []),
        ("multiply-adds", "multiply-adds, in 2026-11-29 and v1.2.3 and by 2x3 too", []),  # no numbers, these
        ("long as", "long, 15.6% of light speed, as", []),
        ("long as", "long, 52.9% of light speed, as", ["52.9"]),
        ("87.76 million", "87.67 million", ["87.67"]),
        ("175.5 MFLOPs", "171.5 MFLOPs", ["171.5"]),
        ("1.91 ms", "1.91ms", []),
        ("1.91 ms", "1.19ms", ["1.19"]),
        ("deconv takes", "carafe takes", ["1.91", "22.8"]),
        ("1.91 ms", "1.91 s", ["1.91"]),
        ("1.91 ms", "1914 us", []),
        ("1.91 ms", "64 ms", ["64"]),  # as many as there are channels
        ("1.91 ms", "37.75M", []),  # a count, whatever it is of
        ("1.91 ms", "36.93k params", []),
        ("1.91 ms", "36.93 k parameters", []),
        ("1.91 ms", "37.75 k params", ["37.75"]),
        ("1.91 ms", "37.75 MMACs", []),
        ("1.91 ms", "36.93 kMACs", ["36.93"]),
        ("1.91 ms", "3.408 MB", []),
        ("1.91 ms", "3.408 GB", ["3.408"]),
        ("1.91 ms", "36.93 kB", ["36.93"]),
        ("1.91 ms", "1.91 +- 0.04 ms", []),
        ("1.91 ms", "1.91 +/- 0.09 ms", ["1.91 ±0.09"]),
        ("1.91 ms", "1,91 ms", []),
        ("1.91 ms", "1,91 ± 0,04 ms", []),
        ("1.91 ms", "1,81 ms", ["1.81"]),
        ("1.91 ms", "36,928 parameters", []),
        ("1.91 ms", "37,928 parameters", ["37928"]),
        ("1.91 ms", "37.75 M multiply-adds", []),
        ("1.91 ms", "37.75 G multiply-adds", ["37.75"]),
        ("1.91 ms", "1.91 ms [3] [4, 5–7]", []),  # citations
        ("On 1", "As Noh et al. (2015) had it [2], on 1", []),
        ("22.8 times", "2 times", ["2"]),  # as many as there are processes
        ("22.8 times", "64 times", ["64"]),  # and channels
    ],
)
def test_a_line_of_prose_is_read_as_one_of_a_table_is(tmp_path, old, new, wrong):
    assert old in PROSE
    file = tmp_path / "text.txt"
    file.write_text(PROSE.replace(old, new), encoding="utf-8")
    assert [one.given for one in check(file, EXAMPLE).wrong] == wrong


def test_csv_of_semicolons_with_decimal_commas_stands(export):
    file = export("csv", "--sep", ";", "--decimal", ",")
    found = check(file, EXAMPLE)
    assert found.holds and found.cells > 20
    assert [one.given for one in check(change(file, "36928", "36929"), EXAMPLE).wrong] == ["36929"]


def test_who_is_wrong_hears_of_what_can_have_been_meant(tmp_path):
    (tmp_path / "text.txt").write_text("deconv on 1×64×32×32 needs 1.87 ms, dysample 65\n", encoding="utf-8")
    columns = [one.column for one in check(tmp_path / "text.txt", EXAMPLE).wrong]
    assert len(columns) == 2
    assert not [name for name in columns if name.endswith(("_low", "_high")) or name in ("channels", "height")]


def test_one_value_stands_and_two_stand(tmp_path):
    file = tmp_path / "text.txt"
    for said, told in (("1.91 ms", "the 1 value stands"), ("1.91 ms and 22.8 times", "all 2 values stand")):
        file.write_text(f"deconv takes {said}\n", encoding="utf-8")
        assert f"{told} in example;" in list(check(file, EXAMPLE).lines())[-1].replace(str(EXAMPLE), "example")


def test_the_nearest_number_is_that_of_the_nearest_ratio():
    apart = _apart(np.array([3.4, 0.0034, 0.0, -1.6]), "1.6")
    assert apart.argmin() == 0 and np.isinf(apart[2:]).all()
    assert _apart(np.array([5.0, 0.0]), "0").argmin() == 1


def test_rows_and_columns_may_be_left_out_and_moved(export):
    file = export("csv")
    header, *lines = file.read_text(encoding="utf-8").splitlines()
    kept = [header.split(",").index(name) for name in ("latency", "options", "height")]
    rows = [[line.split(",")[place] for place in kept] for line in [header, *lines] if '"' not in line]
    file.write_text("\n".join(",".join(row) for row in [rows[0], *rows[:0:-1]]) + "\n", encoding="utf-8")
    found = check(file, EXAMPLE)
    assert found.holds
    assert len(lines) < found.cells <= 2 * len(lines)


def test_a_line_about_an_operator_that_the_run_has_not_is_not_about_the_run(export):
    whole = check(export("markdown")).cells
    found = check(change(export("markdown"), "| DySample ", "| FADE     "))
    assert found.holds and found.unread == ("FADE",)
    assert found.cells < whole
    assert any("not checked, since example has no such operator: FADE" in line for line in found.lines())


RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("form", ["markdown", "latex", "csv"])
def test_shares_in_per_cent_stand(export, form):
    """Those of a person's own network, in a column whose unit is %."""
    run = RESULTS / "segformer-b1-cpu"
    found = check(export(form, runs=(run,)), run)
    assert not found.wrong and not found.unread and found.cells > 20


def test_what_the_terminal_printed_stands(capsys, tmp_path):
    run = RESULTS / "reference-cpu"
    assert main(["compare", str(run)]) == 0
    (tmp_path / "table.txt").write_text(capsys.readouterr().out, encoding="utf-8")
    found = check(tmp_path / "table.txt", run)
    assert found.wrong == () and found.cells > 100
    file = tmp_path / "said.txt"
    file.write_text("bilinear is fastest; it takes 99.9 ms\n", encoding="utf-8")
    assert [one.given for one in check(file, run).wrong] == ["99.9"]


@pytest.mark.parametrize("form", ["latex", "markdown", "terminal"])
def test_an_interval_without_its_value_stands_by_both_ends(form, tmp_path, capsys):
    run = write_run(tmp_path / "run", {"bilinear": one_round([1e-3, 2e-3, 30e-3]), "carafe": one_round([1e-3] * 3)})
    file = tmp_path / f"table{SUFFIX.get(form, '.txt')}"
    assert main(["compare", str(run.path)] if form == "terminal" else ["export", str(run.path), "--format", form]) == 0
    text = capsys.readouterr().out
    dash = "--" if form == "latex" else "–"
    found = re.search(rf"\d[\d.]*{dash}(\d\d+)", text)
    assert found is not None
    for said, wrong in ((text, 0), (text.replace(found[1], f"{found[1]}7"), 1)):
        file.write_text(said, encoding="utf-8")
        assert len(check(file, run.path).wrong) == wrong
    file.write_text("bilinear takes 1.07–3.91 ms\n", encoding="utf-8")
    assert [one.given for one in check(file, run.path).wrong] == ["1.07–3.91"]
    assert [one.stored.count("–") for one in check(file, run.path).wrong] == [1]
    file.write_text("bilinear and carafe take 1.00–3.915 ms\n", encoding="utf-8")  # no interval, but two values
    assert check(file, run.path).holds


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("carafe takes 4 times as long as a2u", []),
        ("a2u takes 0.25 times as long as carafe", []),
        ("carafe takes 3 times as long as a2u", ["3"]),  # as many as there are processes
        ("carafe takes 4 times as long", ["4"]),  # as what?
        ("a2u takes 16 times as long as carafe", ["16"]),  # of another shape
        ("a2u is 2 times slower", []),  # than bilinear, the reference
        ("a2u is 2 times slower than bilinear", []),
        ("a2u is 2 times slower than carafe", ["2"]),
    ],
)
def test_so_many_times_is_the_quotient_of_two_rows_of_a_workload(said, wrong, tmp_path):
    larger = timed_case("carafe", channels=16)
    timed = {"a2u": one_round([1.0] * 3), "carafe": one_round([4.0] * 3), larger: one_round([1 / 16] * 3)}
    timed["bilinear"] = one_round([0.5] * 3)
    run = write_run(tmp_path / "run", timed, reference="bilinear")
    (tmp_path / "text.txt").write_text(f"{said}\n", encoding="utf-8")
    assert [one.given for one in check(tmp_path / "text.txt", run.path).wrong] == wrong


def test_a_table_with_a_space_after_the_sign_of_a_spread_is_read_as_well(export):
    file = export("latex")
    spaced = change(change(file, "$\\pm$0.04", "$\\pm$\\,0.04"), "22.8 & $\\pm$0.5", "22.8 & $\\pm$\\,0.6")
    assert [one.given for one in check(spaced, None).wrong] == ["22.8 ±0.6"]


@pytest.mark.parametrize("form", ["markdown", "latex"])
@pytest.mark.parametrize("name", ["soft", "größe_上采样"])
def test_a_person_s_own_operator_is_checked_by_the_name_that_its_facts_had(export, tmp_path, form, name):
    """A run in which CARAFE is a person's own class, called Soft."""
    run = tmp_path / "mine"
    shutil.copytree(EXAMPLE, run)
    rows, manifest = run / "rows.jsonl", json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    text = rows.read_text(encoding="utf-8")
    rows.write_text(text.replace('"carafe"', '"mine:Soft"'), encoding="utf-8")
    manifest["own"] = {"mine:Soft": name}
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    file = export(form, runs=(run,))
    found = check(file, run)
    assert found.holds and found.unread == ()
    line = next(line for line in file.read_text(encoding="utf-8").splitlines() if re.match(rf"(\| )?{name[:2]}", line))
    wrong = check(change(file, line, line.replace("61.86", "16.86", 1)), run).wrong
    assert [one.row.split()[0] for one in wrong] == ["mine:Soft"]


def test_the_number_of_no_letter_is_no_accident(export):
    file = export("latex")
    for said in ("U+FFFFFF", "U+110000", "U+D800"):
        text = file.read_text(encoding="utf-8").replace("DySample", rf"\texttt{{{said}}}")
        file.with_name("odd.tex").write_text(text, encoding="utf-8")
        found = check(file.with_name("odd.tex"))
        assert found.holds and len(found.unread) == 2
        "\n".join(found.lines()).encode()  # can be printed


def test_a_run_is_found_beside_the_text_and_where_runs_are_kept(export, tmp_path, monkeypatch):
    file = export("latex")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        check(file)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "example").symlink_to(EXAMPLE)
    assert check(file).holds


@pytest.mark.parametrize("names", ["paper", "option"])
def test_numbers_in_the_name_of_a_variant_are_no_claims(export, names):
    flags = ("--variants", "--filter", "operator=a2u", "--names", names)
    file = export("markdown", *flags)
    assert ("A2U, rank 4" in file.read_text()) == (names == "paper")
    assert check(file).holds


def test_numbers_of_another_run_do_not_stand(export):
    wrong = check(export("markdown"), LATER).wrong
    assert "3.12 ±0.03" in [one.given for one in wrong]


def test_latex_that_a_person_took_apart_is_still_read(export):
    file = export("latex")
    text = file.read_text(encoding="utf-8").replace(r"\midrule", "\\midrule % a comment & more\n\\addlinespace")
    file.write_text("\\section{Costs}\n" + text.replace("36.93", "\\textbf{36.93}"), encoding="utf-8")
    assert check(file).holds


def test_the_exit_code_says_whether_the_table_stands(export, capsys):
    assert main(["check", "--claims", str(export("markdown"))]) == 0
    assert "values stand in" in capsys.readouterr().out
    file = change(export("markdown"), "1.91 ±0.04", "1.19 ±0.04")
    assert main(["check", "--claims", str(file)]) == 1
    assert "deconv 1×64×32×32: given 1.19 ±0.04, stored 1.91 ±0.04 (latency)" in capsys.readouterr().out
    assert main(["check", "--claims", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["wrong"][0]["stored"] == "1.91 ±0.04"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "does not say of which run"),
        ("just words", "does not say of which run"),
        ("\x00\xff", "does not say of which run"),
        ('a,"b\nc', "does not say of which run"),
        ("\\begin{tabular}{ll}", "does not say of which run"),
        ("| a |\n|---|\n| 1 |\n", "does not say of which run"),
        ("| a |\n|---|\n| 1 |\n\n- this table: rm -rf /\n", "allowed: a2u-bench export RUN"),
        ("| a |\n|---|\n| 1 |\n\n- this table: a2u-bench export x --out /etc/passwd\n", "says --out; allowed"),
        ("| a |\n|---|\n| 1 |\n\n- this table: a2u-bench export /nowhere\n", "no such folder"),
        ("| a |\n|---|\n| 1 |\n\n- this table: a2u-bench export 'x\n", "allowed: a2u-bench export RUN"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage_in_one_line(tmp_path, capsys, content, said):
    file = tmp_path / "table.txt"
    file.write_bytes(content.encode("utf-8", errors="replace"))
    assert main(["check", "--claims", str(file)]) == 2
    with pytest.raises(UsageError, match=said):
        check(file)
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--self", "--claims", "x"], ["--self", "--run", "x"]])
def test_check_needs_to_know_what(arguments, capsys):
    assert main(["check", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_file_that_is_not_there_is_wrong_usage(capsys):
    assert main(["check", "--claims", "/nowhere/table.csv"]) == 2
    assert "No such file" in capsys.readouterr().err

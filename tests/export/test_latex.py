"""LaTeX that one can print: in a column where it fits, on as many pages as it takes, with names as papers have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_golden_exports import compiled

from a2u_bench.audit.claims import check
from a2u_bench.cli import main
from a2u_bench.export._provenance import printed as sentence
from a2u_bench.export.latex import LEFT_OUT, lines
from a2u_bench.export.tex.cells import Cells, printed
from a2u_bench.export.tex.fit import COLUMN, TEXT, Fit, TexColumn, fit, lines_of, pages
from a2u_bench.tables.table import Heading, Table

RESULTS = Path(__file__).resolve().parents[2] / "results"
FEW = ("--filter", "options=nearest,bilinear,carafe,a2u,dysample")
TEN = ("--filter", "options=nearest,bilinear,deconv,pixel_shuffle,max_unpool,carafe,a2u,index_net,sapa,dysample")


def exported(capsys, run: str, *arguments: str) -> str:
    assert main(["export", str(RESULTS / run), "--format", "latex", *arguments]) == 0
    return capsys.readouterr().out


def names(made: str) -> list[str]:
    """The first cells of all rows."""
    rows = [line for line in made.splitlines() if line.endswith(" \\\\") and "&" in line]
    return [row.partition(" & ")[0].replace("\\allowbreak{}", "").replace("$\\times$", "×") for row in rows]


def test_restored_features_are_a_table_that_one_would_print(capsys):
    made = exported(capsys, "restoration")
    assert {"any convex 3×3 kernel", "constant kernel, gate free, kernel size 5", "joint bilateral"} <= set(names(made))
    assert {"A2U (ablated), gate softmax", "A2U", "FADE-Lite", "convex (RAFT)"} <= set(names(made))
    shown = "\n".join(line for line in made.splitlines() if not line.startswith("%"))
    for unwanted in ("gap", "core time", "loss", "references:", "gate=", "0.000", "$\\pm$0 "):
        assert unwanted not in shown
    first = made.partition("\\end{table")[0]
    over = re.findall(r"\\multicolumn\{7\}\{@\{\}l\}\{\\itshape (.*?)\}", first)
    assert over == ["ceiling", "reference", "convex, with guide", "convex", "mixes channels", "one tap"]
    assert first.count("\\par") == 1
    assert "Scores are means of 3 folds, $\\pm$ half their 95 \\% interval; share is how far" in first
    assert "% gain over bilinear: nobody differs significantly" in made  # what nobody prints is a comment
    assert made.count("\\par") == 2  # under each table what must be known of it


def test_pairs_are_named_after_their_operators_and_said_what_they_are(capsys):
    made = exported(capsys, "quality-fashion-short")
    assert names(made)[2:] == [
        *("conv / bilinear", "conv / nearest", "conv / deconvolution", "S2D / pixel shuffle"),
        *("twin / max unpooling", "pool / CARAFE", "twin / IndexNet", "twin / A2U"),
    ]
    assert "conv is a strided convolution, S2D is space to depth, pool is max pooling" in made
    assert "s2d/pixel\\_shuffle" in exported(capsys, "quality-fashion-short", "--names", "option").replace(
        "\\allowbreak{}", ""
    )


def test_columns_that_are_asked_for_are_there(capsys):
    made = exported(capsys, "restoration", "--columns", "section,gain,gap")
    assert "section" in made and "gap" in made
    assert "\\itshape" not in made


def test_every_column_can_be_asked_for(capsys):
    made = exported(capsys, "reference-cpu", "--columns", "all")
    assert "points wider than a page of article: choose fewer --columns" in made
    assert "{\\shortstack{of light \\\\ speed}}" in made


@pytest.mark.parametrize("asked", [FEW, TEN])
@pytest.mark.parametrize("cites", [False, True])
def test_a_default_table_of_costs_stands_in_one_column(asked, cites, tmp_path, capsys):
    bib = ("--bib", str(tmp_path / "x.bib")) if cites else ()
    made = exported(capsys, "reference-cpu", *asked, *bib)
    assert "\\begin{table}\n" in made
    assert "{\\shortstack{peak \\\\ mem}}" in made
    assert "Overfull" not in compiled(made, tmp_path, "twocolumn")


def test_a_default_table_of_a_network_stands_in_one_column(tmp_path, capsys):
    made = exported(capsys, "segformer-b1-cpu")
    assert "\\begin{table}\n" in made
    assert "Overfull" not in compiled(made, tmp_path, "twocolumn")


def test_a_table_that_does_not_fit_a_column_is_no_wider_than_its_cells(capsys):
    columns = "params,macs,latency,latency_ratio,peak_memory,upsampling_latency,upsampling_macs"
    made = exported(capsys, "segformer-b1-cpu", "--columns", columns)
    assert "\\begin{table*}\n" in made
    assert "tabularx" not in made
    assert "\\linewidth" not in made


PRINTED = {
    "restoration": (),
    "restoration-others": (),
    "quality-matting-short": (),
    "quality-fashion-short": (),
    "quality-a2u-ablation": (),
    "segformer-b1-cpu": (),
    "reference-cpu": ("--variants",),
    "peers-cpu": (),
}


@pytest.mark.parametrize("layout", ["twocolumn", "onecolumn"])
@pytest.mark.parametrize("run", PRINTED)
def test_the_tables_of_committed_runs_need_no_hand(run, layout, tmp_path, capsys):
    made = exported(capsys, run, *PRINTED[run])
    log = compiled(made, tmp_path, layout)
    for complaint in ("Overfull", "too large", "Package siunitx Warning"):
        assert complaint not in log
    (tmp_path / "table.tex").write_text(made, encoding="utf-8")
    assert check(tmp_path / "table.tex", RESULTS / run).holds


def test_the_last_heading_is_read_as_the_others_are(tmp_path, capsys):
    made = exported(capsys, "quality-fashion-short")
    swapped = made.replace("16.13 & $\\pm$0.18", "20.1 & $\\pm$0.2")  # which is its PSNR, not that of its edges
    assert swapped != made
    (tmp_path / "table.tex").write_text(swapped, encoding="utf-8")
    assert [one.column for one in check(tmp_path / "table.tex", RESULTS / "quality-fashion-short").wrong] == [
        "edge_psnr"
    ]


def test_rows_that_a_page_does_not_hold_go_on_in_another_table_of_the_same_number(capsys):
    made = exported(capsys, "reference-cpu", "--variants")
    assert made.count("\\begin{table*}") == 2
    assert made.count("\\addtocounter{table}{-1}\n\\caption{(continued)}\n") == 1
    assert made.count("\\label{") == made.count("\\raggedright") == 1
    assert made.index("\\raggedright") > made.index("(continued)")  # notes stand under the last


def table(cells: Sequence[tuple[str, ...]], *headings: Heading, **given: Any) -> Table:
    return Table("", (Heading("options", "operator", right=False), *headings), tuple(cells), **given)


def test_columns_that_nobody_asked_for_give_way_where_there_is_no_room():
    wide = [Heading("psnr", "a heading that is wide", right=True) for _ in range(9)]
    cells = [("x", *["123456.123456 ±0.123456"] * 9)]
    made = "".join(lines(table(cells, *wide), "tab:x", LEFT_OUT))
    assert made.startswith("% without psnr, psnr")
    assert "wider than a page" not in made
    assert 3 <= made.count("123456.123456") < 9
    asked = "".join(lines(table(cells, *wide), "tab:x"))
    assert "points wider than a page of article: choose fewer --columns" in asked
    assert asked.count("123456.123456") == 9


def test_a_section_is_said_again_where_a_page_begins_and_not_at_all_where_its_rows_are_apart():
    cells = [(f"name {n}", "1.0", "a" if n < 10 else "b") for n in range(50)]
    headings = Heading("gain", "gain", "dB"), Heading("section", "section", right=False)
    made = "".join(lines(table(cells, *headings), "tab:x", LEFT_OUT))
    assert re.findall(r"\\itshape (\w)\}", made) == ["a", "b", "b"]
    mixed = "".join(lines(table([cells[0], cells[40], cells[1]], *headings), "tab:x", LEFT_OUT))
    assert "\\itshape" not in mixed


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1 ±0", "1"), ("-0.0 ±0.3", "0.0 ±0.3"), ("-0", "0"), ("-0.02 ±0.03", "-0.02 ±0.03"), ("10 ±0", "10"), ("", "")],
)
def test_numbers_are_without_what_says_nothing(text, shown):
    assert printed(text) == shown


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1.5", "-0.25", ""], "S[table-format=-1.2]"),
        (["1.5 ±0.1", "10"], r"S[table-format=2.1]@{\,}l"),
        (["1.5 ±0.1", "0.12–406"], r"S[table-format=1.1]@{\,}l"),
        (["1.5", "n/a"], "r"),
        ([""], "r"),
    ],
)
def test_numbers_stand_under_each_other_at_their_points(texts, kind):
    assert Cells(Heading("psnr", "PSNR"), texts).kind == kind


def test_an_interval_without_its_value_stands_in_a_column_of_numbers():
    column = Cells(Heading("latency", "latency"), ["1.5 ±0.1", "0.12–406"], frozenset({1}))
    assert column.cell(0, False, False) == "1.5 & $\\pm$0.1"
    assert column.cell(1, False, False) == r"\multicolumn{2}{r}{\bfseries 0.12--406}"
    assert column.cell(1, False, True) == r"\multicolumn{2}{r@{}}{\bfseries 0.12--406}"
    assert Cells(column.heading, ["1.5", "0.12–406"]).cell(1, False, True) == "{0.12--406}"
    assert column.tex.width > Cells(column.heading, ["1.5 ±0.1"]).tex.width


def quads(*columns: float, folds: tuple[str, ...] = ()) -> Fit:
    return fit([TexColumn(columns[0], 1.0, folds), *map(TexColumn, columns[1:])])


def test_the_plainest_way_that_fits_is_taken():
    assert (quads(5, 5).wide, quads(5, 5).size.name, quads(5, 5).gap) == (False, "small", 6.0)
    tight = quads(8, 8, 9.4)
    assert (tight.wide, tight.size.name) == (False, "footnotesize")
    assert 2.5 <= tight.gap < 4
    assert 25.4 * 8.5 + 4 * tight.gap <= COLUMN
    assert (quads(14, 13).wide, quads(14, 13).size.name) == (False, "scriptsize")
    assert quads(15, 15).wide
    two = quads(20, 10, folds=("one and two", "three and four"))
    assert (two.wide, two.folded) == (False, 0)
    assert two.room + 10 * two.size.quad + 2 * two.gap <= COLUMN + 0.01
    many = quads(60, 20, folds=("words " * 40,))
    assert (many.wide, many.folded) == (True, 0)
    assert many.room + 20 * many.size.quad + 2 * many.gap <= TEXT + 0.01
    assert quads(60, 20).over > 0


def test_a_name_on_several_lines_is_as_high_as_it_is():
    assert lines_of("one", 5) == 1
    assert lines_of("one two three", 4) == 2
    assert lines_of("a/b/c/d", 1) == 4


def test_pages_hold_what_fits_and_are_about_as_full():
    chosen = quads(5, 5)
    assert [list(part) for part in pages([], chosen)] == [[]]
    assert pages([1] * 10, chosen) == [range(10)]
    assert [len(part) for part in pages([1] * 64, chosen)] == [22, 22, 20]
    assert [len(part) for part in pages([60, 1, 60], chosen)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("run: mine; CPU, 2 cores", "mine was measured on CPU, 2 cores."),
        ("ratio: to bilinear", "Ratio: to bilinear."),
        ("a2u is fastest", "a2u is fastest."),
        ("environment: grade D; a2u-bench doctor says what to do", "Environment: grade D."),
        ("no ratio: x was not timed; --baseline OP chooses another operator", "No ratio: x was not timed."),
        ("43 variants not shown (compare --variants)", ""),
        ("9 of 17 rows kept by --filter shape=1x64x32x32", ""),
        ("measured by: a2u-bench run", ""),
        ("low-pass and one--two", "Low-pass and one--two."),
    ],
)
def test_printed_notes_are_sentences_without_commands(note, said):
    assert sentence(note, ["mine", "a2u"]) == said


def test_full_notes_keep_commands_in_comments(capsys):
    made = exported(capsys, "reference-cpu", "--notes", "full")
    under = made.partition("\\raggedright\n")[2].partition("}\n\\end{table")[0]
    assert "a2u-bench" not in under and "-{}-" not in under
    assert "reference-cpu was measured on Intel" in under
    assert "DDF-Up, dilation 2 275 times" in under  # as the table names it
    comments = [line for line in made.splitlines() if line.startswith("% ")]
    assert "% 43 variants not shown (compare --variants)" in comments
    assert any(line.startswith("% measured by: a2u-bench run") for line in comments)
    assert any(line.startswith("% this table: a2u-bench export") for line in comments)
    trained = exported(capsys, "quality-fashion-short", "--notes", "full")
    assert "twin / IndexNet \\textgreater{} twin / max unpooling" in trained.replace("\\allowbreak{}", "")
    assert "Scores are means of 3 seeds" in trained

"""What a paper takes from a run: names, citations, a sentence, own operators last; and wrong requests in a line."""

from __future__ import annotations

import csv
import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_golden_exports import compiled

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import BY_NAME, make_row
from a2u_bench.export._provenance import without_folders
from a2u_bench.export.tex import bibtex
from a2u_bench.operators import papers
from a2u_bench.paper_names import Known, Publication, first_family
from a2u_bench.store.write import Store

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = str(ROOT / "results" / "reference-cpu")
NETWORK = str(ROOT / "results" / "segformer-b1-cpu")
OWN = "lab.nets:OurUp"
OURS = r"Our_Up 50% & $\alpha$ #1 {x}~^"


def row(options: str, variant: str, milliseconds: float, **measures: Any) -> dict[str, Any]:
    case = Case(options.partition(":")[0] if options != OWN else OWN, variant, options, 1, 8, 8, 8)
    low, high = milliseconds * 0.98e-3, milliseconds * 1.02e-3
    measures |= {"latency": milliseconds * 1e-3, "latency_low": low, "latency_high": high, "processes": 8, "params": 9}
    return make_row(case, "ok", "", measures)


@pytest.fixture
def run(tmp_path) -> str:
    """Own operators among ours, the fastest of all."""
    rows = [
        row(OWN, "default", 0.5),
        row("bilinear", "default", 1.0),
        row("a2u", "rank 1, shared", 3.0),
        row("a2u:rank=4,sharing=unshared", "rank 4, unshared", 4.0),
        row("a2u:kernel_size=5,rank=3", "kernel_size=5,rank=3", 5.0),
    ]
    with Store.create(tmp_path / "my_run", {"reference": "bilinear", "own": {OWN: OURS}}) as store:
        store.append_rows(rows)
    return str(tmp_path / "my_run")


def exported(capsys, *arguments: str) -> str:
    assert main(["export", *arguments]) == 0
    return capsys.readouterr().out


def names(made: str) -> list[str]:
    """The first cell of each line of a LaTeX table."""
    body = made.partition("\\midrule")[2].partition("\\bottomrule")[0]
    return [line.partition(" & ")[0].replace("\\allowbreak{}", "") for line in body.splitlines() if " & " in line]


def test_operators_have_their_names_in_papers_and_own_ones_stand_last_below_a_rule(run, capsys):
    made = exported(capsys, run, "--format", "latex", "--variants")
    ours = r"Our\_Up 50\% \& \$\textbackslash{}alpha\$ \#1 \{x\}\textasciitilde{}\textasciicircum{}"
    assert names(made) == ["bilinear", "A2U", "A2U, rank 4, unshared", "A2U, kernel size 5, rank 3", ours]
    assert made.count("\\midrule") == 2
    assert made.index("\\midrule", made.index("A2U, kernel")) < made.index("Our\\_")
    typed = exported(capsys, run, "--format", "latex", "--variants", "--names", "option")
    assert names(typed)[1] == "a2u"
    assert names(typed)[2] == r"a2u:rank=4,sharing=unshared"


def test_markdown_and_html_have_the_same_names_in_the_same_order(run, capsys):
    made = exported(capsys, run, "--format", "markdown", "--caption", "Costs *of* ours")
    assert [line.split("|")[1].strip() for line in made.splitlines() if line.startswith("| ")][2:4] == [
        "bilinear",
        "A2U",
    ]
    assert made.startswith(r"**Costs \*of\* ours**")
    page = exported(capsys, run, "--format", "html")
    assert page.index("A2U") < page.index('<tr class="own">') < page.index("Our_Up 50% &amp;")


def test_a_run_of_an_earlier_program_calls_an_own_operator_by_its_class(tmp_path, capsys):
    with Store.create(tmp_path / "run", {}) as store:
        store.append_rows([row(OWN, "default", 0.5), row("nearest", "default", 1.0)])
    assert names(exported(capsys, str(tmp_path / "run"), "--format", "latex")) == ["nearest", "OurUp"]


def test_under_the_table_stands_one_sentence_and_the_rest_is_in_comments(capsys):
    made = exported(capsys, REFERENCE, "--format", "latex")
    shown = "".join(line for line in made.splitlines(keepends=True) if not line.startswith("%"))
    notes = shown.partition("\\raggedright\n")[2].partition("}\n\\end{table")[0]
    assert notes.count("\\par") == 1
    assert notes.startswith(
        "Latency is the geometric mean of 8 to 64 processes, $\\pm$ half its 95 \\% interval, on Intel"
    )
    assert "ratio is to bilinear, timed beside it" in notes
    for word in ("doctor", "grade", "malloc", "results/", "--variants", "/"):
        assert word not in notes.replace("a2u-bench", "")
    assert "results" not in made
    assert "% this table: a2u-bench export reference-cpu --format latex\n" in made
    assert "% measured by: a2u-bench run --ops all" in made
    assert "\\raggedright" not in exported(capsys, REFERENCE, "--format", "latex", "--notes", "none")
    assert "grade" in exported(capsys, REFERENCE, "--format", "markdown", "--notes", "full")


def test_the_command_in_a_file_makes_the_file_again(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["export", REFERENCE, "--caption", "Cost / quality, 50% of -- it's ours", "--label", "tab:ours"]
    assert main([*asked, "--bib", str(tmp_path / "net.bib"), "--out", "table.tex"]) == 0
    made = (tmp_path / "table.tex").read_text(encoding="utf-8")
    command = next(line for line in made.splitlines() if line.startswith("% this table: ")).partition(": a2u-bench ")[2]
    (tmp_path / "results").symlink_to(Path(REFERENCE).parent)
    assert main([*shlex.split(command), "--out", "again.tex"]) == 0
    assert (tmp_path / "again.tex").read_text(encoding="utf-8") == made
    assert main(["check", "--claims", "again.tex"]) == 0


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("/home/me/results/mine", "mine"),
        ("--out=~/mine", "--out=mine"),
        ("C:\\me\\mine", "mine"),
        ("a2u:rank=4", "a2u:rank=4"),
        ("1x64x32x32", "1x64x32x32"),
        ("/", "/"),
    ],
)
def test_no_folder_of_anyone_is_in_a_file_that_is_published(word, said):
    assert without_folders(word) == said


def test_work_in_a_network_is_said_to_be_torch_s_count_of_the_whole(capsys):
    made = exported(capsys, NETWORK, "--format", "latex")
    assert "MACs are of the whole network, as torch counts them" in made
    assert "formula" not in made
    assert "docs/" not in made
    assert "MACs are by the operator's formula" in exported(capsys, REFERENCE, "--format", "latex")


def test_caption_and_label_are_what_was_asked_for_and_labels_differ(run, tmp_path, capsys):
    asked = exported(capsys, run, "--format", "latex", "--caption", "50% of {it}", "--label", "tab:ours")
    assert "\\caption{50\\% of \\{it\\}}\n\\label{tab:ours}\n" in asked
    assert "\\label{tab:my-run}" in exported(capsys, run, "--format", "latex")
    for name in ("one.tex", "two.tex"):
        exported(capsys, run, "--out", str(tmp_path / name))
    labels = [re.findall(r"\\label\{(.*?)\}", (tmp_path / name).read_text()) for name in ("one.tex", "two.tex")]
    assert labels == [["tab:one"], ["tab:two"]]


def test_papers_are_cited_once_an_operator_and_stand_in_the_bibliography(run, tmp_path, capsys):
    made = exported(capsys, run, "--format", "latex", "--variants", "--bib", str(tmp_path / "ops.bib"))
    assert re.findall(r"[~ ]\\cite\{(.*?)\}", made) == ["gonzalez2018digital", "dai2021learning"]
    assert "A2U \\cite{dai2021learning} &" in made
    short = exported(capsys, REFERENCE, "--format", "latex", "--bib", str(tmp_path / "all.bib"))
    assert "A2U~\\cite{dai2021learning} &" in short  # where no name is on two lines
    entries = (tmp_path / "ops.bib").read_text(encoding="utf-8")
    assert re.findall(r"^@(\w+)\{(\w+),", entries, re.MULTILINE) == [
        ("inproceedings", "dai2021learning"),
        ("book", "gonzalez2018digital"),
    ]
    assert "  author = {Yutong Dai and Hao Lu and Chunhua Shen},\n" in entries
    assert "  eprint = {2011.14288},\n" in entries


def test_every_paper_has_a_key_of_its_own_and_a_kind_that_suits_its_venue():
    known = papers.known()
    keys = bibtex.keys(known)
    assert set(keys) == set(known)
    assert len(set(keys.values())) == len({one.paper for one in known.values()})
    kinds = {one.paper.venue: bibtex._where(one.paper.venue)[0] for one in known.values() if one.paper}
    journals = {venue for venue, kind in kinds.items() if kind == "article"}
    assert journals == {"ACM TOG", "IJCV", "IEEE TPAMI", "IEEE TPAMI 39(12)", "IEEE Trans. ASSP 29(6)"}
    assert bibtex._where("IEEE TPAMI 39(12)")[1] == {"journal": "IEEE TPAMI", "volume": "39", "number": "12"}
    assert r"Husz{\'{a}}r" in bibtex.bibliography(keys, known)


def test_authors_have_given_names_and_the_first_one_s_family_name_is_in_the_key():
    known = papers.known()
    authors = [name for one in known.values() if one.paper for name in one.paper.authors.split(", ")]
    assert len(authors) > 100 and all(len(name.split()) > 1 for name in authors)
    assert bibtex.keys(known)["carafe"] == "wang2019carafe"
    assert [first_family(names) for names in ("Chen Change Loy, Dahua Lin", "Lu, Dai", "You", "")] == [
        *("Loy", "Lu", "You", ""),
    ]


def test_two_papers_that_would_share_a_key_get_letters():
    papers = {name: Known(name, Publication("Lu, Dai", f"A {name}: one", "ECCV", 2022)) for name in ("Fade", "fade")}
    assert bibtex.keys(papers) == {"Fade": "lu2022fade", "fade": "lu2022fadea"}


def test_a_person_s_own_paper_takes_no_key_of_ours():
    ours, own = Publication("Lu, Dai", "FADE: one", "ECCV", 2022), Publication("Lu", "Fade again", "arXiv", 2022)
    known = {"a:Up": Known("up", own, own=True), "fade": Known("FADE", ours)}
    assert bibtex.keys(known) == {"fade": "lu2022fade", "a:Up": "lu2022fadea"}


def test_a_paper_of_a_stranger_runs_nothing_in_bibtex():
    paper = Publication("A, , B", "\\input{x} 50% ~^ }{\x1b[31m\n@", "v_1", 2026, "1}")
    made = bibtex.bibliography({"a:Up": "a2026input"}, {"a:Up": Known("up", paper, own=True)})
    assert made == (
        "@article{a2026input,\n  author = {A and B},\n"
        "  title = {{\\textbackslash{}input\\textbraceleft{}x\\textbraceright{} 50\\% "
        "\\textasciitilde{}\\textasciicircum{} \\textbraceright{}\\textbraceleft{} @}},\n"
        "  journal = {v\\_1},\n  year = {2026},\n  eprint = {1\\textbraceright{}},\n  archivePrefix = {arXiv},\n}\n"
    )


def test_the_bibliography_is_read_by_bibtex(tmp_path, capsys):
    if shutil.which("bibtex") is None:
        pytest.skip("no bibtex here")
    exported(capsys, REFERENCE, "--format", "latex", "--bib", str(tmp_path / "ops.bib"))
    lines = ["\\citation{*}", "\\bibstyle{plain}", "\\bibdata{ops}"]
    (tmp_path / "paper.aux").write_text("\n".join(lines) + "\n")
    done = subprocess.run(["bibtex", "paper"], cwd=tmp_path, capture_output=True, text=True)
    assert "Warning" not in done.stdout
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "paper.bbl").read_text().count("\\bibitem") == 20


def test_the_paper_of_a_person_s_own_operator_is_cited_where_its_run_has_it(tmp_path, capsys):
    paper = {"authors": "You", "title": "Your paper", "venue": "arXiv", "year": 2026, "arxiv": ""}
    with Store.create(tmp_path / "run", {"own": {OWN: "soft"}, "papers": {OWN: paper}}) as store:
        store.append_rows([row(OWN, "default", 0.5), row("nearest", "default", 1.0)])
    bib = tmp_path / "mine.bib"
    made = exported(capsys, str(tmp_path / "run"), "--format", "latex", "--bib", str(bib))
    assert names(made) == ["nearest~\\cite{gonzalez2018digital}", "soft~\\cite{you2026your}"]
    assert "@misc{you2026your,\n  author = {You},\n  title = {{Your paper}}," in bib.read_text()


def test_one_bibliography_of_several_tables_has_each_paper_once_and_keeps_what_stands_in_it(run, tmp_path, capsys):
    bib = tmp_path / "paper.bib"
    mine = b"@string{x = {y}}\n@Article(Dai2021Learning, title = {Mine})\n% caf\xe9\r\n@comment{gonzalez2018digital, }"
    bib.write_bytes(mine)
    first = exported(capsys, REFERENCE, "--format", "latex", "--bib", str(bib))
    held = bib.read_bytes()
    assert held.startswith(mine + b"\n\n@")
    added = re.findall(rb"^@\w+\{(\w+),", held[len(mine) :], re.MULTILINE)
    assert b"gonzalez2018digital" in added
    assert b"dai2021learning" not in added  # BibTeX takes it for the same as the person's
    assert len(added) == len(set(added)) == 19
    second = exported(capsys, run, "--format", "latex", "--bib", str(bib))
    assert bib.read_bytes() == held
    assert "\\cite{dai2021learning}" in first and "\\cite{dai2021learning}" in second


@pytest.mark.parametrize("layout", ["onecolumn", "twocolumn"])
def test_latex_with_own_names_and_citations_compiles_and_fits(layout, run, tmp_path, capsys):
    log = compiled(
        exported(capsys, run, "--format", "latex", "--variants", "--bib", str(tmp_path / "b.bib")), tmp_path, layout
    )
    assert "Overfull" not in log
    made = exported(capsys, REFERENCE, "--format", "latex", "--bib", str(tmp_path / "c.bib"))
    assert "Overfull" not in compiled(made, tmp_path, layout)


def test_a_table_that_fits_stands_in_one_column(capsys):
    assert "\\begin{table}\n" in exported(capsys, REFERENCE, "--format", "latex", "--columns", "params,macs,latency")
    assert "\\begin{table*}\n" in exported(capsys, REFERENCE, "--format", "latex")


def test_csv_has_the_columns_that_hold_something_unless_all_are_asked_for(run, capsys):
    rows = list(csv.DictReader(io.StringIO(exported(capsys, run))))
    assert "psnr" not in rows[0]
    assert all(any(row[name] for row in rows) for name in rows[0])
    assert rows[0]["options"] == OWN  # as it is typed
    everything = next(csv.reader(io.StringIO(exported(capsys, run, "--columns", "all"))))
    assert set(BY_NAME) <= set(everything)


def test_csv_is_written_with_the_separators_that_a_spreadsheet_wants(run, capsys):
    made = exported(capsys, run, "--sep", ";", "--decimal", ",", "--columns", "options,latency,params")
    assert made.splitlines()[:2] == ["options;latency;params", f"{OWN};0,0005;9"]


ONE_LINE = {
    "an unknown ending": (["--out", "table.docx"], "docx"),
    "separators that clash": (["--sep", ",", "--decimal", ","], "are the same; allowed: --sep ';' --decimal ','"),
    "a separator of two letters": (["--sep", ";;"], "--sep ';;': allowed: one character"),
    "a digit between cells": (["--sep", "1"], "--sep '1': allowed"),
    "a decimal that is none": (["--decimal", "x"], "--decimal 'x': allowed: . or ,"),
    "separators of no CSV": (["--format", "latex", "--sep", ";"], "--sep and --decimal are for --format csv"),
    "a bibliography of no LaTeX": (["--format", "markdown", "--bib", "a.bib"], "--bib is for --format latex"),
    "one file for both": (["--out", "a.tex", "--bib", "a.tex"], "is --out too"),
    "a label that LaTeX cannot read": (["--format", "latex", "--label", "a b}"], "--label 'a b}': allowed: letters"),
    "names of another kind": (["--format", "latex", "--names", "long"], "paper, option"),
    "notes of another length": (["--format", "latex", "--notes", "long"], "none, short, full"),
    "nothing left": (["--format", "latex", "--filter", "latency<1ns"], "no row is left: 0 of 5 rows kept by"),
    "an operator that is not there": (["--filter", "operator=carafe"], "no row has operator 'carafe'"),
}


@pytest.mark.parametrize("what", ONE_LINE)
def test_wrong_usage_is_one_line_and_writes_nothing(what, run, tmp_path, monkeypatch, capsys):
    arguments, said = ONE_LINE[what]
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main(["export", run, *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err.splitlines()[-1]
    assert printed.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_operators_without_a_paper_keep_their_names_and_have_no_key(tmp_path, capsys):
    with Store.create(tmp_path / "run", {}) as store:
        store.append_rows([row(OWN, "default", 0.5)])
    made = exported(capsys, str(tmp_path / "run"), "--format", "latex", "--bib", str(tmp_path / "none.bib"))
    assert "\\cite" not in made
    assert "OurUp" in made
    assert (tmp_path / "none.bib").read_text() == ""

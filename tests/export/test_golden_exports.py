"""Every export of the example run, to the last character. `python tests/test_golden_exports.py` writes them anew."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from a2u_bench.cli import main

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "exports"
RUN, LATER = "tests/golden/runs/example", "tests/golden/runs/example-later"

# Not all columns, so that a new one changes nothing here; `test_export` has them all.
COLUMNS = (
    "case,operator,variant,options,batch,channels,height,width,scale,dtype,layout,mode,runtime,device,threads,status,reason,"
    "params,macs,macs_fvcore,latency,latency_low,latency_high,samples,processes,stopped,peak_memory,saved_memory"
)

EXPORTS = {
    "rows.csv": ["export", RUN, "--columns", COLUMNS],
    "grid.csv": ["export", RUN, "--by", "operator,shape"],
    "ratios.csv": ["export", RUN, "--baseline", "bilinear", "--columns", "options,shape,latency_ratio,verdict"],
    "rows.json": ["export", RUN, "--format", "json", "--filter", "operator=a2u", "--columns", COLUMNS],
    "table.md": ["export", RUN, "--format", "markdown", "--baseline", "bilinear"],
    "grid.md": ["export", RUN, "--format", "markdown", "--by", "operator,shape", "--sort", "shape,latency"],
    "changes.md": ["export", RUN, LATER, "--format", "markdown"],
    "table.tex": ["export", RUN, "--format", "latex", "--filter", "shape=1x64x32x32"],
    "grid.tex": ["export", RUN, "--format", "latex", "--by", "operator,shape"],
    "changes.tex": ["export", RUN, LATER, "--format", "latex", "--columns", "latency"],
    "table.html": ["export", RUN, "--format", "html", "--convention", "flop", "--columns", "macs,latency"],
    "compare.txt": ["compare", RUN, "--baseline", "bilinear"],
    "compare.json": [
        "compare",
        RUN,
        LATER,
        "--json",
        "--fail-if",
        "latency>5%",
        "--filter",
        "operator=a2u,nearest",
        "--columns",
        "latency",
    ],
}


@pytest.fixture
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_what_it_was(name, at_root, capsys):
    assert main(EXPORTS[name]) == (3 if "--fail-if" in EXPORTS[name] else 0)
    assert capsys.readouterr().out == (GOLDEN / name).read_text(encoding="utf-8", errors="strict")


def test_a_file_holds_the_same_as_standard_output(at_root, tmp_path, capsys):
    assert main([*EXPORTS["grid.tex"], "--out", str(tmp_path / "grid.tex")]) == 0
    assert capsys.readouterr().out == ""
    made = (tmp_path / "grid.tex").read_bytes()
    assert made.replace(b"{tab:grid}", b"{tab:example}") == (GOLDEN / "grid.tex").read_bytes()


def test_parquet_holds_what_csv_holds(at_root, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    assert main([*EXPORTS["rows.csv"], "--format", "parquet", "--out", str(tmp_path / "rows.parquet")]) == 0
    read = parquet.read_table(tmp_path / "rows.parquet").to_pydict()
    rows = list(csv.DictReader(io.StringIO((GOLDEN / "rows.csv").read_text(encoding="utf-8"))))
    assert list(read) == list(rows[0])
    for name, values in read.items():
        assert ["" if value is None else str(value) for value in values] == [row[name] for row in rows]


def test_without_pyarrow_parquet_is_one_line_and_the_file_stays_as_it_was(tmp_path):
    (tmp_path / "rows.parquet").write_text("old")
    code = "import sys; sys.modules['pyarrow'] = None; from a2u_bench.cli import main; sys.exit(main(sys.argv[1:]))"
    flags = ["export", RUN, "--format", "parquet", "--out", str(tmp_path / "rows.parquet")]
    done = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True, cwd=ROOT)
    last = done.stderr.splitlines()[-1]
    assert last == "error: parquet needs pyarrow, which is not installed: pip install 'a2u-bench[parquet]'"
    assert done.returncode == 1
    assert (tmp_path / "rows.parquet").read_text() == "old"


COSTS = ["--columns", "params,macs,latency", "--filter", "operator=bilinear,carafe,sapa"]

HOSTILE = '\\input{/etc/passwd} #1 $x^2$ {a_b} 50% & ~ <b> | "q" `c` -- × µ → é 漢 *[z]'

DOCUMENT = r"""\documentclass[%s]{article}
\usepackage{booktabs}
\usepackage{siunitx}
\begin{document}
\input{table.tex}
\end{document}
"""


def compiled(table: str, folder: Path, layout: str = "onecolumn") -> str:
    """The text of LaTeX's log; fails where it stops at an error."""
    tex = shutil.which("pdflatex")
    if tex is None or subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True).returncode:
        pytest.skip("no pdflatex with siunitx here")
    (folder / "table.tex").write_text(table, encoding="utf-8")
    (folder / "document.tex").write_text(DOCUMENT % layout)
    command = [tex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "document.tex"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, timeout=300, env={**os.environ, "HOME": str(folder)}
    )
    log = (folder / "document.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert (folder / "document.pdf").read_bytes().startswith(b"%PDF")
    return log


@pytest.mark.parametrize("layout", ["onecolumn", "twocolumn"])
@pytest.mark.parametrize("name", [name for name in EXPORTS if name.endswith(".tex")])
def test_latex_compiles_and_fits_the_page(name, layout, tmp_path):
    log = compiled((GOLDEN / name).read_text(encoding="utf-8"), tmp_path, layout)
    assert "Package siunitx Warning" not in log
    assert "Overfull" not in log


@pytest.mark.parametrize("layout", ["onecolumn", "twocolumn"])
@pytest.mark.parametrize("arguments", [[], ["--baseline", "bilinear"], ["--filter", "operator=a2u"], COSTS])
def test_the_table_of_the_committed_run_fits_the_page(arguments, layout, at_root, tmp_path, capsys):
    assert main(["export", "results/reference-cpu", "--format", "latex", *arguments]) == 0
    assert "Overfull" not in compiled(capsys.readouterr().out, tmp_path, layout)


def test_a_table_too_wide_for_any_page_says_so(at_root, capsys):
    names = "params,macs,macs_fvcore,macs_torch,latency,latency_best,output_memory,peak_memory,first_memory"
    assert main(["export", RUN, "--format", "latex", "--columns", names]) == 0
    assert "points wider than a page of article: choose fewer --columns" in capsys.readouterr().out


def test_latex_compiles_whatever_the_texts_of_a_run_are(tmp_path):
    from a2u_bench.export.latex import lines
    from a2u_bench.tables.table import Heading, Table

    headings = (
        Heading("options", HOSTILE, right=False),
        Heading("latency", HOSTILE, "µs"),
        Heading("psnr", "PSNR", "dB"),
    )
    cells = ((HOSTILE, "1.20 ±0.10", "31.2"), ("[x]", "1.2 (1.1–1.9)", ""), ("*", "-3", "0"), ("", "", "n/a"))
    table = Table(HOSTILE, headings, cells, (HOSTILE, "[note]", "*"), frozenset({(0, 0), (0, 1), (1, 1), (3, 2)}))
    log = compiled("".join(lines(table, "tab:x")), tmp_path)
    assert "(/etc/passwd" not in log  # as LaTeX says of each file that it opens


def refresh() -> None:
    """Write every export as it is now; what changed is then for a person to judge."""
    from contextlib import redirect_stdout

    os.chdir(ROOT)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, arguments in EXPORTS.items():
        out = io.StringIO()
        with redirect_stdout(out):
            main(arguments)
        (GOLDEN / name).write_text(out.getvalue(), encoding="utf-8", newline="")


if __name__ == "__main__":
    refresh()

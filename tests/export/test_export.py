"""Exports, to the last character."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pandas as pd
import pytest

from a2u_bench.case import Case
from a2u_bench.columns import COLUMNS, ON_DEMAND, make_row
from a2u_bench.export import csv as csv_export
from a2u_bench.export import html, latex, markdown
from a2u_bench.export.csv import harmless
from a2u_bench.export.tex.text import escape
from a2u_bench.store.frames import to_frame
from a2u_bench.tables.layout import Heading, Table

HEADER = ",".join(column.name for column in COLUMNS)


def export(frame: pd.DataFrame) -> str:
    return "".join(csv_export.export(frame.drop(columns=[*ON_DEMAND], errors="ignore")))


def row(status: str = "ok", reason: str = "", **measures):
    options = "a2u:rank=4,sharing=unshared"
    return make_row(Case("a2u", "rank 4", options, 1, 64, 32, 32, threads=2), status, reason, measures)


def test_csv_to_the_last_character():
    name = row()["case"]
    measures: dict[str, Any] = {
        "params": 36_928,
        "macs": 2**53 + 1,
        "latency": 0.0012000000000000001,
        "samples": 24,
        "processes": 6,
        "stopped": "budget",
    }
    axes = f'{name},a2u,rank 4,"a2u:rank=4,sharing=unshared",1,64,32,32,2,float32,contiguous,inference,eager,cpu,2'
    names = [column.name for column in COLUMNS]
    between = "," * (names.index("status") - names.index("threads") - 1)  # axes that are not known
    after = names[names.index("reason") + 1 :]
    ok = "".join(f",{measures.get(measure, '')}" for measure in after)
    assert "36928,9007199254740993," in ok
    assert "0.0012000000000000001" in ok
    assert export(to_frame([row(**measures), row("failed", "boom, twice")])) == (
        f'{HEADER}\n{axes}{between},ok,{ok}\n{axes}{between},failed,"boom, twice"{"," * len(after)}\n'
    )


def test_no_rows_are_a_header():
    assert export(to_frame([])) == HEADER + "\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\x1b[0m=1", "\r=1"])
def test_no_text_is_a_formula_for_a_spreadsheet(text):
    assert harmless(text).startswith("'")
    line = export(to_frame([row("failed", text)])).splitlines()[1]
    cell = next(csv.reader([line]))[[column.name for column in COLUMNS].index("reason")]
    assert cell.startswith("'")


def test_a_number_below_zero_stays_a_number():
    assert ",-1.5," in export(to_frame([row(latency=-1.5)]))


def test_every_digit_of_a_number_is_read_back():
    line, other = csv.DictReader(
        io.StringIO(export(to_frame([row(latency=0.1 + 0.2, params=0), row("failed", 'a "quoted"\nreason')])))
    )
    assert float(line["latency"]) == 0.1 + 0.2
    assert line["params"] == "0"
    assert other["reason"] == 'a "quoted" reason'


def test_pandas_reads_back_unknown_values_as_unknown():
    types = {column.name: column.dtype for column in COLUMNS}
    back = pd.read_csv(io.StringIO(export(to_frame([row()]))), dtype=types, keep_default_na=False, na_values=[""])
    assert back["latency"].isna().tolist() == [True]


HOSTILE = "<script>alert(1)</script> | **b** _i_ `c` [x](http://y) @me $z$ & \x1b[31m\n# h {\\input{x}} 50% \u202e"


def table() -> Table:
    headings = (Heading("options", HOSTILE, right=False), Heading("latency", "latency", "ms"))
    return Table(HOSTILE, headings, ((HOSTILE, "1.20 ±0.10"),), (HOSTILE,), frozenset({(0, 1)}))


def test_markdown_shows_texts_as_they_are():
    made = "".join(markdown.lines(table()))
    assert "**1.20 ±0.10**" in made
    said = (
        r"&lt;script&gt;alert(1)&lt;/script&gt; \| \*\*b\*\* \_i\_ \`c\` \[x\](http://y) &#64;me \$z\$ &amp;  # h "
        r"\{\\input\{x\}\} 50%  "
    )
    assert [line for line in made.splitlines() if line.startswith("- ")] == [f"- {said}".rstrip() + "  "]
    cells = next(line for line in made.splitlines() if "±" in line)
    assert len(re.findall(r"(?<!\\)\|", cells)) == 3


def test_html_shows_texts_as_they_are():
    made = "".join(html._table(table()))
    assert "<strong>1.20 ±0.10</strong>" in made
    assert "<script" not in made
    assert made.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4
    assert set(re.findall(r"<(\w+)", made)) == {
        "table",
        "caption",
        "thead",
        "tr",
        "th",
        "tbody",
        "td",
        "strong",
        "p",
    }


def test_latex_shows_texts_as_they_are():
    assert escape(HOSTILE) == (
        r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} \textbar{} **b** \_i\_ "
        r"\textasciigrave{}c\textasciigrave{} [x](http://y) @me \$z\$ \&  \# h \{\textbackslash{}input\{x\}\} 50\%  "
    )
    assert escape("--flag - – × µ é 漢") == r"-{}-flag - -- $\times$ $\mu$ é \texttt{U+6F22}"


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("ms", r"\unit{\milli\second}"),
        ("B", r"\unit{\byte}"),
        ("GB", r"\unit{\giga\byte}"),
        ("dB", r"\unit{\decibel}"),
        ("M", "M"),
    ],
)
def test_units_in_latex_headings(unit, text):
    made = "".join(latex.lines(Table("", (Heading("x", "x", unit),), (("1",),)), "tab:x"))
    assert f"\n{{x}} \\\\\n{{[{text}]}} \\\\\n" in made


def test_an_unknown_value_alone_in_its_row_is_still_a_row():
    frame = to_frame([row(), row(latency=1.0)])[["latency"]]
    assert export(frame) == 'latency\n""\n1.0\n'
    assert list(csv.reader(io.StringIO(export(frame)))) == [["latency"], [""], ["1.0"]]


def test_a_column_of_zeros_of_both_signs_keeps_them():
    assert export(pd.DataFrame({"loss": pd.array([0.0, -0.0], dtype="Float64")})) == "loss\n0.0\n-0.0\n"

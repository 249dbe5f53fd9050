"""Exports, to the last character."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd
import pytest

from a2u_bench.export import csv as csv_export
from a2u_bench.export.csv import harmless
from a2u_bench.frames import to_frame
from a2u_bench.record import COLUMNS, make_row
from a2u_bench.spec import Case

HEADER = ",".join(column.name for column in COLUMNS)


def export(frame: pd.DataFrame) -> str:
    return "".join(csv_export.export(frame))


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
    ok = "36928,9007199254740993,,,0.0012000000000000001,,,,,,24,6,budget"
    names = [column.name for column in COLUMNS]
    axes += "," * (names.index("status") - names.index("threads") - 1)  # axes that are not known
    after_reason = len(names) - 1 - names.index("reason")
    after_stopped = len(names) - 1 - names.index("stopped")
    assert export(to_frame([row(**measures), row("failed", "boom, twice")])) == (
        f'{HEADER}\n{axes},ok,,{ok}{"," * after_stopped}\n{axes},failed,"boom, twice"{"," * after_reason}\n'
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

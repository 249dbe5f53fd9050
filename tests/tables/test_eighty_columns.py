"""What is printed fits a terminal of 80 columns, and no word is broken where there is room for it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from a2u_bench.cli import main
from a2u_bench.tables import terminal

RUNS = Path(__file__).parents[1] / "golden" / "runs"
RESULTS = Path(__file__).parents[2] / "results"
REFERENCE = str(RESULTS / "reference-cpu")
EXAMPLE, LATER = str(RUNS / "example"), str(RUNS / "example-later")


def printed(monkeypatch, arguments: list[str], width: int = 80) -> list[str]:
    out = io.StringIO()
    monkeypatch.setattr(
        terminal, "console", lambda: Console(file=out, width=width, force_terminal=True, color_system=None)
    )
    assert main(arguments) == 0
    return out.getvalue().splitlines()


COMMANDS = {
    "ls": ["ls"],
    "show a2u": ["show", "a2u"],
    "show index_net": ["show", "index_net"],
    "compare": ["compare", EXAMPLE],
    "compare with verdicts": ["compare", EXAMPLE, "--baseline", "bilinear", "--filter", "shape=1x64x32x32"],
    "compare two runs": ["compare", EXAMPLE, LATER],
    "compare a network with a baseline": ["compare", str(RESULTS / "segformer-b1-cpu"), "--baseline", "original"],
    "compare the committed run": ["compare", REFERENCE, "--baseline", "bilinear"],
    "recommend": ["recommend", REFERENCE, "--budget", "latency=2ms,memory=64MB", "--all"],
    "shares of the floor": ["compare", REFERENCE, "--columns", "latency,floor,floor_share,onnx"],
    "compare by keys": ["compare", EXAMPLE, "--by", "operator,shape", "--columns", "latency,macs,params"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_fits(name, monkeypatch):
    lines = printed(monkeypatch, COMMANDS[name])
    assert len(lines) > 5
    assert [line for line in lines if cell_len(line) > 80] == []


@pytest.mark.parametrize("name", ["compare a network with a baseline", "compare the committed run"])
def test_what_nobody_chose_needs_no_second_part(name, monkeypatch):
    assert [line for line in printed(monkeypatch, COMMANDS[name]) if "part 2" in line] == []


@pytest.mark.parametrize(
    "run", ["primitive-cpu", "restoration", "peers-cpu", "reference-cpu", "engines-cpu", "quality-fashion-short"]
)
@pytest.mark.parametrize("width", [80, 100])
def test_no_word_is_broken_and_nothing_is_lost(run, width, monkeypatch):
    narrow, wide = (
        re.split(r"[\s:,=/─]+", " ".join(printed(monkeypatch, ["compare", str(RESULTS / run)], wide)))
        for wide in (width, 400)
    )
    assert set(wide) - set(narrow) == set()
    assert {word for word in set(narrow) - set(wide) if not re.fullmatch(r"\(part|of|\d+\)?", word)} == set()


def test_the_list_of_commands_cuts_no_summary_short(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    summaries = capsys.readouterr().out.partition("Commands:")[2].splitlines()
    assert len(summaries) > 10
    assert [line for line in summaries if len(line) > 80 or line.endswith("...")] == []


def test_ls_breaks_no_word(monkeypatch):
    narrow, wide = (" ".join(printed(monkeypatch, ["ls"], width)).replace("─", " ").split() for width in (80, 300))
    assert sorted(narrow) == sorted(wide)

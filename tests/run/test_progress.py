"""The bar of a run counts one thing at a time and never runs backwards; what goes wrong is told once."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from a2u_bench.case import Case
from a2u_bench.run.progress import TRIALS, progress

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def case(number: int) -> Case:
    return Case(f"o{number}", "", f"o{number}", 1, 8, 4, 4)


def row(number: int, status: str = "ok", reason: str = "") -> dict[str, Any]:
    return {"options": f"o{number}", "status": status, "reason": reason}


def drawn(is_terminal: bool) -> list[str]:
    """What is drawn of a run of eight cases and a reference, four of which there was no time for."""
    text = io.StringIO()
    with progress(Console(file=text, force_terminal=is_terminal, width=160)) as bar:
        bar.planned(8, 8)
        for number in range(9):  # the reference has a row already and is checked again
            bar.doing(case(number), "check")
        bar.advanced(2.0, 30.0, "timing")
        bar.row_done(row(0, "failed", "boom"))
        bar.advanced(5.0, 20.0, "timing")
        bar.row_done(row(1))
        for number in range(2, 6):
            bar.row_done(row(number, "timeout", "the time of the run was over before it was timed"))
    return [line for line in ANSI.sub("", text.getvalue()).replace("\r", "\n").split("\n") if line.strip()]


def test_a_row_names_a_runtime_that_is_not_pytorch_as_it_is() -> None:
    text = io.StringIO()
    with progress(Console(file=text, force_terminal=False, width=160)) as bar:
        bar.planned(2, 2)
        for runtime in ("eager", "openvino"):
            bar.row_done(row(0) | {"runtime": runtime})
    assert text.getvalue().splitlines() == ["1/2 o0 ok", "2/2 o0 openvino ok"]


def test_cases_that_are_tried_are_counted_as_they_are() -> None:
    text = io.StringIO()
    with progress(Console(file=text, force_terminal=True, width=160), TRIALS) as bar:
        bar.planned(2, 2)
        for number in range(2):
            bar.doing(case(number), "try")
            bar.row_done(row(number))
    for said in ("tried 0/2", "trying o0 1×8×4×4 ×2", "tried 1/2", "trying o1 1×8×4×4 ×2", "tried 2/2"):
        assert said in text.getvalue()
    assert "check" not in text.getvalue()


@pytest.mark.parametrize("word", ["checked", "timed"])
def test_what_is_counted_never_falls_and_never_passes_its_total(word: str) -> None:
    counts = [tuple(map(int, found)) for line in drawn(True) for found in re.findall(rf"{word} (\d+)/(\d+)", line)]
    assert len(counts) > 3
    assert [done for done, _ in counts] == sorted(done for done, _ in counts)
    assert all(done <= of for done, of in counts)


def test_beside_the_bar_no_second_count_runs_behind_it() -> None:
    lines = [line for line in drawn(True) if "boom" in line or "the time of the run" in line]
    assert [line.strip() for line in lines] == [
        "o0 failed: boom",
        "o2 timeout: the time of the run was over before it was timed",
    ]


def test_without_a_terminal_each_row_is_a_line_and_a_reason_is_told_once() -> None:
    assert drawn(False) == [
        "checking 8 cases",
        "up to about 30 s left",
        "1/8 o0 failed: boom",
        "2/8 o1 ok",
        "3/8 o2 timeout: the time of the run was over before it was timed",
        "4/8 o3 timeout: as above",
        "5/8 o4 timeout: as above",
        "6/8 o5 timeout: as above",
    ]

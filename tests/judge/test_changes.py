"""Two runs are compared by the ratios to their reference, so that a machine that is slower later is taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from timed_runs import case, one_round, write_run

from a2u_bench.cli import main
from a2u_bench.store.read import Run
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import View, make

OPERATORS = {"bilinear": 1.0, "nearest": 0.7, "a2u": 2.0, "carafe": 2.3, "fade": 4.5, "sapa": 2.1}
REGRESSION = {"a2u": 1.1}


def measured(
    folder: Path, speed: float = 1.0, seed: int = 0, slower: dict[str, float] | None = None, **more: Any
) -> Run:
    """A run of all operators, two blocks of six processes of ten rounds, on a machine that drifts and is so slow."""
    random = np.random.default_rng(seed)
    timed: dict[str, dict[int, dict[int, float]]] = {name: {} for name in OPERATORS}
    for block, names in enumerate((("nearest", "a2u", "carafe"), ("fade", "sapa"))):
        for process in range(6):
            host = speed * np.exp(0.1 * random.normal() + 0.05 * random.normal(size=10))
            for name in ("bilinear", *names):
                own = OPERATORS[name] * (slower or {}).get(name, 1.0) * np.exp(0.01 * random.normal())
                times = 1e-3 * own * host * np.exp(0.03 * random.normal(size=10))
                timed[name][process + 6 * block] = dict(enumerate(map(float, times)))
    return write_run(folder, timed, **more)


def compared(before: Run, after: Run, *limits: str, **more: Any) -> tuple[View, dict[str, str]]:
    view = make([before, after], Request(fail_if=limits, **more))
    (table,) = view.tables()
    return view, {cells[0]: cells[-1] for cells in table.cells}


def test_a_machine_that_is_twice_as_slow_changes_no_verdict_and_one_slower_operator_is_found(tmp_path):
    before = measured(tmp_path / "before")
    view, verdicts = compared(before, measured(tmp_path / "after", 2.1, 1), "latency>5%")
    assert set(verdicts.values()) <= {"reference", "same", "inconclusive"}
    assert view.outcomes[0].failed == ()
    (table,) = view.tables()
    assert [heading.text for heading in table.headings] == [
        "operator",
        "ratio before",
        "ratio after",
        "after/before",
        "verdict",
    ]
    (host,) = [note for note in table.notes if "machine was" in note]
    assert host.startswith("by bilinear the machine was 2.")
    assert "times slower after" in host
    assert host.endswith("; taken out")
    view, verdicts = compared(before, measured(tmp_path / "worse", 2.1, 2, REGRESSION), "latency>5%")
    assert verdicts["a2u"] == "slower"
    assert set(verdicts.values()) <= {"reference", "same", "inconclusive", "slower"}
    assert [text.split()[0] for text in view.outcomes[0].failed] in ([], ["a2u"])
    strict = compared(before, measured(tmp_path / "much worse", 2.1, 3, {"a2u": 1.2}), "latency>5%")[0].outcomes[0]
    assert [text.split()[0] for text in strict.failed] == ["a2u"]
    assert "2.0" in strict.failed[0]
    assert "%" in strict.failed[0]


def test_the_change_of_a_ratio_has_its_own_interval(tmp_path):
    view, _ = compared(measured(tmp_path / "before"), measured(tmp_path / "after", 0.5, 1))
    table = view.changes["latency"].set_index("options")
    row: Any = table.loc["a2u"]
    assert row["before_low"] < row["before"] < row["before_high"]
    assert row["after/before"] == pytest.approx(row["after"] / row["before"])
    assert row["after/before_low"] < 1 < row["after/before_high"]
    assert row["after/before_high"] / row["after/before_low"] < 1.15
    own: Any = table.loc["bilinear"]
    assert [own[name] for name in ("before", "after", "after/before")] == [1, 1, 1]


def test_two_runs_say_how_well_their_ratios_agree(tmp_path):
    view, _ = compared(measured(tmp_path / "before"), measured(tmp_path / "after", 2.0, 1))
    notes = view.tables()[0].notes
    (agreement,) = [note for note in notes if "combined" in note]
    table = view.changes["latency"]
    low, high = (table[f"after/before_{end}"][table["options"] != "bilinear"].tolist() for end in ("low", "high"))
    within = sum(least <= 1 <= most for least, most in zip(low, high, strict=True))
    assert agreement == f"{within} of 5 ratios changed by no more than their combined 95 % interval"


def test_absolute_times_have_the_machine_in_them_and_that_is_said(tmp_path, capsys):
    runs = measured(tmp_path / "before"), measured(tmp_path / "after", 2.1, 1)
    view, verdicts = compared(*runs, "latency>5%", absolute=True)
    assert set(verdicts.values()) == {"slower"}
    assert len(view.outcomes[0].failed) == 6
    (table,) = view.tables()
    assert table.headings[1].text == "latency before [ms]"
    assert "changes are of latencies, so that the machine's own change is in them" in table.notes
    assert main(["compare", *(str(run.path) for run in runs), "--absolute"]) == 0
    assert "latency before" in " ".join(capsys.readouterr().out.split())


def test_runs_with_different_references_are_compared_by_one_that_both_timed(tmp_path):
    before = measured(tmp_path / "before", reference="nearest")
    view, verdicts = compared(before, measured(tmp_path / "after", 2.1, 1))
    assert verdicts["nearest"] == "reference"
    assert not {"slower", "faster"} & set(verdicts.values())
    assert any(note.startswith("by nearest the machine was 2.") for note in view.tables()[0].notes)


def test_a_case_whose_reference_failed_is_compared_by_its_times_and_that_is_said(tmp_path):
    def run(name: str, speed: float) -> Run:
        large = {case("a2u", height=8): one_round(speed * np.array([1.0, 1.01, 0.99]), 20)}
        small = {case(name): one_round(speed * t * np.array([1.0, 1.2, 0.9])) for name, t in OPERATORS.items()}
        return write_run(tmp_path / name, small | large)

    view, _ = compared(run("before", 1.0), run("after", 2.0), "latency>5%")
    table = view.changes["latency"]
    assert table["after/before"].tolist() == pytest.approx([1] * 6 + [2])
    assert table["before"].isna().tolist() == [False] * 6 + [True]
    assert "1 case has no reference in both runs: the machine's own change is in its" in view.tables()[0].notes
    assert [text.split(" (")[0] for text in view.outcomes[0].failed] == ["a2u, z 1×8×8×4"]


def test_a_reference_that_alone_became_slower_is_said_as_the_machine(tmp_path):
    """There is no telling it from a machine that is slower; the sentence names the operator that says so."""
    view, _ = compared(measured(tmp_path / "one"), measured(tmp_path / "two", 1.0, 0, {"bilinear": 2.0}))
    assert any(note.startswith("by bilinear the machine was 2.0") for note in view.tables()[0].notes)
    same = compared(measured(tmp_path / "three"), measured(tmp_path / "four"))[0]
    assert any("was as quick in both runs (after/before 1.00" in note for note in same.tables()[0].notes)

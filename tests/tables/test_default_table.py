"""The table without any flags: operators at their defaults, fastest first, and a sentence on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.store.write import Store

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
    """The operators of the table, from top to bottom, and all that is printed."""
    assert main(["compare", *arguments]) == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines() if "fastest" not in line]
    return [words[0] for words in lines if words and words[0] in ROWS], printed


def test_operators_stand_at_their_defaults_and_fastest_first(tmp_path, capsys):
    run = write(tmp_path / "run", [cost(*row) for row in ROWS.items()])
    names, printed = shown(capsys, run)
    assert names == ["nearest", "carafe:groups=2", "a2u"]  # the only one of its operator stands for it
    assert "2 variants not shown; --variants shows all" in printed


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


def test_a_variant_whose_default_has_another_workload_stands(tmp_path, capsys):
    run = write(tmp_path / "run", [cost("a2u", 3.0), cost("a2u:rank=2", 4.0, height=16)])
    assert shown(capsys, run)[0] == ["a2u", "a2u:rank=2"]


def test_files_for_other_programs_hold_every_variant(tmp_path, capsys):
    run = write(tmp_path / "run", [cost(*row) for row in ROWS.items()])
    assert main(["export", run]) == 0
    assert all(f",{name}," in text or f'"{name}"' in text for text in [capsys.readouterr().out] for name in ROWS)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (1.01, "fast and next are fastest; slow takes 9.0 ±"),
        (2.0, "fast is fastest; next takes 2.0"),
    ],
)
def test_a_sentence_says_who_is_fastest_and_by_how_much(second, said, tmp_path, capsys):
    run = write(tmp_path / "run", [cost("slow", 9.0), cost("fast", 1.0), cost("next", second)])
    line = next(line for line in shown(capsys, run)[1].splitlines() if "fastest" in line)
    assert line.startswith(said)


def test_nobody_is_fastest_of_several_workloads(tmp_path, capsys):
    run = write(tmp_path / "run", [cost("a2u", 3.0), cost("carafe", 2.0), cost("nearest", 1.0, height=16)])
    assert "fastest" not in shown(capsys, run)[1]

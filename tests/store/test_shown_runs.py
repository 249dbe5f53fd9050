"""Figures, reports and recommendations of runs as they are found: the committed one, and damaged ones of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from example_rows import make_run

from a2u_bench.cli import main

EXAMPLE = Path(__file__).parents[1] / "golden" / "runs" / "example"


def commands(run: Path, folder: Path) -> dict[str, list[str]]:
    budget = ["recommend", str(run), "--budget", "latency=1ms,memory=64MB"]
    return {
        "plot": ["plot", str(run), "--format", "svg", "--out", str(folder)],
        "report": ["report", str(run), "--out", str(folder / "report.html")],
        "recommend": [*budget, "--shape", "1x64x32x32"],
        "recommend --json": [*budget, "--json", "--shape", "1x64x32x32"],
    }


@pytest.mark.parametrize("name", ["plot", "report", "recommend", "recommend --json"])
def test_every_command_runs_on_the_committed_example(name, capsys, tmp_path):
    assert main(commands(EXAMPLE, tmp_path)[name]) == 0
    assert capsys.readouterr().out


def replace(old: str, new: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        text = (run / "rows.jsonl").read_text()
        assert old in text
        (run / "rows.jsonl").write_text(text.replace(old, new))

    return change


def torn(run: Path) -> None:
    with (run / "rows.jsonl").open("a") as file:
        file.write('{"version": 1, "case": "x')


def unlink(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


def older(run: Path) -> None:
    """Rows from before some columns were there."""
    lines = [json.loads(line) for line in (run / "rows.jsonl").read_text().splitlines()]
    gone = ("floor", "output_memory", "task", "pair", "onnx", "compiles", "psnr", "variant")
    kept = [{name: value for name, value in line.items() if name not in gone} for line in lines]
    (run / "rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in kept))


def half_finished(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"planned": 44}))


def without(*gone: str) -> Callable[[Path], None]:
    """Every second row lacks these columns, as where two programs wrote one file."""

    def change(run: Path) -> None:
        lines = [json.loads(line) for line in (run / "rows.jsonl").read_text().splitlines()]
        kept = [
            {name: value for name, value in line.items() if number % 2 or name not in gone}
            for number, line in enumerate(lines)
        ]
        (run / "rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in kept))

    return change


def emptied(run: Path) -> None:
    half_finished(run)
    (run / "rows.jsonl").write_text("")


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a torn last line": (torn, "the last line is torn"),
    "no manifest": (unlink("manifest.json"), "manifest.json: missing"),
    "a latency that is text": (replace('"latency": ', '"latency": "soon", "was": '), "latency is no Float64"),
    "an operator that is unknown": (replace('"operator": "a2u"', '"operator": null'), ""),
    "a newer column": (replace('"status": ', '"colour": "blue", "status": '), "unknown column 'colour'"),
    "fewer columns": (older, ""),
    "a half-finished run": (half_finished, "7 of 44 planned cases have ended"),
    "mixed schemas": (without("layout", "threads"), "4 of 7 rows do not say layout, threads: taken as unknown"),
    "rows without a latency": (without("latency"), "rows ended ok without a latency"),
    "no samples": (unlink("samples.jsonl"), ""),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_can_be_read_is_shown_and_the_rest_is_named(name, capsys, tmp_path):
    damage, says = DAMAGE[name]
    run = make_run(tmp_path / "run")
    damage(run)
    for arguments in commands(run, tmp_path / "out").values():
        (tmp_path / "out").mkdir(exist_ok=True)
        nothing_fits = arguments[0] == "recommend" and name == "a latency that is text"
        assert main(arguments) == (3 if nothing_fits else 0)
        assert says in capsys.readouterr().err


def newer(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"version": 99}))


def garbage(run: Path) -> None:
    (run / "rows.jsonl").write_bytes(b"\x00\xff\n[]\n")


@pytest.mark.parametrize(("damage", "says"), [(newer, "schema version 99 is newer"), (garbage, "nothing readable")])
def test_what_cannot_be_read_is_one_line_and_writes_nothing(damage, says, capsys, tmp_path):
    run = make_run(tmp_path / "run")
    damage(run)
    (tmp_path / "out").mkdir()
    for arguments in commands(run, tmp_path / "out").values():
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert says in err
        assert err.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_that_has_not_ended_a_case_yet_has_nothing_to_draw(capsys, tmp_path):
    run = make_run(tmp_path / "run")
    (run / "rows.jsonl").unlink()
    assert main(commands(run, tmp_path)["plot"]) == 1
    assert "nothing to draw" in capsys.readouterr().err
    assert main(commands(run, tmp_path)["recommend"]) == 2
    assert main(commands(run, tmp_path)["report"]) == 0


def test_a_run_whose_rows_are_empty_says_how_many_were_planned(capsys, tmp_path):
    run = make_run(tmp_path / "run")
    emptied(run)
    for arguments in (["compare", str(run), "--json"], ["export", str(run)], ["export", str(run), "--format", "json"]):
        assert main(arguments) == 0
        out, err = capsys.readouterr()
        assert "0 of 44 planned cases have ended" in err
    assert "0 of 44 planned cases have ended" in json.loads(out)["runs"][0]["problems"][0]


@pytest.mark.parametrize("planned", [44, None])
def test_a_run_without_rows_is_no_table_but_a_line_that_says_what_to_do(planned, capsys, tmp_path):
    run = make_run(tmp_path / "run")
    emptied(run)
    (run / "manifest.json").write_text(
        json.dumps(json.loads((run / "manifest.json").read_text()) | {"planned": planned})
    )
    for form in ("", "markdown", "latex", "html", "csv"):
        arguments = ["export", str(run), "--format", form] if form else ["compare", str(run)]
        assert main(arguments) == (0 if form == "csv" else 2)
        out, err = capsys.readouterr()
        assert out.count("\n") == (1 if form == "csv" else 0)
        assert "no case has ended yet" in err
        assert f"`a2u-bench run` with --out {run} --resume" in err


def test_samples_that_cannot_be_read_are_named_where_verdicts_come_from_them(capsys, tmp_path):
    run = make_run(tmp_path / "run")
    with (run / "samples.jsonl").open("a") as file:
        file.write('{"version": 1, "case": "x')
    assert main(["compare", str(run), "--baseline", "bilinear"]) == 0
    assert "samples.jsonl: the last line is torn, left out" in capsys.readouterr().out


def test_cases_that_are_not_drawn_or_judged_are_named(capsys, tmp_path):
    run = make_run(tmp_path / "run")
    assert main(commands(run, tmp_path)["plot"]) == 0
    assert "not drawn, since they did not end ok: FADE" in capsys.readouterr().err
    assert main(commands(run, tmp_path)["recommend"]) == 0
    assert "not judged, since they did not end ok: FADE" in capsys.readouterr().out

"""Whether operators become ONNX models: asked in processes, stored once, joined to the rows of runs of that torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from example_rows import MACHINE, case, make_run
from fakes import FakeClock, FakeWorkers

from a2u_bench import exported, exporting
from a2u_bench.cli import main
from a2u_bench.errors import UsageError
from a2u_bench.exported import FILE, Answer, Exports
from a2u_bench.frames import runs_to_frame, to_records
from a2u_bench.pool import CaseEnded
from a2u_bench.record import make_row
from a2u_bench.runs import read_run
from a2u_bench.store import Store

TORCH = "2.13.0"  # of the example's machine
FOUND = Exports(TORCH, (Answer("nearest", 2, "yes"), Answer("a2u", 2, "no", "too new"), Answer("carafe", 4, "yes")))


def write(path: Path, found: Exports = FOUND) -> Path:
    path.write_text(json.dumps(found.to_json({})))
    return path


def onnx(run: Path) -> dict[str, Any]:
    rows = to_records(runs_to_frame([read_run(run)]))
    return {row["options"]: row["onnx"] for row in rows if row["onnx"]}


@pytest.mark.parametrize("place", ["in the run", "beside the run"])
def test_answers_in_a_run_or_beside_it_are_columns_of_its_rows(place, tmp_path):
    run = make_run(tmp_path / "run")
    assert onnx(run) == {}
    write((run if place == "in the run" else tmp_path) / FILE)
    assert onnx(run) == {"nearest": "yes", "a2u": "no"}  # carafe was asked at another scale


def test_what_a_row_says_itself_stands(tmp_path):
    with Store.create(tmp_path / "run", {"machine": MACHINE}) as store:
        store.append_row(make_row(case("nearest"), "ok", "", {"onnx": "no"}))
    write(tmp_path / FILE)
    assert onnx(tmp_path / "run") == {"nearest": "no"}


def test_a_network_is_more_than_its_operator(tmp_path):
    with Store.create(tmp_path / "run", {"machine": MACHINE}) as store:
        store.append_row(make_row(case("nearest", network="matting-unet"), "ok", "", {}))
    write(tmp_path / FILE)
    assert onnx(tmp_path / "run") == {}


def test_recommend_shows_what_exports_and_says_how_to_learn_the_rest(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    write(run / FILE)
    assert main(["recommend", "--budget", "latency=1s", "--all", str(run)]) == 0
    out = capsys.readouterr().out
    assert "ONNX" in out.splitlines()[1]
    assert [line.split()[-3] for line in out.splitlines() if line.startswith(("nearest", "a2u "))] == ["yes", "no"]
    assert "ONNX: not stored of every operator; `a2u-bench check --exports` tells" in out
    assert "compiles: not stored; `a2u-bench run --runtime compile` tells" in out


BAD: dict[str, tuple[str | bytes, str]] = {
    "another torch": (json.dumps(Exports("2.6.0", FOUND.answers).to_json({})), "of torch 2.6.0, the run is of 2.13.0"),
    "a newer version": (json.dumps(FOUND.to_json({"version": 2})), "is of version 2, this program reads 1"),
    "another file": ('{"format": "a2u-bench run"}', "is no answer of check --exports"),
    "torn": ('{"format": "a2u-be', "cannot be read"),
    "no text": (b"\xff\xfe", "cannot be read"),
    "deep": ("[" * 100_000, "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_holds_no_answer_for_a_run_is_left_out_and_named(name, tmp_path, capsys):
    content, says = BAD[name]
    run = make_run(tmp_path / "run")
    (run / FILE).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert onnx(run) == {}
    assert main(["compare", str(run)]) == 0
    assert says in capsys.readouterr().err


def test_answers_of_the_wrong_kind_are_unknown(tmp_path):
    answers = [{"options": "a2u", "scale": "2", "onnx": "yes"}, 7, {"options": "nearest", "scale": 2, "onnx": "surely"}]
    (tmp_path / FILE).write_text(json.dumps(FOUND.to_json({}) | {"operators": answers}))
    assert exported.read(tmp_path / FILE).answers == (Answer("nearest", 2, None),)
    assert onnx(make_run(tmp_path / "run")) == {}


def test_new_answers_replace_old_ones_of_the_same_torch_only():
    new = Exports(TORCH, (Answer("a2u", 2, "yes"),))
    assert new.with_those_of(FOUND).answers == (FOUND.answers[0], FOUND.answers[2], Answer("a2u", 2, "yes"))
    assert new.with_those_of(Exports("2.6.0", FOUND.answers)) == new


def ask(names: list[str], **ends: CaseEnded) -> tuple[list[Answer], FakeWorkers]:
    workers = FakeWorkers(FakeClock(), fails={(name, "onnx", 0): end for name, end in ends.items()})
    return list(exporting.answers(exporting.cases(names), workers)), workers


def test_one_that_fails_or_hangs_costs_no_other_its_answer():
    ends = {
        "bilinear": CaseEnded("failed", "no such operation", True),
        "carafe": CaseEnded("timeout", "too long", True),
    }
    found, workers = ask(["nearest", "bilinear", "bicubic"], bilinear=ends["bilinear"])
    assert found == [
        Answer("nearest", 2, "yes"),
        Answer("bilinear", 2, "no", "no such operation"),
        Answer("bicubic", 2, "yes"),
    ]
    assert workers.started == 2
    assert workers.alive == 0
    assert ask(["carafe"], carafe=ends["carafe"])[0] == [Answer("carafe", 2, None, "too long")]


def test_what_cannot_take_the_scale_is_unknown():
    (answer,) = exporting.answers(exporting.cases("fade", [3]), FakeWorkers(FakeClock()))
    assert (answer.onnx, bool(answer.why)) == (None, True)


def test_the_operators_are_those_that_were_named():
    assert [one.options for one in exporting.cases("a2u:rank=2 nearest,nearest")] == ["a2u:rank=2", "nearest"]
    assert len(exporting.cases("all")) > 40
    with pytest.raises(UsageError, match="did you mean"):
        exporting.cases("nearst")
    with pytest.raises(UsageError, match="no operator given"):
        exporting.cases(" ")


def test_the_command_asks_stores_and_prints(tmp_path, capsys, monkeypatch):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    monkeypatch.setattr("a2u_bench.pool.Processes", lambda: FakeWorkers(FakeClock()))
    run = make_run(tmp_path / "run")
    assert main(["check", "--exports", "--run", str(run)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["operator", "scale", "ONNX", "why", "not"]
    assert f"stored in {run / FILE}" in err
    assert {answer.options for answer in exported.read(run / FILE).answers} == {
        str(row["options"]) for row in read_run(run).rows
    }
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--exports", "--ops", "nearest,bilinear", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [one["onnx"] for one in content["operators"]] == ["yes", "yes"]
    assert Path("results", FILE).is_file()


def test_the_exporter_and_onnx_runtime_are_asked_for_real(tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    from a2u_bench.pool import Processes

    asked = exporting.cases("nearest hostile:Nan")
    found = list(exporting.answers(asked, Processes()))
    assert found[0] == Answer("nearest", 2, "yes")
    assert found[1].onnx == "no"
    assert found[1].why


WRONG = {
    "two things at once": (["--self", "--exports"], "one of --self, --claims FILE and --exports"),
    "operators of a certificate": (["--self", "--ops", "a2u"], "--ops belongs to --exports"),
    "a run and operators": (["--exports", "--run", "RUN", "--ops", "a2u"], "given: both"),
    "a folder to write to": (["--exports", "--ops", "a2u", "--out", "RUN"], "is a folder"),
    "an unknown operator": (["--exports", "--ops", "a3u"], "did you mean 'a2u'"),
    "no run": (["--exports", "--run", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_line(name, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    arguments, says = WRONG[name]
    run = make_run(tmp_path / "run")
    assert main(["check", *(str(run) if word == "RUN" else word for word in arguments)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


def test_without_onnx_runtime_one_line_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["check", "--exports", "--ops", "nearest"]) == 1
    assert "pip install 'a2u-bench[onnx]'" in capsys.readouterr().err

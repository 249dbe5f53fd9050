"""Whether operators become ONNX models: asked in processes of their own, printed, or kept in the rows of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from example_rows import case, make_run
from fakes import FakeClock, FakeStore, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.errors import UsageError
from a2u_bench.operators import engine_limits
from a2u_bench.run import onnx_answers
from a2u_bench.run.onnx_answers import Answer
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.runner import run
from a2u_bench.store.write import Store
from a2u_bench.suites.plan import Plan, Settings


def small(name: str, **axes: Any) -> Case:
    return Case(name, name, name, 1, 8, 4, 4, **axes)


def measured(
    cases: list[Case], ends: dict[str, CaseEnded] | None = None, onnx: bool = True
) -> dict[str, tuple[str, Any]]:
    """Status and ONNX of each case of a run that asks for it."""
    fails = {(name, "onnx", process): end for name, end in (ends or {}).items() for process in range(2)}
    workers = FakeWorkers(FakeClock(), fails=fails)
    plan = Plan("test", tuple(cases), (), Settings(time_budget=1.0, processes=3, max_rounds=4, onnx=onnx))
    rows = run(plan, FakeStore(), workers=workers, clock=workers.clock)  # type: ignore[arg-type]
    assert workers.alive == 0
    return {str(row["case"]): (row["status"], row["onnx"]) for row in rows}


def test_a_run_that_asks_keeps_the_answers_in_its_rows_and_one_that_fails_costs_no_measure():
    names = [small(name) for name in "abcd"]
    ends = {"b": CaseEnded("failed", "no such operation", True), "c": CaseEnded("timeout", "too long", True)}
    assert list(measured(names, ends).values()) == [("ok", "yes"), ("ok", "no"), ("ok", None), ("ok", "yes")]
    assert {answer for _, answer in measured(names, ends, onnx=False).values()} == {None}


@pytest.mark.parametrize(
    "axes", [{"network": "matting-unet"}, {"dtype": "bfloat16"}, {"mode": "training"}, {"runtime": "compile"}]
)
def test_it_is_asked_of_an_operator_as_it_is_exported_alone(axes):
    assert list(measured([small("a", **axes)]).values()) == [("ok", None)]


def test_recommend_shows_what_exports_and_says_how_to_learn_the_rest(tmp_path, capsys):
    with Store.create(tmp_path / "run", {}) as store:
        for name, answer in (("nearest", "yes"), ("a2u", "no"), ("carafe", None)):
            store.append_row(make_row(case(name), "ok", "", {"latency": 1e-3, "onnx": answer}))
    assert main(["recommend", "--budget", "latency=1s", "--all", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert any("ONNX" in line.split() for line in out.splitlines())
    assert ", exports to ONNX, because" in out
    assert "ONNX: not stored" not in out
    assert "compiles: not stored; `a2u-bench run --runtime compile` tells" in out


def ask(names: list[str], **ends: CaseEnded) -> tuple[list[Answer], FakeWorkers]:
    workers = FakeWorkers(FakeClock(), fails={(name, "onnx", 0): end for name, end in ends.items()})
    return list(onnx_answers.answers(onnx_answers.cases(names), workers)), workers


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
    (answer,) = onnx_answers.answers(onnx_answers.cases("fade", [3]), FakeWorkers(FakeClock()))
    assert (answer.onnx, bool(answer.why)) == (None, True)


def test_the_operators_are_those_that_were_named():
    assert [one.options for one in onnx_answers.cases("a2u:rank=2 nearest,nearest")] == ["a2u:rank=2", "nearest"]
    assert len(onnx_answers.cases("all")) > 40
    with pytest.raises(UsageError, match="did you mean"):
        onnx_answers.cases("nearst")
    with pytest.raises(UsageError, match="no operator given"):
        onnx_answers.cases(" ")


def test_the_command_asks_and_prints(capsys, monkeypatch):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    monkeypatch.setattr("a2u_bench.run.processes.Processes", lambda: FakeWorkers(FakeClock()))
    assert main(["check", "--exports", "--ops", "nearest"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["operator", "ONNX", "why", "not"]
    assert main(["check", "--exports", "--ops", "nearest,bilinear", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [one["onnx"] for one in content["operators"]] == ["yes", "yes"]


def test_the_exporter_and_onnx_runtime_are_asked_for_real():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    from a2u_bench.run.processes import Processes

    asked = onnx_answers.cases("nearest hostile:Nan")
    found = list(onnx_answers.answers(asked, Processes()))
    assert found[0] == Answer("nearest", 2, "yes")
    assert found[1].onnx == "no"
    assert found[1].why


WRONG = {
    "two things at once": (["--self", "--exports"], "one of --self, --claims FILE and --exports"),
    "operators of a certificate": (["--self", "--ops", "a2u"], "--ops belongs to --exports"),
    "a run": (["--exports", "--run", "RUN"], "--run belongs to --claims FILE"),
    "a file": (["--exports", "--ops", "a2u", "--out", "x"], "--out belongs to --self"),
    "an unknown operator": (["--exports", "--ops", "a3u"], "did you mean 'a2u'"),
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


@pytest.mark.parametrize("command", [["check", "--exports", "--ops", "nearest"], ["run", "--onnx", "--ops", "nearest"]])
def test_without_onnx_runtime_one_line_says_what_to_install(command, capsys, monkeypatch):
    monkeypatch.setattr(engine_limits, "find_spec", lambda name: None)
    assert main(command) == 1
    assert "pip install 'a2u-bench[onnx]'" in capsys.readouterr().err

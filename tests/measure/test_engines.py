"""Cases in ONNX Runtime and OpenVINO: exported once, checked as any; what cannot be is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from a2u_bench.case import ENGINES, Case
from a2u_bench.errors import UsageError
from a2u_bench.measure import check as checking
from a2u_bench.measure import engines, onnx
from a2u_bench.measure.steps import Steps
from a2u_bench.measure.worker import answer
from a2u_bench.operators import engine_limits as known
from a2u_bench.suites.expand import make_plan

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's own, of its own code


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that models are kept in, empty; exporters and engines are installed."""
    for name in (*known.EXPORTER, *ENGINES):
        pytest.importorskip(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "a2u-bench" / "onnx"


def case(runtime: str, options: str = "carafe", **axes: Any) -> Case:
    return Case(options.partition(":")[0], "", options, 1, 32, 6, 10, runtime=runtime, **axes)


def test_each_engine_gives_the_definition_and_the_exported_model_is_shared(cache: Path, monkeypatch) -> None:
    exported: list[nn.Module] = []
    export = onnx.export

    def counted(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        exported.append(module)
        return export(module, inputs)

    monkeypatch.setattr(onnx, "export", counted)
    steps, rows = Steps("cpu", 1, 0), {}
    for runtime in ENGINES:
        one = case(runtime)
        for step in ("build", "export", "compile", "check"):
            assert answer(steps, step, [one])[0] == "ok", step
        rows[runtime] = steps.measure(one)
    assert len(exported) == len(list(cache.iterdir())) == 1
    for found in rows.values():
        assert "peak_memory" not in found, "torch's allocator knows nothing of an engine"
        assert found["macs"] == found["macs_torch"]
        if os.path.exists("/proc/self/clear_refs"):
            memory = found["process_memory"]
            assert isinstance(memory, int) and 0 < memory < 1 << 30


@pytest.mark.parametrize("runtime", ENGINES)
def test_an_engine_that_computes_something_else_is_incorrect(cache: Path, runtime: str, monkeypatch) -> None:
    make = getattr(engines, f"{runtime}_session")

    def wrong(model: str, threads: int) -> Any:
        session = make(model, threads)
        return lambda *inputs: session(*inputs) + 0.01

    monkeypatch.setattr(engines, f"{runtime}_session", wrong)
    monkeypatch.setattr(checking, "ON_A_CPU", 1)  # a band is compared with the definition, the rest with the module
    steps, one = Steps("cpu", 1, 0), case(runtime)
    steps.build(one)
    status, reason = answer(steps, "check", [one])
    assert status == "incorrect" and "by 0.01 in its engine; allowed" in reason


class Inverse(nn.Module):
    """No operation of ONNX."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return torch.linalg.inv(z)


@pytest.mark.parametrize("runtime", ENGINES)
def test_what_does_not_export_has_the_first_sentence_as_its_reason(cache: Path, runtime: str) -> None:
    steps, one = Steps("cpu", 1, 0), case(runtime)
    steps.build(one)
    z = torch.eye(6).expand(1, 1, 6, 6)
    object.__setattr__(steps.built[one.id], "runner", engines.Engine(one, Inverse(), (z,)))
    status, reason = answer(steps, "export", [one])
    assert status == "failed" and reason.startswith("the export to ONNX failed: ")
    assert "\n" not in reason and len(reason) < 300
    assert not list(cache.glob("*"))


def test_a_file_that_no_engine_reads_is_a_failed_row(cache: Path, monkeypatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    monkeypatch.setattr(engines, "kept_model", lambda *_: broken)
    for runtime in ENGINES:
        steps, one = Steps("cpu", 1, 0), case(runtime)
        steps.build(one)
        status, reason = answer(steps, "compile", [one])
        assert status == "failed" and reason.startswith(f"{known.LABELS[runtime]}: ")


def test_models_are_kept_within_a_bound_and_made_anew_for_other_weights(cache: Path, monkeypatch) -> None:
    torch.manual_seed(0)
    one, z = case("openvino"), torch.randn(1, 32, 6, 10)
    layers = [nn.Conv2d(32, 32, 1).eval() for _ in range(3)]
    paths = [onnx.kept_model(one, layer, (z,)) for layer in layers]
    assert len(set(paths)) == 3 and onnx.kept_model(one, layers[0], (z,)) == paths[0]
    sizes = [path.stat().st_size for path in paths]
    for age, path in enumerate((paths[0], paths[2], paths[1])):
        os.utime(path, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(onnx, "LARGEST", sum(sizes) + sizes[0] // 2)
    newest = onnx.kept_model(one, nn.Conv2d(32, 32, 1).eval(), (z,))
    assert set(cache.iterdir()) == {paths[0], paths[2], newest}, "the one that was not read for longest went"


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ({"mode": "training"}, "runs inference alone"),
        ({"dtype": "bfloat16"}, "takes float32"),
        ({"layout": "channels_last"}, "takes contiguous maps alone"),
        ({"device": "cuda"}, "is measured on a CPU alone"),
    ],
)
@pytest.mark.parametrize("runtime", ENGINES)
def test_what_an_engine_cannot_take_says_why(runtime: str, axes: dict[str, str], reason: str) -> None:
    assert reason in known.why_no_engine(case(runtime, **axes))
    assert known.why_no_engine(case("compile", **axes)) == ""


@pytest.mark.parametrize("runtime", ENGINES)
def test_it_is_skipped_with_the_reason_though_the_operator_was_named(runtime: str) -> None:
    pytest.importorskip(runtime)
    plan = make_plan(
        ops="carafe", shapes=["1x8x4x4"], runtimes=["eager", runtime], modes=["training"], device="cpu", threads=[1]
    )
    assert {one.runtime for one in plan.cases} == {"eager"}
    assert {(one.case.runtime, one.status) for one in plan.skipped} == {(runtime, "skipped")}


@pytest.mark.parametrize("runtime", ENGINES)
def test_an_engine_that_is_not_installed_is_one_line_with_the_extra(runtime: str, monkeypatch) -> None:
    monkeypatch.setattr(known, "find_spec", lambda name: None if name == runtime else object())
    with pytest.raises(
        UsageError, match=rf"needs {runtime}, not installed here; pip install 'a2u-bench\[{known.EXTRAS[runtime]}\]'"
    ):
        make_plan(ops="carafe", runtimes=[runtime], device="cpu")
    make_plan(ops="carafe", runtimes=[runtime], device="cpu", elsewhere=True)

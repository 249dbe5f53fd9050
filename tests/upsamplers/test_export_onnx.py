"""Operators leave PyTorch as plain operations: torch.export holds none of ours, and ONNX Runtime agrees with us."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import upsamplers
from upsamplers import downassemble, testing
from upsamplers.operator import Upsampler
from upsamplers.primitive import ENVIRONMENT
from upsamplers.registry import operator_class

OURS = "upsamplers."


def built(name: str, **options: Any) -> Upsampler:
    """The operator at its default variant and scale 2, in float32."""
    op = testing.build(operator_class(name), options, 2)
    assert op is not None
    return op.float()


def given(op: Upsampler, height: int = 5, width: int = 3) -> tuple[Tensor, ...]:
    """z, and the guide where there is one, in float32."""
    return tuple(x.float() for x in testing.inputs(op, height=height, width=width) if x is not None)


def operations(program: torch.export.ExportedProgram) -> list[str]:
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


def check_in_onnx_runtime(op: Upsampler, sizes: list[tuple[int, int]], any_size: bool) -> None:
    """Export at the first size, and compare the program's and ONNX Runtime's output with our own at every size.

    The exporter's optimizer, which takes longer than all the rest, is left out: engines have their own.
    """
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    inputs = given(op, *sizes[0])
    free = ({2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},) * len(inputs) if any_size else None
    exported = torch.export.export(op, inputs, dynamic_shapes=free)
    assert not [target for target in operations(exported) if target.startswith(OURS)]
    program = torch.onnx.export(exported, dynamo=True, opset_version=18, verbose=False, optimize=False)
    assert program is not None
    model = program.model_proto
    assert {node.domain for node in model.graph.node} == {""}, "operations that ONNX does not define"
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [18]
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    near = 1e-3 if op.facts.name == "uplift_net" else 1e-5  # float32 through fifteen layers and a softmax
    for size in sizes:
        inputs = given(op, *size)
        assert_close(exported.module()(*inputs), op(*inputs), rtol=near, atol=near)
        feeds = {slot.name: x.numpy() for slot, x in zip(session.get_inputs(), inputs, strict=True)}
        with torch.no_grad():
            expected = op(*inputs)
        assert_close(torch.from_numpy(session.run(None, feeds)[0]), expected, rtol=near, atol=near)
        if not any_size:
            assert_close(in_openvino(model.SerializeToString(), inputs), expected, rtol=10 * near, atol=10 * near)


def in_openvino(model: bytes, inputs: tuple[Tensor, ...]) -> Tensor:
    """What OpenVINO computes in float32 of a model."""
    engine = pytest.importorskip("openvino")
    core = engine.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return torch.from_numpy(compiled([x.numpy() for x in inputs])[0].copy())


@pytest.mark.parametrize("name", upsamplers.names())
@pytest.mark.filterwarnings("ignore")  # the exporter's own, of its own code
def test_onnx_runtime_agrees(name: str) -> None:
    check_in_onnx_runtime(built(name), [(5, 3)], any_size=False)


@pytest.mark.filterwarnings("ignore")
def test_onnx_runtime_agrees_at_sizes_that_were_not_exported() -> None:
    check_in_onnx_runtime(built("convex"), [(5, 3), (4, 7)], any_size=True)


class Down(torch.nn.Module):
    """A pair's downsampling half alone."""

    def __init__(self, op: Upsampler) -> None:
        super().__init__()
        self.op = op

    def forward(self, guide: Tensor) -> Tensor:
        return self.op.downsample(guide)


@pytest.mark.parametrize("name", [name for name in upsamplers.names() if upsamplers.facts(name).twin])
def test_the_downsampling_twin_is_exported_as_plain_operations_too(name: str) -> None:
    down = Down(built(name, twin=True))
    guide = torch.randn(2, down.op.guide_channels, 8, 6)
    program = torch.export.export(down, (guide,))
    assert not [target for target in operations(program) if target.startswith(OURS)]
    with torch.no_grad():
        assert_close(program.module()(guide), down(guide))


class Verbs(torch.nn.Module):
    """Every primitive over a small grid of what it takes."""

    def forward(self, w: Tensor, phase: Tensor, z: Tensor, high: Tensor) -> list[Tensor]:
        found = []
        for border in ("zero", "replicate", "reflect"):
            found += [
                upsamplers.reassemble(kernels, z, scale=2, kernel_size=3, border=border) for kernels in (w, phase)
            ]
            found.append(upsamplers.correlate(high, z, groups=2, scale=2, kernel_size=3, border=border))
            found += [downassemble(phase[..., :1, :1].expand(-1, -1, -1, 4, 5), high, 2, 3, border)]
            found.append(downassemble(w[..., ::2, ::2].repeat(1, 1, 4, 1, 1)[:, :, :25], high, 2, 5, border))
        return found


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_what_is_written_out_is_what_the_primitives_give(dtype: torch.dtype) -> None:
    shapes = ((2, 2, 9, 8, 10), (1, 2, 9, 2, 2), (2, 6, 4, 5), (2, 6, 8, 10))
    inputs = tuple(torch.randn(shape, dtype=torch.float64).to(dtype) for shape in shapes)
    program = torch.export.export(Verbs(), inputs)
    assert not [target for target in operations(program) if target.startswith(OURS)]
    for ours, plain in zip(Verbs()(*inputs), program.module()(*inputs), strict=True):
        assert_close(plain, ours)


def test_a_backend_that_is_forced_stays_in_an_exported_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "numba")
    op = built("carafe")
    assert "upsamplers.reassemble.default" in operations(torch.export.export(op, given(op)))


def test_a_compiled_program_keeps_the_primitives_and_their_backends() -> None:
    seen: list[str] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        seen.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return graph.forward

    torch._dynamo.reset()
    op = built("carafe")
    torch.compile(op, backend=keep, fullgraph=True)(*given(op))
    assert [target for target in seen if "upsamplers" in target]

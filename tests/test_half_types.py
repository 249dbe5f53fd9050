"""Half types on a CPU that has no arithmetic for them: layers run in float32, and every type stays what it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

import upsamplers
from upsamplers import convolution, testing
from upsamplers.operator import Upsampler, Variant
from upsamplers.registry import operator_class

HALF = (torch.bfloat16, torch.float16)
VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in upsamplers.names()
    for variant in upsamplers.facts(name).variants
]
LAYERS = {"convolution", "convolution_backward", "addmm", "mm", "bmm"}


class Layers(TorchDispatchMode):
    """The types that convolutions and products of matrices are done in."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.name().partition("::")[2].partition(".")[0] in LAYERS:
            self.met |= {one.dtype for one in args if isinstance(one, Tensor)}
        return func(*args, **(kwargs or {}))


def made(name: str, options: Any, dtype: torch.dtype) -> tuple[Upsampler, list[Tensor]]:
    op = testing.build(operator_class(name), options, 2)
    assert op is not None
    maps = [one.to(dtype).requires_grad_() for one in testing.inputs(op) if one is not None]
    return copy.deepcopy(op).to(dtype), maps


def results(op: Upsampler, maps: list[Tensor]) -> list[Tensor]:
    """The output, and the gradients of whatever has one."""
    out = op(*maps)
    leaves = [*maps, *op.parameters()]
    generator = torch.Generator().manual_seed(3)
    g = torch.randn(out.shape, generator=generator).to(out.dtype)
    return [out, *(one for one in torch.autograd.grad(out, leaves, g, allow_unused=True) if one is not None)]


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_no_layer_runs_in_a_half_type_that_the_cpu_lacks(
    name: str, variant: Variant, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "LACKING", HALF)
    op, maps = made(name, variant.options, dtype)
    with Layers() as watched:
        found = results(op, maps)
    assert watched.met <= {torch.float32}, watched.met
    assert {one.dtype for one in found} == {dtype}


@pytest.mark.parametrize("name", ["carafe", "sapa", "deconv"])
def test_layers_run_in_the_half_types_that_the_cpu_has(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "LACKING", (torch.float16,))
    op, maps = made(name, {}, torch.bfloat16)
    with Layers() as watched:
        results(op, maps)
    assert torch.bfloat16 in watched.met


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_autocast_gives_the_types_that_it_gives_where_the_cpu_has_them(
    name: str, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for lacking in (HALF, ()):
        monkeypatch.setattr(convolution, "LACKING", lacking)
        op, maps = made(name, variant.options, torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16), Layers() as watched:
            out = op(*maps)
        gradients = torch.autograd.grad(out.float().square().mean(), [*maps, *op.parameters()], allow_unused=True)
        assert not lacking or torch.bfloat16 not in watched.met
        found.append([out, *(one for one in gradients if one is not None)])
    for ours, usual in zip(*found, strict=True):
        assert ours.dtype == usual.dtype
        assert_close(ours.float().mean(), usual.float().mean(), rtol=0.2, atol=0.2)


def test_an_exported_program_converts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "LACKING", HALF)
    op, maps = made("carafe", {}, torch.bfloat16)
    program = torch.export.export(op, tuple(maps), strict=False)
    convolutions = [node for node in program.graph.nodes if "conv2d" in str(node.target)]
    assert len(convolutions) == 2
    assert {node.meta["val"].dtype for node in convolutions} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("capabilities", "lacking"),
    [
        ({}, HALF),
        ({"avx512_f": True, "avx512_bf16": False}, HALF),
        ({"avx512_bf16": True}, (torch.float16,)),
        ({"amx_bf16": True, "amx_fp16": True}, ()),
        ({"neon": True, "fp16_arith": True}, (torch.bfloat16,)),
    ],
)
def test_a_cpu_lacks_what_none_of_its_capabilities_says(capabilities: dict[str, bool], lacking: object) -> None:
    assert convolution.lacking(capabilities) == lacking

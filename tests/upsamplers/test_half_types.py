"""Half types on a CPU: layers run in float32 where it has no arithmetic for them, kernels convert what they read."""

from __future__ import annotations

import copy
from typing import Any

import numba
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

import upsamplers
from upsamplers import convolution, testing
from upsamplers.fused import PASSES
from upsamplers.operator import Upsampler, Variant
from upsamplers.primitive import BACKENDS
from upsamplers.primitive.cpu import elements
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
        assert (ours.float() - usual.float()).abs().mean() <= 0.5 * usual.float().abs().mean() + 0.05


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


@numba.njit
def copied(to: Any, numbers: Any) -> None:
    for position in range(len(numbers)):
        elements.put(to, position, elements.get(numbers, position))


def in_memory(tensor: Tensor) -> Any:
    """The elements as kernels find them."""
    kind = elements.KINDS[tensor.dtype]
    return (tensor.view(torch.int16) if tensor.itemsize == 2 else tensor).numpy().view(kind)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_every_element_of_a_half_type_is_the_number_that_torch_reads(dtype: torch.dtype) -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype)
    numbers, back = torch.zeros(len(every)), torch.zeros_like(every)
    copied(in_memory(numbers), in_memory(every))
    assert_close(numbers, every.float(), rtol=0, atol=0, equal_nan=True)
    copied(in_memory(back), in_memory(numbers))
    assert_close(back, every, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_numbers_are_rounded_to_half_types_as_torch_rounds_them(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(-(2**31), 2**31, (200_000,), generator=generator).int()  # of every size, NaN and infinity too
    ties = (torch.arange(-(2**15), 2**15).int() << 16) + 0x8000
    numbers = torch.cat([bits, ties, torch.tensor([0x7F7FFFFF, 0x7F800000, 0x7F800001]).int()]).view(torch.float32)
    rounded = torch.zeros(len(numbers), dtype=dtype)
    copied(in_memory(rounded), in_memory(numbers))
    assert_close(rounded, numbers.to(dtype), rtol=0, atol=0, equal_nan=True)


class Copies(TorchDispatchMode):
    """Bytes that are copied into another type, and operations that do it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func.name() == "aten::_to_copy":
            self.found.append(made.nbytes)
        return made


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize(
    ("w_type", "z_type"), [(one, other) for one in HALF for other in (one, torch.float32)], ids=str
)
def test_kernels_read_half_types_as_they_lie_in_memory(
    w_type: torch.dtype, z_type: torch.dtype, layout: torch.memory_format
) -> None:
    w, z = torch.randn(1, 1, 9, 16, 12).to(w_type), torch.randn(1, 32, 8, 6).to(z_type, memory_format=layout)
    g = torch.randn(1, 32, 16, 12).to(z_type, memory_format=layout)
    calls = {"reassemble": (w, z, ()), "correlate": (g, z, w.shape), "spread": (w, g, z.shape)}
    for name, (first, second, shape) in calls.items():
        run = BACKENDS["numba"](name, first, second, None, tuple(shape), 2, 3, "reflect")
        with Copies() as watched:
            ours = run(first, second, None)
        exact = BACKENDS["eager"](name, first.double(), second.double(), None, tuple(shape), 2, 3, "reflect")
        assert not watched.found
        assert ours.dtype == torch.promote_types(first.dtype, second.dtype)
        assert_close(ours.double(), exact(first.double(), second.double(), None), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_fused_passes_copy_no_map_into_float32(dtype: torch.dtype) -> None:
    map_bytes = 64 * 32 * 32 * 4
    x, up = torch.randn(1, 64, 32, 32).to(dtype), torch.randn(1, 64, 32, 32).to(dtype)
    kernels, norm = torch.randn(1, 1, 1, 6, 6).to(dtype), torch.randn(64).to(dtype)
    offset, start = torch.randn(1, 32, 32, 32).to(dtype), torch.zeros(1, 32, 1, 1)
    gate = torch.randn(1, 1, 16, 16).to(dtype)
    every = {
        "affinity": (x, None, kernels, kernels, norm, norm, norm, norm, 2, 32, 1e-5),
        "pooled": (x, 6),
        "gated": (up, x, gate, 2),
        "sample_moved": (torch.randn(1, 64, 32, 32).to(dtype), offset, None, start, 2, 4),
    }
    for name, arguments in every.items():
        kernel = PASSES[name].kernels("numba")
        assert kernel is not None
        with Copies() as watched:
            assert kernel[0](*arguments).dtype == dtype
        most = map_bytes if name == "sample_moved" else map_bytes - 1  # which takes the small map where rows are inner
        assert max(watched.found, default=0) <= most, name

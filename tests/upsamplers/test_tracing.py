"""Networks that hold an operator under torch's tracers: torch.fx, torch.jit.trace and torch.export, at any size."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.testing import assert_close

import upsamplers
from upsamplers import testing
from upsamplers.operator import Upsampler, Variant
from upsamplers.registry import operator_class

OURS = "upsamplers."
SIZES = ((2, 5, 3), (3, 4, 7), (1, 6, 2))
"""Batch, height and width of z: that of the trace, then others."""

VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in upsamplers.names()
    for variant in upsamplers.facts(name).variants
]
# Every fourth variant, the default first: an export takes seconds, and most variants differ in sizes alone.
EXPORTED = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in upsamplers.names()
    for variants in [upsamplers.facts(name).variants]
    for variant in variants[::4]
]
TWINS = [one for one in VARIANTS if upsamplers.facts(str(one.values[0])).twin]
OF_TORCH_ITSELF = pytest.mark.filterwarnings(r"ignore:`torch\.jit:DeprecationWarning", "ignore:.*pytree")


def sizes_of(op: Upsampler) -> tuple[tuple[int, int, int], ...]:
    """Where a trace or an exported program must hold: an operator that an image guides has tables of one pair of sizes
    in it, and holds at those alone."""
    return SIZES if op.facts.guide_size == "output" else SIZES[:1]


class Network(nn.Module):
    """An operator between two layers; without `guided` no guide reaches it."""

    def __init__(self, op: Upsampler, guided: bool) -> None:
        super().__init__()
        self.before, self.op, self.guided = nn.Conv2d(op.channels, op.channels, 1), op, guided

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return self.op(self.before(z), guide).relu() if self.guided else self.op(self.before(z)).relu()


class Pair(nn.Module):
    """A guide downsampled and upsampled again, both by one operator, in one step and in two."""

    def __init__(self, op: Upsampler) -> None:
        super().__init__()
        self.op, self.to_z = op, nn.Conv2d(op.guide_channels, op.channels, 1)

    def forward(self, guide: Tensor) -> Tensor:
        half, kernels = self.op.halve(guide)
        z = self.to_z(half) + self.to_z(self.op.downsample(guide))
        if self.op.halve_gives_kernels:
            return self.op.assemble(kernels, z, guide)
        return self.op(z, guide if self.op.facts.guide != "none" else None)


def built(name: str, variant: Variant, **options: Any) -> Upsampler:
    """The operator at scale 2 in float32."""
    op = testing.build(operator_class(name), {**variant.options, **options}, 2)
    assert op is not None
    return op.float()


def networks(name: str, variant: Variant) -> list[tuple[nn.Module, list[tuple[Tensor, ...]]]]:
    """The operator in a network, guided and not where it may be either; inputs of every size for each."""
    op = built(name, variant)
    found: list[tuple[nn.Module, list[tuple[Tensor, ...]]]] = []
    for guided in {"none": (False,), "required": (True,), "optional": (True, False)}[op.facts.guide]:
        inputs = [tuple(x.float() for x in testing.inputs(op, *size) if x is not None) for size in sizes_of(op)]
        found.append((Network(op, guided).eval(), [given if guided else given[:1] for given in inputs]))
    return found


def pair(name: str, variant: Variant) -> tuple[nn.Module, list[tuple[Tensor, ...]]]:
    op = built(name, variant, twin=True)
    inputs: list[tuple[Tensor, ...]] = [(torch.randn(batch, op.guide_channels, 2 * h, 2 * w),) for batch, h, w in SIZES]
    with torch.no_grad():
        op.halve_gives_kernels = op.halve(*inputs[0])[1] is not None  # type: ignore[assignment]
    return Pair(op).eval(), inputs


def check_same(traced: Any, network: nn.Module, inputs: list[tuple[Tensor, ...]]) -> None:
    """Equal outputs at every size, of the size that was traced and of others."""
    with torch.no_grad():
        for given in inputs:
            assert_close(traced(*given), network(*given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_a_symbolic_trace_holds_an_operator_as_one_call(name: str, variant: Variant) -> None:
    for network, inputs in networks(name, variant):
        traced = fx.symbolic_trace(network)
        assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["before", "op"]
        assert traced.state_dict().keys() == network.state_dict().keys()
        check_same(traced, network, inputs)
        check_same(fx.Interpreter(traced).run, network, inputs[:1])


@pytest.mark.parametrize(("name", "variant"), TWINS)
def test_a_symbolic_trace_holds_a_twin_as_calls_too(name: str, variant: Variant) -> None:
    network, inputs = pair(name, variant)
    check_same(fx.symbolic_trace(network), network, inputs)


class Named(fx.Tracer):
    """A tracer that notes which module each node comes from, as extractors of features do."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        self.calls.append(self.path_of_module(m))
        return super().call_module(m, forward, args, kwargs)


def test_a_tracer_of_another_kind_is_told_of_the_operator() -> None:
    tracer = Named()
    tracer.trace(networks("nearest", Variant("default"))[0][0])
    assert tracer.calls == ["before", "op"]


def trace(network: nn.Module, given: tuple[Tensor, ...]) -> Any:
    """A torch.jit trace, saved and loaded; that sizes are kept as they are would be a warning, and so an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # of torch.jit itself
        file = io.BytesIO()
        torch.jit.save(torch.jit.trace(network, given, check_trace=False), file)
        file.seek(0)
        return torch.jit.load(file)


@pytest.mark.parametrize(("name", "variant"), EXPORTED)
def test_a_jit_trace_is_right_at_sizes_and_batches_that_were_not_traced(name: str, variant: Variant) -> None:
    for network, inputs in networks(name, variant):
        traced = trace(network, inputs[0])
        assert OURS.replace(".", "::") not in str(traced.inlined_graph), (
            "a program without this package could not load it"
        )
        check_same(traced, network, inputs)


@pytest.mark.parametrize(("name", "variant"), TWINS)
def test_a_jit_trace_of_a_twin_is_right_at_sizes_and_batches_that_were_not_traced(name: str, variant: Variant) -> None:
    network, inputs = pair(name, variant)
    check_same(trace(network, inputs[0]), network, inputs)


def exported(network: nn.Module, given: tuple[Tensor, ...], scales: tuple[int, ...]) -> Any:
    """The network exported for any batch, height and width of z; inputs are so many times as large as z."""
    batch, height, width = (torch.export.Dim(name) for name in ("batch", "height", "width"))
    if network.op.facts.guide_size == "any":  # type: ignore[union-attr]  # an Upsampler
        return torch.export.export(network, given).module()
    free = tuple({0: batch, 2: s * height, 3: s * width} if s > 1 else {0: batch, 2: height, 3: width} for s in scales)
    program = torch.export.export(network, given, dynamic_shapes=free)
    assert not [node for node in program.graph.nodes if str(node.target).startswith(OURS)]
    return program.module()


@pytest.mark.parametrize(("name", "variant"), EXPORTED)
@OF_TORCH_ITSELF
def test_an_exported_program_is_right_at_any_batch_height_and_width(name: str, variant: Variant) -> None:
    network, inputs = networks(name, variant)[0]
    check_same(exported(network, inputs[0], (1, 2)[: len(inputs[0])]), network, inputs)


@pytest.mark.parametrize("name", [name for name in upsamplers.names() if upsamplers.facts(name).twin])
@OF_TORCH_ITSELF
def test_an_exported_twin_is_right_at_any_batch_height_and_width(name: str) -> None:
    network, inputs = pair(name, upsamplers.facts(name).variants[0])
    check_same(exported(network, inputs[0], (2,)), network, inputs)

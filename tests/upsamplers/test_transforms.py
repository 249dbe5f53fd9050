"""Primitives and operators under torch's transforms: compile, autocast, vmap, forward and functional derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.testing import assert_close

import upsamplers
from upsamplers import correlate, downassemble, reassemble, testing
from upsamplers.operator import Upsampler, Variant
from upsamplers.registry import operator_class

VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in upsamplers.names()
    for variant in upsamplers.facts(name).variants
]

NATIVE = ("bicubic", "bilinear", "nearest", "deconv", "pixel_shuffle", "max_unpool", "eucb")
"""Operators whose forward is torch's own kernel, with torch's own rules for autocast."""


ROUGH = {"freqfusion": 0.03} | dict.fromkeys(("anyup", "jafar", "naf", "raysup", "uplift_net"), 0.03)
"""Mean error under autocast, as a share, where more than 1 %: offsets of a half type move where it reads, and inner
products of many channels of a half type are what a softmax takes."""


def built(name: str, variant: Variant | None = None, device: str = "cpu") -> tuple[Upsampler, Tensor, Tensor | None]:
    op = testing.build(operator_class(name), variant.options if variant else {}, 2, device=device)
    assert op is not None
    op = op.float()
    z, guide = testing.inputs(op, device=device)
    return op, z.float(), None if guide is None else guide.float()


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_operator_compiles_without_a_graph_break(name: str, variant: Variant, device: str) -> None:
    torch._dynamo.reset()
    op, z, guide = built(name, variant, device)
    near = 1e-3 if name == "uplift_net" else None  # of fifteen layers, by other sums; else the default
    with torch.no_grad(), testing.whole_float32():
        assert_close(
            torch.compile(op, fullgraph=True, backend="aot_eager")(z, guide), op(z, guide), rtol=near, atol=near
        )


@pytest.mark.parametrize("name", upsamplers.names())
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16], ids=str)
def test_every_operator_runs_under_autocast(name: str, given: torch.dtype, device: str) -> None:
    op, z, guide = built(name, device=device)
    with torch.no_grad():
        exact = op(z, guide)
    z = z.to(given).requires_grad_()
    guide = None if guide is None else guide.to(given)
    with torch.autocast(device, torch.bfloat16):
        w, y = op.weights(z, guide), op(z, guide)
    if name not in NATIVE:  # kernels by autocast, features as they came: the wider of the two
        assert y.dtype == torch.promote_types(w.dtype, given)
    assert y.dtype in (torch.float32, torch.bfloat16)
    assert float((y.detach().float() - exact).abs().mean()) <= ROUGH.get(name, 0.01) * float(exact.abs().mean())
    leaves = [z, *op.parameters()]
    gradients = torch.autograd.grad(y, leaves, torch.ones_like(y), allow_unused=True)
    for leaf, gradient in zip(leaves, gradients, strict=True):
        assert gradient is None or (gradient.dtype == leaf.dtype and bool(gradient.isfinite().all()))


OF_TORCH_ITSELF = "ignore:`torch.jit:DeprecationWarning"  # its own files, loaded at the first use of a transform


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w, z, the high-resolution map, and points."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 2, 9, 8, 10), (2, 4, 4, 5), (2, 4, 8, 10), (2, 2, 2, 8, 10))
    w, z, high, points = (torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes)
    return w, z, high, points.abs()


def verbs() -> dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]]:
    """Each primitive as a bilinear function of two tensors."""
    w, z, high, points = inputs()
    window = {"scale": 2, "kernel_size": 3, "border": "reflect"}
    return {
        "reassemble": (functools.partial(reassemble, **window), w, z),  # type: ignore[arg-type]
        "points": (lambda w, z: reassemble(w, z, scale=2, kernel_size=2, points=points), w[:, :, :4], z),
        "correlate": (lambda g, z: correlate(g, z, groups=2, **window), high, z),  # type: ignore[arg-type]
        "downassemble": (lambda w, x: downassemble(w, x, 2, 3, "replicate"), w[..., :4, :5], high),
    }


@pytest.mark.parametrize("verb", verbs())
@pytest.mark.filterwarnings(OF_TORCH_ITSELF)
def test_forward_derivatives_are_those_of_a_bilinear_function(verb: str) -> None:
    function, first, second = verbs()[verb]
    expected = function(torch.ones_like(first), second) + function(first, torch.ones_like(second))
    tangents = (torch.ones_like(first), torch.ones_like(second))
    value, tangent = torch.func.jvp(  # type: ignore[misc]  # two where there is no auxiliary output
        function, (first, second), tangents
    )
    assert_close(value, function(first, second))
    assert_close(tangent, expected)
    with forward_ad.dual_level():
        dual = function(forward_ad.make_dual(first.requires_grad_(), tangents[0]), second)
        assert_close(forward_ad.unpack_dual(dual).tangent, function(tangents[0], second))


@pytest.mark.parametrize("verb", verbs())
def test_functional_gradients_are_those_of_autograd(verb: str) -> None:
    function, first, second = verbs()[verb]
    leaves = (first.clone().requires_grad_(), second.clone().requires_grad_())
    expected = torch.autograd.grad(function(*leaves).square().sum(), leaves)
    found = torch.func.grad(lambda a, b: function(a, b).square().sum(), (0, 1))(first, second)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's own layers without a batching rule
@pytest.mark.parametrize("verb", ["reassemble", "correlate", "downassemble"])
def test_vmap_gives_what_a_loop_gives(verb: str) -> None:
    function, first, second = verbs()[verb]
    many = [torch.stack([tensor, 2 * tensor, tensor.flip(0)]) for tensor in (first, second)]
    assert_close(torch.vmap(function)(*many), torch.stack([function(*pair) for pair in zip(*many, strict=True)]))
    assert_close(torch.vmap(function, (None, 0))(first, many[1]), torch.stack([function(first, b) for b in many[1]]))
    over = torch.vmap(torch.func.grad(lambda a, b: function(a, b).square().sum()))(*many)
    for index, ours in enumerate(over):
        leaf: Any = many[0][index].clone().requires_grad_()
        assert_close(ours, torch.autograd.grad(function(leaf, many[1][index]).square().sum(), leaf)[0])


class ByKernels(torch.nn.Module):
    """An operator by its own kernels, where it has a path of torch's too."""

    def __init__(self, op: Upsampler) -> None:
        super().__init__()
        self.op = op

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return Upsampler.forward(self.op, z, guide)


Leaves = tuple[dict[str, Tensor], tuple[Tensor, ...]]


def samples(name: str, variant: Variant, by_kernels: bool) -> tuple[Callable[..., Tensor], Leaves, int]:
    """A function of parameters and inputs, with the parameters and two samples of inputs side by side."""
    op = testing.build(operator_class(name), variant.options, 2)
    assert op is not None
    module = ByKernels(op) if by_kernels else op
    given = [x for x in testing.inputs(op, batch=2, height=3, width=2) if x is not None]
    many = tuple(torch.stack([x[:1], x[1:]]) for x in given)
    parameters = {key: value.detach() for key, value in module.named_parameters()}
    return lambda state, *inputs: torch.func.functional_call(module, state, inputs), (parameters, many), len(given)


def loop(function: Callable[..., Any], parameters: dict[str, Tensor], many: tuple[Tensor, ...]) -> Any:
    """The function of each sample alone, its results stacked."""
    found = [function(parameters, *(x[index] for x in many)) for index in range(2)]
    return torch.utils._pytree.tree_map(lambda *parts: torch.stack(parts), *found)


TRANSFORMED = [pytest.param(*one.values, path, id=f"{one.id}-{path}") for one in VARIANTS for path in (False, True)
               if not path or str(one.values[0]) in NATIVE]  # fmt: skip
OF_NO_RULE = pytest.mark.filterwarnings("ignore:.*batching rule for aten::max_unpool2d")  # slower, as torch says


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's own layers without a batching rule
@pytest.mark.parametrize(("name", "variant", "by_kernels"), TRANSFORMED)
@pytest.mark.filterwarnings(OF_TORCH_ITSELF)
@OF_NO_RULE
def test_per_sample_derivatives_are_those_of_a_loop(name: str, variant: Variant, by_kernels: bool) -> None:
    function, (parameters, many), inputs = samples(name, variant, by_kernels)
    dims = (None, *[0] * inputs)
    each = tuple(range(inputs + 1)) if parameters else tuple(range(1, inputs + 1))

    def loss(state: dict[str, Tensor], *given: Tensor) -> Tensor:
        return function(state, *given).square().sum()

    def corner(state: dict[str, Tensor], *given: Tensor) -> Tensor:
        return function(state, *given)[:, :1, 1:3, 1:3]

    def tangent(state: dict[str, Tensor], *given: Tensor) -> Any:
        leaves = (state, *given) if parameters else given
        along = torch.utils._pytree.tree_map(torch.cos, leaves)
        call = function if parameters else lambda *inputs: function(state, *inputs)
        return torch.func.jvp(call, leaves, along)

    for derivative in (torch.func.grad(loss, each), torch.func.jacrev(corner, each), tangent):
        assert_close(torch.vmap(derivative, dims)(parameters, *many), loop(derivative, parameters, many))


@pytest.mark.parametrize("name", upsamplers.names())
@pytest.mark.filterwarnings(OF_TORCH_ITSELF)
@OF_NO_RULE
def test_an_ensemble_of_parameters_gives_what_a_loop_gives(name: str) -> None:
    function, (parameters, many), _ = samples(name, upsamplers.facts(name).variants[0], by_kernels=False)
    if not parameters:
        return
    members = [parameters, {key: value + 0.1 for key, value in parameters.items()}]
    stacked = {key: torch.stack([one[key] for one in members]) for key in parameters}
    inputs = [x[0] for x in many]
    expected = torch.stack([function(one, *inputs) for one in members])
    assert_close(torch.vmap(lambda state: function(state, *inputs))(stacked), expected)


@pytest.mark.parametrize("name", ["carafe", "dysample"])
@pytest.mark.filterwarnings("ignore")  # of the compiler's own files
def test_inductor_compiles_and_trains(name: str) -> None:
    torch._dynamo.reset()
    op, z, guide = built(name)
    z.requires_grad_()
    leaves = [z, *op.parameters()]
    plain = op(z, guide)
    compiled = torch.compile(op, fullgraph=True)(z, guide)
    assert_close(compiled, plain)
    ours, theirs = (torch.autograd.grad(y, leaves, torch.ones_like(y)) for y in (compiled, plain))
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-4)

"""Fused passes against their plain definitions: values, gradients of any order, and how they are called."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from upsamplers.fused import PASSES
from upsamplers.primitive import ENVIRONMENT


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def moved(batch: int, per: int, height: int, width: int, scale: int, groups: int, scoped: bool) -> tuple[Any, ...]:
    """Offsets that leave the map here and there."""
    size = (batch, 2 * groups * scale**2, height, width)
    scope = noise(*size) if scoped else None
    return (
        noise(batch, groups * per, height, width),
        6 * noise(*size),
        scope,
        0.3 * noise(1, size[1], 1, 1),
        scale,
        groups,
    )


def factors(
    batch: int, channels: int, height: int, width: int, scale: int, side: int, rank: int, sets: int, own: bool
) -> tuple[Any, ...]:
    """The arguments of `affinity`, with as many groups as divide the channels by two."""
    kernels = (noise(batch if own else 1, sets, rank, side, side) for _ in range(2))
    norms = (noise(channels) + shift for shift in range(4))
    return noise(batch, channels, scale * height, scale * width), *kernels, *norms, scale, channels // 2, 1e-5


def gate(batch: int, channels: int, height: int, width: int, scale: int) -> tuple[Any, ...]:
    """up, guide, logits and s."""
    size = (batch, channels, scale * height, scale * width)
    return noise(*size), noise(*size).flip(0).flip(1) + 1, noise(batch, 1, height, width), scale


def logits(
    batch: int, groups: int, taps: int, height: int, width: int, phases: int, repeat: int, *options: Any
) -> tuple[Any, ...]:
    """options: taps first, factor, sigmoid, softmax. With a map of lower resolution where `repeat` is above 1."""
    high = noise(batch, groups * taps * phases**2, height, width)
    low = noise(batch, groups * taps, height // repeat, width // repeat) if repeat > 1 else None
    return high, low, phases, repeat, groups, *options


CASES: dict[str, list[tuple[Any, ...]]] = {
    "sample_moved": [
        moved(batch, per, *size, scale, groups, scoped)
        for batch, per, size, scale, groups, scoped in (
            *itertools.product((1, 2), (1, 5), ((1, 1), (4, 3)), (1, 2, 3), (2,), (False, True)),
            (1, 20, (17, 19), 2, 1, True),
        )
    ],
    "affinity": [
        factors(1, 4, 3, 2, 2, 6, 1, 1, True),
        factors(2, 8, 5, 3, 2, 6, 2, 4, True),
        factors(2, 8, 5, 3, 1, 5, 1, 8, False),
        factors(1, 6, 9, 17, 3, 6, 1, 6, True),
        factors(2, 4, 1, 1, 2, 6, 3, 2, True),
        factors(1, 4, 20, 40, 4, 5, 1, 1, True),
        factors(1, 4, 6, 5, 2, 1, 1, 1, True),
        factors(1, 20, 9, 6, 2, 6, 1, 2, True),  # more channels than a line of cache holds
    ],
    "pooled": [
        (noise(batch, channels, *size), side)
        for batch, channels, size, side in (
            *itertools.product((1, 2), (3,), ((1, 1), (7, 40)), (1, 2, 6)),
            (2, 20, (9, 7), 6),
        )
    ],
    "gated": [gate(*case) for case in ((1, 3, 1, 1, 1), (2, 3, 4, 5, 2), (1, 2, 9, 17, 3))],
    "normalised_kernels": [
        logits(2, 1, 9, 2, 3, 2, 1, True, 1.0, True, True),
        logits(1, 2, 4, 2, 3, 3, 1, True, 1.0, True, True),
        logits(1, 2, 9, 2, 3, 2, 1, False, 0.25, False, True),
        logits(1, 3, 1, 2, 2, 2, 1, False, 1.0, True, False),
        logits(2, 1, 25, 4, 6, 1, 2, False, 1.0, False, True),
        logits(2, 2, 4, 3, 5, 1, 1, False, 1.0, True, True),
    ],
}
"""The first tensor of each is differentiated alone where one is enough."""
EVERY = [
    pytest.param(name, arguments, id=f"{name}-{number}")
    for name, cases in CASES.items()
    if PASSES[name].kernels("numba")
    for number, arguments in enumerate(cases)
]
ONE = [pytest.param(name, cases[1], id=name) for name, cases in CASES.items() if PASSES[name].kernels("numba")]


def differentiated(name: str, arguments: tuple[Any, ...], call: Any) -> list[Tensor]:
    """The result and the gradient in each tensor."""
    fresh = [one.clone() if isinstance(one, Tensor) else one for one in arguments]
    fixed = 3 if name == "sample_moved" else None  # the start position is no parameter
    leaves = [one.requires_grad_() for at, one in enumerate(fresh) if isinstance(one, Tensor) and at != fixed]
    y = call(*fresh)
    return [y.detach(), *torch.autograd.grad(y, leaves, noise(*y.shape))]


def test_every_pass_is_tried_here() -> None:
    assert CASES.keys() == PASSES.keys()


@pytest.fixture
def poisoned() -> Any:
    """Uninitialised memory holds NaN, so that an output that is not written everywhere shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_a_pass_and_its_gradients_are_those_of_its_definition(
    name: str, arguments: tuple[Any, ...], poisoned: None
) -> None:
    one = PASSES[name]
    for ours, exact in zip(
        differentiated(name, arguments, one), differentiated(name, arguments, one.definition), strict=True
    ):
        assert_close(ours, exact, rtol=1e-10, atol=1e-10)
    with torch.no_grad():
        assert_close(one(*arguments), one.definition(*arguments), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "arguments"), ONE)
def test_a_pass_has_derivatives_of_derivatives(name: str, arguments: tuple[Any, ...]) -> None:
    leaf = arguments[0].clone().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: PASSES[name](x, *arguments[1:]), leaf, fast_mode=True)


@pytest.mark.parametrize(("name", "arguments"), ONE)
def test_half_types_come_back_as_they_were_and_near_the_float64_result(name: str, arguments: tuple[Any, ...]) -> None:
    exact = PASSES[name](*arguments)
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float16, 2e-2), (torch.bfloat16, 1e-1)):
        if name == "sample_moved" and dtype != torch.float32:
            continue  # a half type moves the points themselves
        low = [one.to(dtype) if isinstance(one, Tensor) else one for one in arguments]
        got = PASSES[name](*low)
        assert got.dtype == dtype
        assert float((got.double() - exact).abs().mean()) <= tolerance * float(exact.abs().mean())


@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_channels_last_maps_give_the_same_numbers(name: str, arguments: tuple[Any, ...]) -> None:
    x = arguments[0].contiguous(memory_format=torch.channels_last)
    assert_close(PASSES[name](x, *arguments[1:]), PASSES[name](*arguments), rtol=1e-10, atol=1e-10)
    ours, exact = (differentiated(name, (one, *arguments[1:]), PASSES[name]) for one in (x, arguments[0]))
    for a, b in zip(ours, exact, strict=True):
        assert_close(a, b, rtol=1e-10, atol=1e-10)


class Names(TorchDispatchMode):
    """The operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.met: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.met.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("name", "arguments"), ONE)
def test_a_mode_meets_one_operator_and_the_plain_backend_none(
    name: str, arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad(), Names() as watched:
        PASSES[name](*arguments)
    assert watched.met == [f"upsamplers::{name}"]
    monkeypatch.setenv(ENVIRONMENT, "eager")
    with torch.no_grad(), Names() as watched:
        PASSES[name](*arguments)
    assert f"upsamplers::{name}" not in watched.met and len(watched.met) > 1


@pytest.mark.parametrize(("name", "arguments"), ONE)
def test_a_pass_compiles_without_a_graph_break(name: str, arguments: tuple[Any, ...]) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(PASSES[name].__call__, fullgraph=True, backend="aot_eager")
    for ours, exact in zip(
        differentiated(name, arguments, compiled), differentiated(name, arguments, PASSES[name]), strict=True
    ):
        assert_close(ours, exact)


@pytest.mark.parametrize(("name", "arguments"), ONE)
def test_function_transforms_see_the_definition(name: str, arguments: tuple[Any, ...]) -> None:
    one, x, others = PASSES[name], arguments[0], arguments[1:]
    many = torch.stack([x, 2 * x])
    assert_close(torch.vmap(lambda a: one(a, *others))(many), torch.stack([one(a, *others) for a in many]))
    leaf = x.clone().requires_grad_()
    expected = torch.autograd.grad(one(leaf, *others).square().sum(), leaf)[0]
    assert_close(torch.func.grad(lambda a: one(a, *others).square().sum())(x), expected)


@pytest.mark.parametrize(("name", "arguments"), ONE)
def test_the_same_call_gives_the_same_bits_on_any_number_of_threads(name: str, arguments: tuple[Any, ...]) -> None:
    large = {
        "sample_moved": moved(1, 8, 24, 40, 2, 4, True),
        "affinity": factors(1, 16, 24, 40, 2, 6, 1, 1, True),
        "pooled": (noise(1, 8, 120, 90), 6),
        "gated": gate(1, 16, 24, 40, 2),
    }
    arguments = large[name]
    count = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(differentiated(name, arguments, PASSES[name]))
    finally:
        torch.set_num_threads(count)
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)

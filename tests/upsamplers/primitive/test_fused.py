"""Fused passes against their plain definitions: values, gradients of any order, and how they are called."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fused_cases import CASES, differentiated, factors, gate, moved, noise
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from upsamplers.fused import PASSES
from upsamplers.primitive import ENVIRONMENT

EVERY = [
    pytest.param(name, arguments, id=f"{name}-{number}")
    for name, cases in CASES.items()
    if PASSES[name].kernels("numba")
    for number, arguments in enumerate(cases)
]
ONE = [pytest.param(name, cases[1], id=name) for name, cases in CASES.items() if PASSES[name].kernels("numba")]


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

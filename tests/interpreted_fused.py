"""The fused passes in Triton against their definitions, on CPU tensors, and how often an operator launches.

Run by test_triton.py with TRITON_INTERPRET=1 and UPSAMPLERS_BACKEND=triton.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import torch
from fused_cases import CASES, differentiated
from registered_operators import FUSED, inner
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

import upsamplers
from upsamplers import testing
from upsamplers.fused import PASSES
from upsamplers.primitive import products, similarities
from upsamplers.primitive.backends import BACKENDS
from upsamplers.primitive.cuda import geometry, launch, sampling
from upsamplers.primitive.planner import TAKES_POINTS
from upsamplers.registry import create_class, operator_class

EVERY = [
    pytest.param(name, arguments, id=f"{name}-{number}")
    for name, cases in CASES.items()
    for number, arguments in enumerate(cases if name != "sample_moved" else cases[::5])
]


@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_a_pass_and_its_gradients_are_those_of_its_definition(name: str, arguments: tuple[Any, ...]) -> None:
    one = PASSES[name]
    exact = differentiated(name, arguments, one.definition)
    for ours, theirs in zip(differentiated(name, arguments, one), exact, strict=True):
        assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    x = arguments[0].contiguous(memory_format=torch.channels_last)
    assert_close(one(x, *arguments[1:]), exact[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, arguments) for name, every in FUSED.items() for arguments in every]
)
def test_gradients_of_channels_last_tensors_are_those_of_the_definition(name: str, arguments: tuple[Any, ...]) -> None:
    one = PASSES[name]
    exact = differentiated(name, arguments, one.definition)
    last = tuple(inner(given) if isinstance(given, Tensor) and given.ndim > 3 else given for given in arguments)
    for ours, theirs in zip(differentiated(name, last, one), exact, strict=True):
        assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


STILL = {
    *("empty", "new_empty", "empty_like", "empty_strided", "detach", "lift_fresh", "alias"),
    *("_unsafe_view", "promote_types"),
}
"""Operations that launch nothing, besides those that give views."""


class Launches(TorchDispatchMode):
    """What a GPU would be given: operations of torch's by name, and our kernels, also within our own operators."""

    def __init__(self) -> None:
        super().__init__()
        self.met: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        space, _, name = func.name().partition("::")
        if space == "upsamplers":
            with self:
                return within(name, *args[:-1])
        if not func.is_view and name.partition(".")[0] not in STILL:
            self.met[name] += 1
        return func(*args, **(kwargs or {}))


COMPOSED: dict[str, Callable[..., Tensor]] = {
    "products": products._products,
    "similarities": similarities._similarities,
}
"""Operators that are made of the primitives."""


def within(name: str, *args: Any) -> Any:
    """What Triton does of an operator of ours."""
    if name in PASSES:
        kernels = PASSES[name].kernels("triton")
        assert kernels is not None
        return kernels[0](*args)
    if name in COMPOSED:
        return COMPOSED[name](*args, "triton")
    first, second, *rest = args
    points = rest.pop(0) if name in TAKES_POINTS else None
    shape = tuple(rest.pop(0)) if len(rest) > 3 else ()
    return BACKENDS["triton"](name, first, second, points, shape, *rest)(first, second, points)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """What is started here, by name. No kernel of ours runs."""
    watched = Launches()

    def count(plan: geometry.Launch, device: Any, *tensors: Any) -> None:
        watched.met[plan.kernel.fn.__name__] += 1

    mocked = [mock.patch.object(module, "launch", count) for module in (launch, sampling)]
    with torch.no_grad(), mocked[0], mocked[1], watched:
        yield watched.met


def launches(name: str, options: dict[str, Any], channels: int = 8) -> Counter[str]:
    """Of one forward pass of an operator at scale 2."""
    op = create_class(operator_class(name), channels, None, 2, options).eval()
    z, guide = (None if one is None else one.float() for one in testing.inputs(op, batch=1, height=4, width=4))
    with counted() as met:
        op(z, guide)
    return met


MOST = {"dysample": 10, "a2u": 12}


@pytest.mark.parametrize(
    ("name", "options"), [(name, dict(v.options)) for name in MOST for v in upsamplers.facts(name).variants], ids=str
)
def test_an_operator_gives_a_gpu_few_things_to_start(name: str, options: dict[str, Any]) -> None:
    met = launches(name, options)
    assert 2 <= met.total() <= MOST[name], met


@pytest.mark.parametrize("name", upsamplers.names())
def test_what_an_operator_starts_can_be_counted(name: str) -> None:
    assert launches(name, {}).total() > 0


def test_the_gradient_in_z_at_points_starts_four_kernels_a_fill_and_a_sum() -> None:
    w, g, points = (torch.zeros(1, n, *size) for n, size in ((8, (6, 4)), (4, (6, 4)), (4, (6, 4))))
    given = (w.unflatten(1, (2, 4)), g, points.unflatten(1, (2, 2)), (1, 4, 3, 2), 2, 2, "zero", "triton")
    with counted() as met:
        torch.ops.upsamplers.spread(*given)
    assert met == Counter(
        {"points_count": 1, "points_place": 1, "points_rank": 1, "points_spread": 1, "zeros": 1, "cumsum": 1}
    )


if __name__ == "__main__":
    for operator in upsamplers.names():
        for variant in upsamplers.facts(operator).variants:
            found = launches(operator, dict(variant.options))
            print(f"{operator:18}{variant.label:24}{found.total():4}  {dict(found)}")

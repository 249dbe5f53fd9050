"""Compilers believe what an operator says of its result before it runs: shape, type and strides are as said."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import torch
from registered_operators import REGISTERED, as_types, calls, layouts
from torch.library import opcheck

from upsamplers.fused import PASSES
from upsamplers.primitive.backends import BACKENDS

TYPES = [(torch.float32, torch.float32), (torch.bfloat16, torch.float32)]


def is_served(operator: str, backend: str) -> bool:
    """Whether a backend has kernels for it, and what they need."""
    one = PASSES.get(operator.removeprefix("upsamplers::").removesuffix("_backward"))
    there = backend != "triton" or importlib.util.find_spec("triton") is not None
    return there and (one is None or one.kernels(backend) is not None)


def is_taken(operator: str, backend: str, call: tuple[Any, ...]) -> bool:
    """Whether a backend's kernels are made for this call."""
    one = PASSES.get(operator.removeprefix("upsamplers::").removesuffix("_backward"))
    given = call[1:] if operator.endswith("_backward") else call
    return one is None or one.fits is None or one.fits(backend, *given)


SERVED = [(operator, backend) for operator in REGISTERED for backend in BACKENDS if is_served(operator, backend)]


@pytest.fixture
def nothing_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's kernels run nowhere here; their results are made before."""
    if importlib.util.find_spec("triton") is None:
        return
    from upsamplers.primitive.cuda import launch, sampling

    for module in (launch, sampling):
        monkeypatch.setattr(module, "launch", lambda *arguments: None)


@pytest.mark.parametrize(("operator", "backend"), SERVED)
def test_a_result_is_as_was_said_before_it_was_made(operator: str, backend: str, nothing_launched: None) -> None:
    function: Any = getattr(torch.ops.upsamplers, operator.removeprefix("upsamplers::")).default
    for call in calls(operator):
        if not is_taken(operator, backend, call):
            continue
        for kinds in TYPES:
            for arguments in layouts(as_types(call, *kinds)):
                opcheck(function, (*arguments, backend), test_utils="test_faketensor")

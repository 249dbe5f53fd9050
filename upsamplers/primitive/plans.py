"""What a call of a primitive costs once: its plan, kept under all that it depends on.

A plan is a function of the tensors alone, right for every call with the same key. What may change between two such
calls (gradients, modes, streams, addresses) is no part of a plan: it is asked for at each call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.backends import BACKENDS
from upsamplers.primitive.kept import Kept
from upsamplers.primitive.planner import Run

Key = tuple[Any, ...]

_kept: Kept[Key, Run] = Kept()

kept = _kept.get
"""The plan of a key, where there is one."""

clear = _kept.clear
"""Forget every plan."""


def key(
    caller: str,
    first: Tensor,
    second: Tensor,
    points: Tensor | None,
    more: Any,
    scale: int,
    kernel_size: int,
    border: str,
    backend: str,
) -> Key:
    """What a plan depends on. `more`: what the caller was given besides, such as the shape of the result.

    Addresses are no part of it: whether they are multiples of 16, for which kernels are compiled, a launch asks itself.
    """
    return (
        *(caller, more, scale, kernel_size, border, backend, torch.get_num_threads()),
        *(first.dtype, first.device, first.shape, first.stride()),
        *(second.dtype, second.device, second.shape, second.stride()),
        None if points is None else (points.dtype, points.device, points.shape, points.stride()),
    )


def run(
    key: Key,
    primitive: str,
    first: Tensor,
    second: Tensor,
    points: Tensor | None,
    shape: tuple[int, ...],
    scale: int,
    kernel_size: int,
    border: str,
    backend: str,
) -> Tensor:
    """The primitive by its plan, which is made where none is kept. `shape`: of the result of an adjoint, else ()."""
    plan = _kept.get(key)
    if plan is None:
        plan = _kept.keep(key, BACKENDS[backend](primitive, first, second, points, shape, scale, kernel_size, border))
    return plan(first, second, points)

"""What a call of a primitive costs once: its plan, kept under all that it depends on.

A plan is a function of the tensors alone, right for every call with the same key. What may change between two such
calls (gradients, modes, streams, addresses) is no part of a plan: it is asked for at each call.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.backends import BACKENDS
from upsamplers.primitive.planner import Run

Key = tuple[Any, ...]

MOST = 1024
"""Plans that are kept; the oldest goes first."""

_kept: dict[Key, Run] = {}
_lock = threading.Lock()


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

    For `triton` whether addresses are multiples of 16 counts too, as kernels are compiled for those that are; for all
    else the number of threads.
    """
    place: Any = torch.get_num_threads()
    if backend == "triton":
        place = (first.data_ptr() % 16, second.data_ptr() % 16, 0 if points is None else points.data_ptr() % 16)
    return (
        *(caller, more, scale, kernel_size, border, backend, place),
        *(first.dtype, first.device, first.shape, first.stride()),
        *(second.dtype, second.device, second.shape, second.stride()),
        None if points is None else (points.dtype, points.device, points.shape, points.stride()),
    )


def kept(key: Key) -> Run | None:
    """The plan of this key, where there is one."""
    return _kept.get(key)


def keep(key: Key, plan: Run) -> Run:
    """Keep a plan, and let the oldest go where there are too many."""
    with _lock:
        while len(_kept) >= MOST:
            del _kept[next(iter(_kept))]
        _kept[key] = plan
    return plan


def clear() -> None:
    """Forget every plan."""
    with _lock:
        _kept.clear()


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
        plan = keep(key, BACKENDS[backend](primitive, first, second, points, shape, scale, kernel_size, border))
    return plan(first, second, points)

"""Which way a call takes to its backend: straight, or through the registered operator where something must see it.

Gradients, modes (counters, FakeTensor), function transforms, traces, compilers and profilers need the operator; it
costs ten times what a kept plan does. autocast is no reason: the primitives have no rule under it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from upsamplers.primitive import plans
from upsamplers.primitive.backends import choose
from upsamplers.primitive.planner import TAKES_POINTS


def _dispatch_keys() -> tuple[frozenset[int], frozenset[int]]:
    """Keys of tensors that are nothing but memory of a CPU or GPU; keys that a thread adds outside every mode."""
    key, keys = torch._C.DispatchKey, torch._C.DispatchKeySet
    plain, thread = set(), set()
    for device in ("CPU", "CUDA"):
        inference = keys(getattr(key, device)) | keys(getattr(key, f"Autocast{device}"))
        normal = inference | keys(getattr(key, f"Autograd{device}")) | keys(key.ADInplaceOrView)
        plain |= {inference.raw_repr(), normal.raw_repr()}
    thread = {keys(key.BackendSelect).raw_repr(), (keys(key.BackendSelect) | keys(key.ADInplaceOrView)).raw_repr()}
    return frozenset(plain), frozenset(thread)


_PLAIN, _THREAD = _dispatch_keys()


def is_direct(*tensors: Tensor | None) -> bool:
    """Whether nothing but the backend has to see a call of a primitive on these tensors."""
    if torch.compiler.is_dynamo_compiling():
        return False
    if (
        torch._C._dispatch_tls_local_include_set().raw_repr() not in _THREAD
        or torch._C._is_torch_function_mode_enabled()
        or torch._C._autograd._profiler_enabled()
        or forward_ad._current_level >= 0
    ):
        return False
    differentiable = torch.is_grad_enabled()
    for tensor in tensors:
        if tensor is None:
            continue
        if type(tensor) is not Tensor and type(tensor) is not nn.Parameter:
            return False
        if differentiable and tensor.requires_grad:
            return False
        if torch._C._dispatch_keys(tensor).raw_repr() not in _PLAIN:
            return False
    return True


def direct_key(
    caller: str,
    first: Tensor,
    second: Tensor,
    points: Tensor | None,
    more: Any,
    scale: int,
    kernel_size: int,
    border: str,
    backend: str | None,
) -> plans.Key | None:
    """The key of the plan for a call that may go straight; None where the registered operator must see it."""
    if not is_direct(first, second, points):
        return None
    if type(scale) is not int or type(kernel_size) is not int or type(border) is not str:  # 2.0 equals 2 as a key
        return None
    return plans.key(caller, first, second, points, more, scale, kernel_size, border, choose(second, backend))


def call(
    key: plans.Key | None,
    primitive: str,
    first: Tensor,
    second: Tensor,
    points: Tensor | None,
    shape: Any,
    scale: int,
    kernel_size: int,
    border: str,
    backend: str,
) -> Tensor:
    """The primitive, straight where there is a key. `shape`: of the result of an adjoint, else ()."""
    if key is not None:
        return plans.run(key, primitive, first, second, points, shape, scale, kernel_size, border, backend)
    tensors = (first, second, points) if primitive in TAKES_POINTS else (first, second)
    results = (shape,) if len(shape) else ()
    operator = getattr(torch.ops.upsamplers, primitive)
    out: Tensor = operator(*tensors, *results, scale, kernel_size, border, backend)
    return out

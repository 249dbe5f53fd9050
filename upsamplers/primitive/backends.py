"""Which code runs a primitive: the one forced by argument or environment, else the best for the device and dtype."""

from __future__ import annotations

import os
from importlib.util import find_spec

import torch
from torch import Tensor
from torch._C import _functorch
from torch.autograd import forward_ad

from upsamplers.errors import nearest_hint
from upsamplers.primitive import eager, eager_down
from upsamplers.primitive.cpu import backend as cpu
from upsamplers.primitive.cuda import backend as cuda
from upsamplers.primitive.planner import Planner, as_they_are
from upsamplers.tracing import is_exporting

ENVIRONMENT = "UPSAMPLERS_BACKEND"
"""Environment variable that forces a backend where no argument does."""

BACKENDS: dict[str, Planner] = {
    "eager": as_they_are(eager, eager_down),
    "numba": cpu.plan,
    "triton": as_they_are(cuda),
}
"""Backend -> how it plans each of the six primitives."""

_COMPILED_TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# the kernels need Triton 3.3, which torch 2.7 was the first to come with
_NEEDS = {"cpu": "numba", "cuda": "triton"} if torch.__version__ >= "2.7" else {"cpu": "numba"}
_BEST = {device: library for device, library in _NEEDS.items() if find_spec(library)}
"""Device type -> the backend for floating-point tensors there; eager for all else."""


def is_written_out(backend: str | None) -> bool:
    """Whether a primitive is done by plain operations: in an export that forces no backend, and where derivatives are
    asked for that a custom operator does not have: forward ones, and those of torch.func.

    What dynamo traces does not count.
    """
    if torch.compiler.is_dynamo_compiling():
        return False
    if forward_ad._current_level >= 0:  # a custom operator would drop tangents without a word
        return True
    transforms = _functorch.get_interpreter_stack()
    if transforms and any(one.key() == _functorch.TransformType.Grad for one in transforms):
        return True
    if not is_exporting():
        return False
    return (backend or os.environ.get(ENVIRONMENT) or "eager") == "eager"


def choose(tensor: Tensor, backend: str | None) -> str:
    """Name of the backend for tensors like this one. Raises ValueError for a name that no backend has."""
    best = _BEST.get(tensor.device.type, "eager") if tensor.dtype in _COMPILED_TYPES else "eager"
    name = backend or os.environ.get(ENVIRONMENT) or best
    if name not in BACKENDS:
        raise ValueError(f"no backend {name!r}; {nearest_hint(name, BACKENDS)}")
    return name

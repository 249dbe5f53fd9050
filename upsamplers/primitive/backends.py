"""Which code runs a primitive: the one forced by argument or environment, else the best for the device and dtype."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from torch import Tensor

from upsamplers.errors import nearest_hint
from upsamplers.primitive import eager, eager_down

ENVIRONMENT = "UPSAMPLERS_BACKEND"
"""Environment variable that forces a backend where no argument does."""

BACKENDS: dict[str, dict[str, Any]] = {}
"""Backend -> primitive -> function. Every backend provides all six primitives."""


def provide(name: str, *modules: ModuleType) -> None:
    """Register a backend whose functions are named as the primitives."""
    primitives = ("reassemble", "correlate", "spread", "downassemble", "down_correlate", "down_spread")
    BACKENDS[name] = {
        primitive: getattr(module, primitive)
        for module in modules
        for primitive in primitives
        if getattr(getattr(module, primitive, None), "__module__", None) == module.__name__
    }


provide("eager", eager, eager_down)


def choose(tensor: Tensor, backend: str | None) -> str:
    """Name of the backend for tensors like this one. Raises ValueError for a name that no backend has."""
    name = backend or os.environ.get(ENVIRONMENT) or "eager"
    if name not in BACKENDS:
        raise ValueError(f"no backend {name!r}; {nearest_hint(name, BACKENDS)}")
    return name

"""How a fused pass calls its kernel: a packet that is made for the call, of tensors and arrays of any number."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from upsamplers.primitive.cpu import threads
from upsamplers.primitive.cpu.ahead import LINE
from upsamplers.primitive.cpu.elements import are_read
from upsamplers.primitive.cpu.prepared import Flat as Flat
from upsamplers.primitive.cpu.prepared import extent
from upsamplers.primitive.cpu.prepared import numbers as numbers
from upsamplers.primitive.eager import accumulator, layout


def map_like(like: Tensor, shape: Sequence[int]) -> Tensor:
    """An uninitialised map in the type and memory format of `like`."""
    return torch.empty(tuple(shape), dtype=like.dtype, memory_format=layout(like))


def readable(x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A map as kernels read it: in this type (its own) where they know it, else in that of arithmetic."""
    kind = x.dtype if dtype is None else dtype
    return x.detach().to(kind if are_read(kind) else accumulator(kind))


def together(x: Tensor) -> int:
    """Channels of a map that a kernel takes at once: those that share a line of cache, where they lie side by side.

    Fewer where threads would be left without any.
    """
    if x.stride(1) != 1:
        return 1
    return max(1, min(LINE // x.element_size(), x.shape[0] * x.shape[1] // threads.threads()))


def run(kernel: Any, parts: int, *arrays: Tensor | Flat) -> None:
    """Run a kernel in `parts` parts on these arrays."""
    fields: list[int] = []
    for array in arrays:
        if isinstance(array, np.ndarray):
            fields += [array.__array_interface__["data"][0], array.size]
        else:
            fields += [array.data_ptr(), extent(array)]
    threads.run(kernel, parts, (ctypes.c_int64 * len(fields))(*fields))

"""A pass prepared for maps of fixed shapes and strides: a call makes the output, fills in addresses and runs."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from upsamplers.primitive.cpu import threads

Flat = np.ndarray[Any, Any]


def numbers(*values: int) -> Flat:
    """Integers as a kernel takes them."""
    return np.array(values, np.int64)


def extent(tensor: Tensor) -> int:
    """Elements from the first of a tensor to its last, both included."""
    return 1 + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))


class Prepared:
    """A kernel with all of its packet but the addresses of inputs, output and scratch.

    Args:
        kernel: what `threads.compiled` gives.
        parts: how many parts the work is worth.
        scratch: elements a part and type of each piece of scratch, which come last in the packet.
        arrays: what else the packet holds, in order: arrays of integers, which are kept, and tensors like the inputs
            of every call, and after them one like the output.
    """

    def __init__(
        self, kernel: Any, parts: int, scratch: Sequence[tuple[int, torch.dtype]], *arrays: Tensor | Flat
    ) -> None:
        self.kernel, self.parts, self.scratch = kernel, parts, tuple(scratch)
        self.kept = [array for array in arrays if isinstance(array, np.ndarray)]
        fields: list[int] = []
        self.addresses: list[int] = []
        """Where the packet has the addresses of the inputs and of the output."""
        for array in arrays:
            if isinstance(array, np.ndarray):
                fields += [array.ctypes.data, array.size]
            else:
                self.addresses.append(len(fields))
                fields += [0, extent(array)]
                out = array
        self.shape, self.strides, self.dtype = tuple(out.shape), out.stride(), out.dtype
        self.scratch_at = len(fields)
        fields += [0, 0] * len(self.scratch)
        self.fields, self.packet_type = np.array(fields, np.int64).tobytes(), ctypes.c_int64 * len(fields)

    def __call__(self, first: Tensor, second: Tensor, points: Tensor | None = None) -> Tensor:
        """The output for tensors with the types, shapes and strides of the plan's."""
        out = torch.empty_strided(self.shape, self.strides, dtype=self.dtype)
        parts = 1 if self.parts == 1 else min(self.parts, threads.threads())
        packet = self.packet_type.from_buffer_copy(self.fields)
        tensors = (first, second, out) if points is None else (first, second, points, out)
        for at, tensor in zip(self.addresses, tensors, strict=True):
            packet[at] = tensor.data_ptr()
        rooms = [torch.empty(parts * size, dtype=kind) for size, kind in self.scratch]
        for number, room in enumerate(rooms):
            at = self.scratch_at + 2 * number
            packet[at], packet[at + 1] = room.data_ptr(), room.shape[0]
        threads.run(self.kernel, parts, packet)
        return out

"""From tensors to kernels, for sampling at moved points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from upsamplers.primitive.cpu import moved as kernels
from upsamplers.primitive.cpu import packets, threads
from upsamplers.primitive.cpu.tile import lanes
from upsamplers.primitive.eager import accumulator


def _moved(z: Tensor, offset: Tensor, scope: Tensor | None, start: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
    """What the offsets are multiplied by, and everything in the type of arithmetic."""
    real = accumulator(z.dtype)
    offset, start = offset.to(real), start.to(real).flatten()
    if scope is None:
        return offset, offset, start, 0.25
    gate = scope.to(real).sigmoid()
    return offset * gate, gate, start, 0.5


def _dims(z_shape: Sequence[int], groups: int, scale: int) -> tuple[int, ...]:
    batch, channels, height, width = z_shape
    return batch, groups, channels // groups, height, width, scale


def forward(z: Tensor, offset: Tensor, scope: Tensor | None, start: Tensor, scale: int, groups: int) -> Tensor:
    """z sampled at the moved points, [B, C, sH, sW]."""
    batch, channels, height, width = z.shape
    moved, _, start, reach = _moved(z, offset, scope, start)
    narrow = packets.readable(z)
    out = packets.map_like(narrow, (batch, channels, scale * height, scale * width))
    read = narrow if z.stride(1) == 1 else z.to(moved.dtype)  # no vector gathers half types from a row
    blocks = -(-scale * height // kernels.BLOCK)
    parts = threads.parts_for(4 * out.numel(), batch * groups * blocks)
    size = 4 * kernels.BLOCK * scale * width
    packets.run(
        threads.compiled(kernels.gather, read.dtype, out.dtype), parts, packets.numbers(*_dims(z.shape, groups, scale)),
        read, packets.numbers(*read.stride()), moved, packets.numbers(*moved.stride()), start, _real(reach, moved),
        out, packets.numbers(*out.stride()), torch.empty(parts, size, dtype=torch.int64),
        torch.empty(parts, size, dtype=moved.dtype),
    )  # fmt: skip
    return out.to(z.dtype)


def backward(
    g: Tensor,
    z: Tensor,
    offset: Tensor,
    scope: Tensor | None,
    start: Tensor,
    scale: int,
    groups: int,
    needs: list[bool],
) -> list[Tensor]:
    """The gradients in z, the offsets and the scope, of those that are needed."""
    moved, gate, start, reach = _moved(z, offset, scope, start)
    g = packets.readable(g, z.dtype)
    of_z, of_offset, of_scope = needs[:3]
    found = []
    if of_z:
        found.append(_in_z(g, moved, start, reach, z.shape, scale, groups).to(z.dtype))
    if of_offset or of_scope:
        in_moved = _in_offset(g, packets.readable(z), moved, start, reach, scale, groups)
        if of_offset:
            found.append((in_moved if scope is None else in_moved * gate).to(offset.dtype))
        if of_scope:
            assert scope is not None
            found.append((in_moved * moved * (1 - gate)).to(scope.dtype))
    return found


def _in_z(
    g: Tensor, moved: Tensor, start: Tensor, reach: float, z_shape: Sequence[int], scale: int, groups: int
) -> Tensor:
    batch, groups, per, height, width, _ = _dims(z_shape, groups, scale)
    out = packets.map_like(g, z_shape)
    count = lanes(moved.element_size())
    parts = threads.parts_for(4 * g.numel(), batch * groups * -(-per // count))
    packets.run(
        threads.compiled(kernels.scatter, g.dtype), parts, packets.numbers(*_dims(z_shape, groups, scale), count),
        g, packets.numbers(*g.stride()), moved, packets.numbers(*moved.stride()), start, _real(reach, moved),
        out, packets.numbers(*out.stride()), torch.empty(parts, 4 * scale * width, dtype=torch.int64),
        torch.empty(parts, (4 + count) * scale * width + height * width * count, dtype=moved.dtype),
    )  # fmt: skip
    return out


def _in_offset(g: Tensor, z: Tensor, moved: Tensor, start: Tensor, reach: float, scale: int, groups: int) -> Tensor:
    batch, groups, _, height, width, _ = _dims(z.shape, groups, scale)
    out = torch.empty_like(moved)
    blocks = -(-scale * height // kernels.BLOCK)
    parts = threads.parts_for(4 * g.numel(), batch * groups * blocks)
    size = 4 * kernels.BLOCK * scale * width
    packets.run(
        threads.compiled(kernels.correlate, g.dtype), parts, packets.numbers(*_dims(z.shape, groups, scale)),
        z, packets.numbers(*z.stride()), moved, packets.numbers(*moved.stride()), start, _real(reach, moved),
        g, packets.numbers(*g.stride()), torch.empty(parts, size, dtype=torch.int64),
        torch.empty(parts, 2 * size, dtype=moved.dtype), out, packets.numbers(*out.stride()),
    )  # fmt: skip
    return out


def _real(value: float, like: Tensor) -> np.ndarray[tuple[int], np.dtype[np.floating]]:
    """One number in the kernel's type."""
    return np.array([value], np.float64 if like.dtype == torch.float64 else np.float32)

"""The primitives as an exported program holds them: few operations of plain PyTorch, and none that writes in place.

z is repeated s times once, so that every tap is one slice, one product and one sum: k² times the memory is never
needed, and a runtime that has never heard of this package runs it. What has points or mixes channels is the eager
backend's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from upsamplers.primitive import eager
from upsamplers.primitive.eager import accumulator, result_dtype
from upsamplers.primitive.eager_down import down_pad
from upsamplers.primitive.window import pad


def reassemble(w: Tensor, z: Tensor, points: Tensor | None, scale: int, kernel_size: int, border: str) -> Tensor:
    """g(w, z) = wᵀz at every output point; shapes as in `upsamplers.reassemble`."""
    if points is not None or w.shape[2] != kernel_size**2:
        return eager.reassemble(w, z, points, scale, kernel_size, border)
    dtype = result_dtype(w, z)
    height, width = scale * z.shape[2], scale * z.shape[3]
    if tuple(w.shape[3:]) == (scale, scale):
        w = w.repeat(1, 1, 1, z.shape[2], z.shape[3])
    reads = _window(z.to(accumulator(dtype)), w.shape[1], scale, kernel_size, border)
    return _weighted(w, _slices(reads, kernel_size, scale, 1, height, width), dtype)


def correlate(g: Tensor, z: Tensor, w_shape: Sequence[int], scale: int, kernel_size: int, border: str) -> Tensor:
    """⟨g, z⟩ over each group's channels at every tap; shapes as in `upsamplers.correlate`."""
    dtype = result_dtype(g, z)
    high, groups = accumulator(dtype), w_shape[1]
    grouped = g.to(high).unflatten(1, (groups, -1))
    reads = _window(z.to(high), groups, scale, kernel_size, border)
    slices = _slices(reads, kernel_size, scale, 1, *g.shape[2:])
    return torch.cat([(grouped * read).sum(2, keepdim=True) for read in slices], 2).to(dtype)


def downassemble(w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str) -> Tensor:
    """wᵀx at every low-resolution point; shapes as in `upsamplers.downassemble`."""
    dtype = result_dtype(w, x)
    padded, start = down_pad(x.to(accumulator(dtype)), scale, kernel_size, border)
    reads = padded[..., start:, start:].unflatten(1, (w.shape[1], -1))
    return _weighted(w, _slices(reads, kernel_size, 1, scale, *w.shape[3:]), dtype)


def _window(z: Tensor, groups: int, scale: int, kernel_size: int, border: str) -> Tensor:
    """z with its border, each of its pixels s×s times: [B, G, C/G, s(H + k − 1), s(W + k − 1)]."""
    radius = kernel_size // 2
    padded = pad(z, radius, radius, radius, border).unflatten(1, (groups, -1))
    if scale == 1:
        return padded
    repeated = padded[..., :, None, :, None].expand(-1, -1, -1, -1, scale, -1, scale)
    return repeated.flatten(-2).flatten(-3, -2)


def _slices(reads: Tensor, kernel_size: int, apart: int, step: int, height: int, width: int) -> Iterator[Tensor]:
    """What each tap reads: taps lie `apart` from one another, and neighbouring results read `step` apart."""
    # narrow, because a slice may end beyond the map, which cannot be ruled out where sizes are symbols
    for y in range(kernel_size):
        rows = reads.narrow(-2, y * apart, step * (height - 1) + 1)[..., ::step, :]
        for x in range(kernel_size):
            yield rows.narrow(-1, x * apart, step * (width - 1) + 1)[..., ::step]


def _weighted(w: Tensor, slices: Iterator[Tensor], dtype: torch.dtype) -> Tensor:
    """The sum of the slices, each times its tap of w."""
    taps = w.to(accumulator(dtype)).split(1, 2)  # [B, G, 1, height, width] each
    parts = (tap * read for tap, read in zip(taps, slices, strict=True))
    total = next(parts)
    for part in parts:
        total = total + part
    return total.flatten(1, 2).to(dtype)

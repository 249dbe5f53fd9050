"""The primitives as an exported program holds them: few operations of plain PyTorch, and none that writes in place.

Where many channels share a kernel and sizes are numbers they are products of matrices (`tiled`). Else z is repeated s
times once, so that every tap is one slice, one product and one sum. k² times the memory is never needed, and a runtime
that has never heard of this package runs it. Function transforms read the latter: what is written in place must be
batched before what is written into it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from upsamplers.primitive import eager, sampled_rows, tiled
from upsamplers.primitive.eager import accumulator, result_dtype
from upsamplers.primitive.eager_down import down_pad
from upsamplers.primitive.window import pad
from upsamplers.tracing import is_exporting, sizes


def reassemble(w: Tensor, z: Tensor, points: Tensor | None, scale: int, kernel_size: int, border: str) -> Tensor:
    """g(w, z) = wᵀz at every output point; shapes as in `upsamplers.reassemble`."""
    dtype = result_dtype(w, z)
    high, (_, groups, taps, *extent) = z.to(accumulator(dtype)), sizes(w)
    height, width = scale * z.shape[2], scale * z.shape[3]
    if points is not None and is_exporting():
        return sampled_rows.reassemble(w.to(high.dtype), high, points, border).to(dtype)
    if points is not None:
        return _weighted(w, _corners(high, points, border, height, width), dtype)
    if tuple(extent) == (scale, scale):
        w = w.repeat(1, 1, 1, z.shape[2], z.shape[3])
    if taps == kernel_size**2 and _is_tiled(scale, z, groups):
        return tiled.reassemble(w.to(high.dtype), high, scale, kernel_size, border).to(dtype)
    if taps == kernel_size**2:
        reads = _window(high, scale, kernel_size, border).unflatten(1, (groups, -1))
        return _weighted(w, _slices(reads, kernel_size, scale, 1, height, width), dtype)
    reads = _window(high, scale, kernel_size, border)
    kernels = w.to(high.dtype).unflatten(2, (-1, kernel_size**2)).unbind(3)  # [B, G, C, sH, sW] each
    slices = _slices(reads.unsqueeze(1), kernel_size, scale, 1, height, width)  # [B, 1, C, sH, sW] each
    return _total((kernel * read).sum(2) for kernel, read in zip(kernels, slices, strict=True)).to(dtype)


def correlate(
    g: Tensor, z: Tensor, groups: int, scale: int, kernel_size: int, border: str, points: Tensor | None = None
) -> Tensor:
    """⟨g, z⟩ over each group's channels at every tap; shapes as in `upsamplers.correlate`."""
    dtype = result_dtype(g, z)
    high = accumulator(dtype)
    grouped = g.to(high).unflatten(1, (groups, -1))
    if points is not None and is_exporting():
        return sampled_rows.correlate(g.to(high), z.to(high), points, border).to(dtype)
    if points is not None:
        at_corners = _corners(z.to(high), points, border, *g.shape[2:])
        return torch.cat([(grouped * read).sum(2, keepdim=True) for read in at_corners], 2).to(dtype)
    if _is_tiled(scale, z, groups):
        return tiled.correlate(g.to(high), z.to(high), groups, scale, kernel_size, border).to(dtype)
    reads = _window(z.to(high), scale, kernel_size, border).unflatten(1, (groups, -1))
    slices = _slices(reads, kernel_size, scale, 1, *g.shape[2:])
    return torch.cat([(grouped * read).sum(2, keepdim=True) for read in slices], 2).to(dtype)


def downassemble(w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str) -> Tensor:
    """wᵀx at every low-resolution point; shapes as in `upsamplers.downassemble`."""
    dtype = result_dtype(w, x)
    padded, start = down_pad(x.to(accumulator(dtype)), scale, kernel_size, border)
    reads = padded[..., start:, start:].unflatten(1, (w.shape[1], -1))
    return _weighted(w, _slices(reads, kernel_size, 1, scale, *w.shape[3:]), dtype)


def _is_tiled(scale: int, z: Tensor, groups: int) -> bool:
    """Whether a program is written for an engine, at this size, that multiplies matrices faster."""
    return is_exporting() and tiled.pays(scale, z.shape[1] // groups, z.shape)


def _window(z: Tensor, scale: int, kernel_size: int, border: str) -> Tensor:
    """z with its border, each of its pixels s×s times: [B, C, s(H + k − 1), s(W + k − 1)]."""
    radius = kernel_size // 2
    padded = pad(z, radius, radius, radius, border)
    if scale > 1:  # one operation, for a reshape of repeated pixels has no strides where sizes are symbols
        padded = functional.interpolate(padded, scale_factor=scale, mode="nearest-exact")
    return padded


def _corners(z: Tensor, points: Tensor, border: str, height: int, width: int) -> Iterator[Tensor]:
    """What each corner of the points reads, [B, G, C/G, height, width]."""
    for _, index, valid in eager.corners(z, points, border):
        yield eager.read_at(z, index, valid).unflatten(-1, (height, width))


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
    return _total(tap * read for tap, read in zip(taps, slices, strict=True)).flatten(1, 2).to(dtype)


def _total(parts: Iterator[Tensor]) -> Tensor:
    total = next(parts)
    for part in parts:
        total = total + part
    return total

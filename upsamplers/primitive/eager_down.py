"""The plain PyTorch backend of the downsampling primitive: `downassemble` and its two adjoints, tap by tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from upsamplers.primitive.eager import accumulator, empty_map, layout, result_dtype
from upsamplers.primitive.window import down_offset, pad, unpad


def down_windows(x: Tensor, scale: int, kernel_size: int, border: str) -> Iterator[tuple[int, Tensor]]:
    """Each tap of the k×k window of a downsampled point: its number and x read there, [B, C, H, W]."""
    height, width = x.shape[-2] // scale, x.shape[-1] // scale
    padded, start = down_pad(x, scale, kernel_size, border)
    for tap in range(kernel_size**2):
        row, column = start + tap // kernel_size, start + tap % kernel_size
        yield tap, padded[..., row : row + scale * height : scale, column : column + scale * width : scale]


def down_margins(scale: int, kernel_size: int) -> tuple[int, int]:
    """Padding before and after that makes every tap of every downsampled point a slice of s·H elements."""
    offset = down_offset(scale, kernel_size)
    return max(offset, 0), max(kernel_size - scale - offset, 0)


def down_pad(x: Tensor, scale: int, kernel_size: int, border: str) -> tuple[Tensor, int]:
    """The padded map and where the first window starts in it."""
    before, after = down_margins(scale, kernel_size)
    return pad(x, before, after, after, border), before - down_offset(scale, kernel_size)


def downassemble(w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str) -> Tensor:
    """wᵀx at every low-resolution point; shapes as in `upsamplers.downassemble`."""
    groups = w.shape[1]
    dtype = result_dtype(w, x)
    out = empty_map(x, x.shape[1], x.shape[-2] // scale, x.shape[-1] // scale, accumulator(dtype))
    if out.numel() == 0:
        return out.to(dtype)
    grouped = out.unflatten(1, (groups, -1))
    for tap, read in down_windows(x, scale, kernel_size, border):
        grouped.addcmul_(w[:, :, tap].unsqueeze(2).to(out.dtype), read.unflatten(1, (groups, -1)).to(out.dtype))
    return out.to(dtype)


def down_correlate(g: Tensor, x: Tensor, w_shape: Sequence[int], scale: int, kernel_size: int, border: str) -> Tensor:
    """The adjoint of `downassemble` in w."""
    dtype = result_dtype(g, x)
    high = accumulator(dtype)
    out = torch.zeros(tuple(w_shape), dtype=high, device=g.device)
    if g.numel() == 0:
        return out.to(dtype)
    for tap, read in down_windows(x, scale, kernel_size, border):
        product = (g.to(high) * read.to(high)).unflatten(1, (w_shape[1], -1)).sum(2)
        out[:, :, tap] = product.sum_to_size(out[:, :, tap].shape)
    return out.to(dtype)


def down_spread(w: Tensor, g: Tensor, x_shape: Sequence[int], scale: int, kernel_size: int, border: str) -> Tensor:
    """The adjoint of `downassemble` in x."""
    height, width = x_shape[-2:]
    groups = w.shape[1]
    dtype = result_dtype(w, g)
    high = accumulator(dtype)
    if g.numel() == 0:
        return empty_map(g, x_shape[1], height, width, dtype)
    before, after = down_margins(scale, kernel_size)
    start = before - down_offset(scale, kernel_size)
    padded = empty_map(g, g.shape[1], height + before + after, width + before + after, high)
    grouped = g.unflatten(1, (groups, -1)).to(high)
    for tap in range(kernel_size**2):
        row, column = start + tap // kernel_size, start + tap % kernel_size
        slot = padded[..., row : row + height : scale, column : column + width : scale]
        slot.unflatten(1, (groups, -1)).addcmul_(w[:, :, tap].unsqueeze(2).to(high), grouped)
    return unpad(padded, height, width, before, border).to(dtype).contiguous(memory_format=layout(g))

"""The plain PyTorch backend: any device, any dtype, accumulating over taps, so that no k²-fold tensor exists.

Half types accumulate in float32. A tap is a slice of the padded map; the s×s phases of an output are a view of it
as [B, G, C/G, H, s, W, s].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from upsamplers.primitive.window import pad, source_index, unpad


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """The type that sums are kept in."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def result_dtype(a: Tensor, b: Tensor) -> torch.dtype:
    """The type of wᵀz when w and z differ (autocast): the wider one."""
    return torch.promote_types(a.dtype, b.dtype)


def layout(like: Tensor) -> torch.memory_format:
    """The memory format of a map that follows `like`: channels_last where it is."""
    channels_last = like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
    return torch.channels_last if channels_last else torch.contiguous_format


def empty_map(like: Tensor, channels: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    """A zero map [B, channels, height, width] in the memory format of `like`."""
    shape = (like.shape[0], channels, height, width)
    return torch.empty(shape, dtype=dtype, device=like.device, memory_format=layout(like)).zero_()


def phases(y: Tensor, scale: int) -> Tensor:
    """View of [..., sH, sW] as [..., H, s, W, s]."""
    height, width = y.shape[-2] // scale, y.shape[-1] // scale
    return y.unflatten(-1, (width, scale)).unflatten(-3, (height, scale))


def windows(z: Tensor, kernel_size: int, border: str) -> Iterator[tuple[int, Tensor]]:
    """Each tap of the k×k window around a low-resolution point: its number and z shifted to it, [B, C, H, W]."""
    height, width = z.shape[-2:]
    radius = kernel_size // 2
    padded = pad(z, radius, radius, radius, border)
    for tap in range(kernel_size**2):
        row, column = divmod(tap, kernel_size)
        yield tap, padded[..., row : row + height, column : column + width]


def corners(z: Tensor, points: Tensor, border: str) -> Iterator[tuple[int, Tensor, Tensor | None]]:
    """Each bilinear corner of each sampled point: its tap, flat index into H·W and, for a zero border, its validity.

    points [B, G, 2, sH, sW] or [B, G, P, 2, sH, sW], x before y, in pixels of z; index and validity [B, G, sH·sW].
    """
    height, width = z.shape[-2:]
    for number, point in enumerate(points.unbind(2) if points.ndim == 6 else (points,)):
        left, top = point.floor().to(torch.int64).flatten(-2).unbind(2)
        for corner in range(4):
            row, column = top + corner // 2, left + corner % 2
            valid = (row >= 0) & (row < height) & (column >= 0) & (column < width) if border == "zero" else None
            index = source_index(row, height, border) * width + source_index(column, width, border)
            yield 4 * number + corner, index, valid


def read_at(z: Tensor, index: Tensor, valid: Tensor | None) -> Tensor:
    """z at flat positions: [B, C, H, W] and [B, G, N] give [B, G, C/G, N]."""
    groups = index.shape[1]
    grouped = z.flatten(-2).unflatten(1, (groups, -1))
    values = grouped.gather(-1, index.unsqueeze(2).expand(-1, -1, grouped.shape[2], -1))
    return values if valid is None else values * valid.unsqueeze(2)


def reassemble(w: Tensor, z: Tensor, points: Tensor | None, scale: int, kernel_size: int, border: str) -> Tensor:
    """g(w, z) = wᵀz at every output point; shapes as in `upsamplers.reassemble`."""
    channels, height, width = z.shape[1:]
    groups, taps = w.shape[1:3]
    mixes = points is None and taps != kernel_size**2
    dtype = result_dtype(w, z)
    out = empty_map(z, groups if mixes else channels, scale * height, scale * width, accumulator(dtype))
    if out.numel() == 0:
        return out.to(dtype)
    if points is not None:
        grouped = out.unflatten(1, (groups, -1))
        for corner, index, valid in corners(z, points, border):
            values = read_at(z, index, valid).unflatten(-1, out.shape[-2:])
            grouped.addcmul_(w[:, :, corner].unsqueeze(2).to(out.dtype), values.to(out.dtype))
        return out.to(dtype)
    if mixes:
        contracted = phases(out, scale)
        weights = phases(w.to(out.dtype).unflatten(2, (channels, -1)), scale)  # [b, G, C, K, h, s, v, s]
        for tap, shifted in windows(z.to(out.dtype), kernel_size, border):
            contracted += torch.einsum("bgchivj,bchv->bghivj", weights[:, :, :, tap], shifted)
        return out.to(dtype)
    grouped = phases(out.unflatten(1, (groups, -1)), scale)  # [B, G, C/G, H, s, W, s]
    for tap, shifted in windows(z, kernel_size, border):
        weight = phases(w[:, :, tap].unsqueeze(2), scale)
        grouped.addcmul_(weight.to(out.dtype), shifted.unflatten(1, (groups, -1))[..., :, None, :, None].to(out.dtype))
    return out.to(dtype)


def correlate(
    g: Tensor, z: Tensor, points: Tensor | None, w_shape: Sequence[int], scale: int, kernel_size: int, border: str
) -> Tensor:
    """The adjoint in w: each group's inner product of g with z at each tap, summed to the shape of w."""
    channels = z.shape[1]
    groups, taps = w_shape[1:3]
    mixes = points is None and taps != kernel_size**2
    dtype = result_dtype(g, z)
    high = accumulator(dtype)
    out = torch.zeros(tuple(w_shape), dtype=high, device=g.device)
    if g.numel() == 0:
        return out.to(dtype)
    if points is not None:
        grouped = g.unflatten(1, (groups, -1))
        for corner, index, valid in corners(z, points, border):
            values = read_at(z, index, valid).unflatten(-1, g.shape[-2:])
            out[:, :, corner] = (grouped.to(high) * values.to(high)).sum(2).sum_to_size(out[:, :, corner].shape)
        return out.to(dtype)
    high_g = phases(g, scale)  # [B, C, H, s, W, s]
    target = phases(out, scale)  # [b, G, K, h, s, v, s]
    for tap, shifted in windows(z, kernel_size, border):
        if mixes:
            slot = target.unflatten(2, (channels, -1))[:, :, :, tap]  # [b, G, C, h, s, v, s]
            kept = "".join(
                axis for axis, size in zip("bgchivj", slot.shape, strict=True) if axis not in "bhv" or size > 1
            )
            slot.copy_(torch.einsum(f"bghivj,bchv->{kept}", high_g.to(high), shifted.to(high)).view_as(slot))
        else:
            product = (high_g.to(high) * shifted[..., :, None, :, None].to(high)).unflatten(1, (groups, -1)).sum(2)
            target[:, :, tap] = product.sum_to_size(target[:, :, tap].shape)
    return out.to(dtype)


def spread(
    w: Tensor, g: Tensor, points: Tensor | None, z_shape: Sequence[int], scale: int, kernel_size: int, border: str
) -> Tensor:
    """The adjoint in z: every low-resolution point gathers w·g from the outputs that read it."""
    batch, channels, height, width = z_shape
    groups, taps = w.shape[1:3]
    mixes = points is None and taps != kernel_size**2
    dtype = result_dtype(w, g)
    high = accumulator(dtype)
    if g.numel() == 0:
        return empty_map(g, channels, height, width, dtype)
    if points is not None:
        flat = torch.zeros(batch, groups, channels // groups, height * width, dtype=high, device=g.device)
        like = torch.empty(tuple(z_shape), device="meta")
        grouped = g.unflatten(1, (groups, -1)).to(high)
        for corner, index, valid in corners(like, points, border):
            values = (w[:, :, corner].unsqueeze(2).to(high) * grouped).flatten(-2)
            values = values if valid is None else values * valid.unsqueeze(2)
            flat.scatter_add_(-1, index.unsqueeze(2).expand_as(values), values)
        return flat.view(tuple(z_shape)).to(dtype).contiguous(memory_format=layout(g))
    radius = kernel_size // 2
    padded = empty_map(g, channels, height + 2 * radius, width + 2 * radius, high)
    high_g = phases(g, scale)
    weights = phases(w, scale)  # [b, G, K, h, s, v, s]
    for tap in range(kernel_size**2):
        row, column = divmod(tap, kernel_size)
        slot = padded[..., row : row + height, column : column + width]
        for y in range(scale):
            for x in range(scale):
                part = high_g[..., y, :, x].to(high)
                if mixes:
                    weight = weights.unflatten(2, (channels, -1))[:, :, :, tap, :, y, :, x].to(high)
                    slot += torch.einsum("bgchv,bghv->bchv", weight, part)
                else:
                    weight = weights[:, :, tap, :, y, :, x].unsqueeze(2).to(high)
                    slot.unflatten(1, (groups, -1)).addcmul_(weight, part.unflatten(1, (groups, -1)))
    return unpad(padded, height, width, radius, border).to(dtype).contiguous(memory_format=layout(g))

"""Launches the sampled-point kernels, and sorts points by cell for the adjoint in z."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from upsamplers.primitive.cuda import tiling
from upsamplers.primitive.cuda.launch import BORDER_NUMBER, arithmetic, blank_map, launch
from upsamplers.primitive.cuda.points import points_products, points_spread, points_sum
from upsamplers.primitive.eager import result_dtype

SORTED_SHARE = 16
"""Points are sorted for as many (batch, group) pairs at once as need at most this share of the gradient's bytes."""

SORT_BYTES = 40
"""Bytes that sorting holds per point: key, sorted key, 64-bit order, and as much again inside the sort."""


def place(points: Tensor) -> Any:
    """The type of coordinates: at least float32."""
    return tl.float64 if points.dtype == torch.float64 else tl.float32


def shared_strides(w: Tensor) -> tuple[int, ...]:
    """Strides of w with 0 for a shared batch."""
    return (0 if w.shape[0] == 1 else w.stride(0), *w.stride()[1:])


def sum_points(w: Tensor, z: Tensor, points: Tensor, border: str) -> Tensor:
    """wᵀz at the four corners of every point."""
    batch, channels = z.shape[:2]
    groups, _, height, width = w.shape[1:]
    dtype = result_dtype(w, z)
    out = blank_map(z, channels, height, width, dtype)
    if out.numel() == 0:
        return out
    lanes = tiling.channel_lanes(channels // groups, z.stride(1) == 1 and out.stride(1) == 1)
    pixels = tiling.THREADS // lanes
    tiles = -(-height * width // pixels)
    launch(
        points_sum,
        tiles * batch * groups,
        tiling.THREADS,
        z.device,
        *(w, z, points, out, shared_strides(w), z.stride(), points.stride(), out.stride()),
        *(height, width, *z.shape[2:], channels // groups, groups, tiles),
        BORDER=BORDER_NUMBER[border],
        PIXELS=pixels,
        LANES=lanes,
        UNROLL=min(4, -(-channels // (groups * lanes))),
        ACC=arithmetic(dtype),
        PLACE=place(points),
    )
    return out


def multiply_points(g: Tensor, z: Tensor, points: Tensor, w_shape: Sequence[int], border: str) -> Tensor:
    """The adjoint in w at every corner, summed over the batch where w is shared."""
    batch, channels = z.shape[:2]
    groups, _, height, width = w_shape[1:]
    dtype = result_dtype(g, z)
    out = torch.empty(tuple(w_shape), dtype=dtype, device=g.device)
    if out.numel() == 0 or g.numel() == 0:
        return out.zero_()
    lanes = tiling.channel_lanes(channels // groups, z.stride(1) == 1)
    pixels = tiling.THREADS // lanes
    tiles = -(-height * width // pixels)
    launch(
        points_products,
        tiles * groups * w_shape[0],
        tiling.THREADS,
        g.device,
        *(g, z, points, out, g.stride(), z.stride(), points.stride(), out.stride()),
        *(height, width, *z.shape[2:], channels // groups, groups, tiles, batch if w_shape[0] == 1 else 1),
        BORDER=BORDER_NUMBER[border],
        PIXELS=pixels,
        LANES=lanes,
        ACC=arithmetic(dtype),
        PLACE=place(points),
    )
    return out


def read_positions(position: Tensor, size: int, border: str) -> Tensor:
    """The pixel of an axis of this size that is read for each position; the nearest one where nothing is."""
    if border != "reflect":
        return position.clamp(0, size - 1)
    period = max(2 * (size - 1), 1)
    position = position.remainder(period)
    return torch.minimum(position, period - position).clamp_(max=size - 1)


def lowest(position: Tensor, size: int, border: str) -> Tensor:
    """The lower of the two pixels of an axis that a point between position and position + 1 reads, in the map."""
    first = read_positions(position, size, border)
    return torch.minimum(first, read_positions(position + 1, size, border))


def by_cell(points: Tensor, height: int, width: int, border: str) -> tuple[Tensor, Tensor]:
    """Points [pairs, 2, N] sorted by the cell they fall in: order [pairs, N], and where each cell starts in it."""
    cells = height * width
    kind = torch.int32 if cells < 2**31 - 1 else torch.int64
    far = points.float() if points.dtype in (torch.float16, torch.bfloat16) else points
    x, y = far.floor().nan_to_num(-1e9).clamp_(-1e9, 1e9).to(kind).unbind(1)
    key = lowest(y, height, border).mul_(width).add_(lowest(x, width, border))
    del x, y, far
    key, order = key.sort(dim=-1, stable=True)
    bounds = torch.arange(cells + 1, dtype=kind, device=key.device).expand(key.shape[0], -1).contiguous()
    return order, torch.searchsorted(key, bounds, out_int32=key.shape[1] < 2**31 - 1)


def spread_points(w: Tensor, g: Tensor, points: Tensor, z_shape: Sequence[int], border: str) -> Tensor:
    """The adjoint in z: points are sorted by cell, a few (batch, group) pairs at a time, and gathered in that order."""
    batch, channels, height, width = z_shape
    groups = w.shape[1]
    dtype = result_dtype(w, g)
    out = blank_map(g, channels, height, width, dtype)
    if out.numel() == 0 or g.numel() == 0:
        return out.zero_()
    lanes = tiling.channel_lanes(channels // groups, g.stride(1) == 1)
    pixels = tiling.THREADS // lanes
    tiles = -(-height * width // pixels)
    flat = points.flatten(-2).flatten(0, 1)  # [B·G, 2, sH·sW]
    allowed = g.numel() * g.element_size() // SORTED_SHARE
    at_once = min(batch * groups, max(1, allowed // (SORT_BYTES * flat.shape[-1])))
    for first in range(0, batch * groups, at_once):
        order, starts = by_cell(flat[first : first + at_once], height, width, border)
        count = order.shape[0]
        share = tiling.channel_splits(channels // groups, lanes, 16, tiles * count)
        launch(
            points_spread,
            tiles * count * share.splits,
            tiling.THREADS,
            g.device,
            *(w, g, points, order, starts, out, shared_strides(w), g.stride(), points.stride(), out.stride()),
            *(*g.shape[2:], height, width, channels // groups, groups, tiles, share.splits, share.span, first),
            BORDER=BORDER_NUMBER[border],
            PIXELS=pixels,
            LANES=lanes,
            UNROLL=share.unroll,
            ACC=arithmetic(dtype),
            PLACE=place(points),
        )
    return out

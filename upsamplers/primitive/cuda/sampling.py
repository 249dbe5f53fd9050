# ruff: noqa: RUF005 - numbers stand in the order of a kernel's parameters
"""Launches the sampled-point kernels, and sorts points by cell for the adjoint in z."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from upsamplers.primitive.cuda import tiling
from upsamplers.primitive.cuda.geometry import BORDER_NUMBER, Launch, arithmetic
from upsamplers.primitive.cuda.launch import blank_map, launch, planned
from upsamplers.primitive.cuda.points import points_products, points_sum
from upsamplers.primitive.cuda.points_spread import points_count, points_place, points_rank, points_spread
from upsamplers.primitive.eager import result_dtype

NARROW = 2**31 - 1
"""Points and cells up to which their numbers are 32 bits wide."""


def place(points: Tensor) -> Any:
    """The type of coordinates: at least float32."""
    return tl.float64 if points.dtype == torch.float64 else tl.float32


def shared_strides(w: Tensor) -> tuple[int, ...]:
    """Strides of w with 0 for a shared batch."""
    return (0 if w.shape[0] == 1 else w.stride(0), *w.stride()[1:])


def sum_of(w: Tensor, z: Tensor, points: Tensor, out: Tensor, border: str) -> Launch:
    """wᵀz at the four corners of every point, into `out`."""
    batch, channels = z.shape[:2]
    groups, _, height, width = w.shape[1:]
    lanes = tiling.channel_lanes(channels // groups, z.stride(1) == 1 and out.stride(1) == 1)
    pixels = tiling.THREADS // lanes
    tiles = -(-height * width // pixels)
    unroll = min(4, -(-channels // (groups * lanes)))
    return Launch(
        points_sum,
        tiles * batch * groups,
        tiling.THREADS,
        (shared_strides(w), z.stride(), points.stride(), out.stride())
        + (height, width, *z.shape[2:], channels // groups, groups, tiles),
        {
            "BORDER": BORDER_NUMBER[border],
            "PIXELS": pixels,
            "LANES": lanes,
            "UNROLL": unroll,
            "EVEN": channels // groups % (unroll * lanes) == 0,
            "ACC": arithmetic(out.dtype),
            "PLACE": place(points),
        },
    )


def sum_points(w: Tensor, z: Tensor, points: Tensor, border: str) -> Tensor:
    """wᵀz at the four corners of every point."""
    out = blank_map(z, z.shape[1], w.shape[3], w.shape[4], result_dtype(w, z))
    if out.numel():
        launch(planned(sum_of, (w, z, points, out), border), z.device, w, z, points, out)
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
    plan = Launch(
        points_products,
        tiles * groups * w_shape[0],
        tiling.THREADS,
        (g.stride(), z.stride(), points.stride(), out.stride())
        + (height, width, *z.shape[2:], channels // groups, groups, tiles, batch if w_shape[0] == 1 else 1),
        {
            "BORDER": BORDER_NUMBER[border],
            "PIXELS": pixels,
            "LANES": lanes,
            "ACC": arithmetic(dtype),
            "PLACE": place(points),
        },
    )
    launch(plan, g.device, g, z, points, out)
    return out


def sort_by_cell(points: Tensor, z_size: tuple[int, int], border: str) -> tuple[Tensor, ...]:
    """The points of all groups and maps in the order of their cells: points, codes, where each cell starts."""
    batch, groups, _, height, width = points.shape
    pairs = batch * groups
    count, cells = pairs * height * width, pairs * z_size[0] * z_size[1]
    narrow = max(count, cells) < NARROW and height < 2**15 and width < 2**16
    kind = torch.int32 if narrow else torch.int64
    counts = torch.zeros(cells + 1, dtype=kind, device=points.device)
    ranked, order = (torch.empty(count, dtype=kind, device=points.device) for _ in range(2))
    codes = torch.empty(count, dtype=torch.uint8, device=points.device)
    numbers = (points.stride(), count, height, width, *z_size, groups)
    constants = {"BORDER": BORDER_NUMBER[border], "BLOCK": tiling.THREADS, "PLACE": place(points)}
    shift = {"SHIFT": 16 if narrow else 32}
    programs = -(-count // tiling.THREADS)

    def run(kernel: Any, *tensors: Tensor, **more: int) -> None:
        launch(Launch(kernel, programs, tiling.THREADS, numbers, constants | more), points.device, points, *tensors)

    run(points_count, counts, ranked)
    starts = counts.cumsum(0, dtype=kind)
    run(points_place, starts, ranked, order, **shift)
    run(points_rank, starts, order, ranked, codes, **shift)
    return ranked, codes, starts


def spread_points(w: Tensor, g: Tensor, points: Tensor, z_shape: Sequence[int], border: str) -> Tensor:
    """The adjoint in z: points are sorted by cell, those of all (batch, group) pairs at once, and gathered in order."""
    batch, channels, height, width = z_shape
    groups = w.shape[1]
    dtype = result_dtype(w, g)
    if g.numel() == 0 or 0 in z_shape:
        return blank_map(g, channels, height, width, dtype).zero_()
    ranked, codes, starts = sort_by_cell(points, (height, width), border)
    out = blank_map(g, channels, height, width, dtype)
    lanes = tiling.channel_lanes(channels // groups, g.stride(1) == 1)
    pixels = tiling.THREADS // lanes
    tiles = -(-height * width // pixels)
    share = tiling.channel_splits(channels // groups, lanes, 16, tiles * batch * groups)
    plan = Launch(
        points_spread,
        tiles * batch * groups * share.splits,
        tiling.THREADS,
        (shared_strides(w), g.stride(), out.stride())
        + (height, width, channels // groups, groups, tiles, share.splits, share.span),
        {
            "PIXELS": pixels,
            "LANES": lanes,
            "UNROLL": share.unroll,
            "SHIFT": 16 if ranked.dtype == torch.int32 else 32,
            "ACC": arithmetic(dtype),
        },
    )
    launch(plan, g.device, w, g, ranked, codes, starts, out)
    return out

"""From tensors to kernels: steps, border tables and room for scratch of each pass over windows of the CPU backend."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from upsamplers.primitive.cpu import channels_last, threads, window, window_scatter
from upsamplers.primitive.cpu.prepared import Flat, Prepared, numbers
from upsamplers.primitive.cpu.tile import lanes
from upsamplers.primitive.eager import accumulator, layout, result_dtype
from upsamplers.primitive.window import border_index, down_offset

NEAR = 384 * 1024
"""Bytes of scratch that a thread may expect to keep in its own cache."""


def kernel_steps(w: Tensor, up: int, height: int, width: int) -> Flat:
    """Steps (batch, group, tap, low row, phase row, low column, phase column) of w; 0 where it repeats."""
    batch, group, tap, row, column = w.stride()
    repeats = tuple(w.shape[3:]) != (up * height, up * width)
    low_row, low_column = (0, 0) if repeats else (up * row, up * column)
    return numbers(0 if w.shape[0] == 1 else batch, group, tap, low_row, row, low_column, column)


@functools.lru_cache(maxsize=256)
def extended(size: int, count: int, step: int, kernel_size: int, border: str) -> tuple[Flat, int, int, int]:
    """Where each position of a window-extended axis lies in the real one (−1: nowhere), for `count` windows.

    Also: how far the extension starts before the axis, and the first and the number of the positions inside.
    """
    offset = down_offset(step, kernel_size)
    total = step * (count - 1) + kernel_size
    position = torch.arange(-offset, total - offset)
    if border == "zero":
        table = torch.where((position >= 0) & (position < size), position, -1)
    else:
        margin = kernel_size + step
        table = border_index(size, margin, margin, border, torch.device("cpu"))[position + margin]
    first = max(offset, 0)
    return table.numpy(), offset, first, max(0, min(total, offset + size) - first)


@functools.lru_cache(maxsize=256)
def preimages(size: int, count: int, step: int, kernel_size: int, border: str) -> Flat:
    """For each row the extended rows that lie there: where each one's list starts, then the lists."""
    table = extended(size, count, step, kernel_size, border)[0]
    lists = [np.flatnonzero(table == row) for row in range(size)]
    starts = np.cumsum([0] + [len(one) for one in lists])
    return np.concatenate([starts, *lists]).astype(np.int64)


def most(lists: Flat, size: int) -> int:
    """The length of the longest of `preimages`' lists."""
    return int(np.diff(lists[: size + 1]).max())


def row_step(width: int, halo: int, lane_count: int) -> int:
    """Elements between rows of scratch: whole vectors, an odd number of them, so that rows spread over cache sets."""
    vectors = -(-width // lane_count) + -(-halo // lane_count)
    return (vectors | 1) * lane_count


def blank_map(like: Tensor, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A map without memory, in the memory format of `like`."""
    return torch.empty(tuple(shape), dtype=dtype, device="meta", memory_format=layout(like))


def lanes_are_channels(lane_count: int, per: int, *maps: Tensor) -> bool:
    """Whether maps have their channels side by side, whole vectors of them in a group."""
    return per % lane_count == 0 and all(one.stride(1) == 1 for one in maps)


def gather(w: Tensor, z: Tensor, up: int, down: int, kernel_size: int, border: str) -> Prepared:
    """wᵀz, upsampling by `up` or downsampling by `down`."""
    batch, channels = z.shape[:2]
    height, width = z.shape[2] // down, z.shape[3] // down
    groups, per, k = w.shape[1], channels // w.shape[1], kernel_size
    out = blank_map(z, (batch, channels, up * height, up * width), result_dtype(w, z))
    rows = extended(z.shape[2], height, down, k, border)[0]
    columns, offset, first, inside = extended(z.shape[3], width, down, k, border)
    real = accumulator(out.dtype)
    lane_count = lanes(real.itemsize)
    step = row_step(width, (k - 1) // down, lane_count)
    if lanes_are_channels(lane_count, per, z, out):
        parts = threads.parts_for(out.numel() * k * k, batch * groups * height)
        size = k * k * up * up * step + (up * up + k * k) * per
        return Prepared(
            threads.compiled(channels_last.gather, w.dtype, z.dtype, out.dtype), parts, [(size, real)],
            numbers(batch, groups, per, height, width, k, up, down, lane_count, step, offset, *z.shape[2:]),
            w, kernel_steps(w, up, height, width), z, numbers(*z.stride()), out, numbers(*out.stride()),
            rows, columns,
        )  # fmt: skip
    block = min(per, 4 if up > 1 else 8)
    items = batch * groups * height
    splits = max(1, min(2 * torch.get_num_threads() // items, per // 16))
    parts = threads.parts_for(out.numel() * k * k, items * splits)
    taps, phases = k * k, up * up
    size = step * (taps * phases + block * (k * down + phases)) + len(columns) + lane_count
    return Prepared(
        threads.compiled(window.gather, w.dtype, z.dtype, out.dtype), parts, [(size, real)],
        numbers(batch, groups, per, height, width, k, up, down, lane_count, step, first, inside, block, splits),
        w, kernel_steps(w, up, height, width), z, numbers(*z.stride()), out, numbers(*out.stride()),
        rows, columns,
    )  # fmt: skip


def correlate(
    g: Tensor, z: Tensor, w_shape: Sequence[int], up: int, down: int, kernel_size: int, border: str
) -> Prepared:
    """∂w of ⟨g, gather(w, z)⟩; where one phase repeats, a row of them for each row of points, to be summed."""
    batch, channels = z.shape[:2]
    height, width = z.shape[2] // down, z.shape[3] // down
    groups, k = w_shape[1], kernel_size
    per = channels // groups
    one_phase = tuple(w_shape[3:]) != (up * height, up * width)
    dtype = accumulator(result_dtype(g, z)) if one_phase else result_dtype(g, z)
    out = torch.empty((height, *w_shape[1:]) if one_phase else tuple(w_shape), dtype=dtype, device="meta")
    out_at = kernel_steps(out, up, height, width)
    if one_phase:
        out_at[0], out_at[3] = 0, out.stride(0)
    rows = extended(z.shape[2], height, down, k, border)[0]
    columns, offset, first, inside = extended(z.shape[3], width, down, k, border)
    real = accumulator(out.dtype)
    lane_count = lanes(real.itemsize)
    step = row_step(width, (k - 1) // down, lane_count)
    parts = threads.parts_for(g.numel() * k * k, w_shape[0] * groups * height)
    taps, phases = k * k, up * up
    if lanes_are_channels(lane_count, per, z, g):
        size = phases * per + taps * phases * (lane_count + step) + taps * per
        return Prepared(
            threads.compiled(channels_last.correlate, g.dtype, z.dtype, out.dtype), parts, [(size, real)],
            numbers(
                batch, groups, per, height, width, k, up, down, lane_count, step, offset, *z.shape[2:], w_shape[0]
            ),
            g, numbers(*g.stride()), z, numbers(*z.stride()), out, out_at,
            rows, columns,
        )  # fmt: skip
    block = min(per, 16)
    size = step * (taps * phases + block * (k * down + phases)) + len(columns) + lane_count
    return Prepared(
        threads.compiled(window.correlate, g.dtype, z.dtype, out.dtype), parts, [(size, real)],
        numbers(batch, groups, per, height, width, k, up, down, lane_count, step, first, inside, block, w_shape[0]),
        g, numbers(*g.stride()), z, numbers(*z.stride()), out, out_at,
        rows, columns,
    )  # fmt: skip


def scatter(
    w: Tensor, g: Tensor, z_shape: Sequence[int], up: int, down: int, kernel_size: int, border: str
) -> Prepared:
    """∂z of ⟨g, gather(w, z)⟩."""
    batch, channels, high, wide = z_shape
    height, width = high // down, wide // down
    groups, per, k = w.shape[1], channels // w.shape[1], kernel_size
    out = blank_map(g, z_shape, result_dtype(w, g))
    real = accumulator(out.dtype)
    row_lists, lane_count = preimages(high, height, down, k, border), lanes(real.itemsize)
    if lanes_are_channels(lane_count, per, g):
        column_lists = preimages(wide, width, down, k, border)
        reach = up * ((k - 1) // down + 1)
        parts = threads.parts_for(g.numel() * k * k, batch * groups * high)
        return Prepared(
            threads.compiled(channels_last.scatter, w.dtype, g.dtype, out.dtype), parts, [(wide * per, real)],
            numbers(
                batch, groups, per, height, width, k, up, down, lane_count, high, wide,
                reach * most(row_lists, high), reach * most(column_lists, wide),
            ),
            w, kernel_steps(w, up, height, width), g, numbers(*g.stride()), out, numbers(*out.stride()),
            row_lists, column_lists,
        )  # fmt: skip
    columns, offset, _, _ = extended(wide, width, down, k, border)
    across = -(-len(columns) // down)
    slots, phases = (k - 1) // down + 1, up * up
    step = row_step(across, slots - 1, lane_count)
    room = NEAR // (slots * phases * step * real.itemsize)
    block = min(per, max(8, room // 8 * 8))
    blocks = -(-per // block)
    parts = threads.parts_for(g.numel() * k * k, batch * groups * blocks * high)
    size = step * (slots * k * phases + block * (slots * phases + down)) + across * down + lane_count
    return Prepared(
        threads.compiled(window_scatter.scatter, w.dtype, g.dtype, out.dtype), parts, [(size, real)],
        numbers(batch, groups, per, height, width, k, up, down, lane_count, step, offset, wide, block, high),
        w, kernel_steps(w, up, height, width), g, numbers(*g.stride()), out, numbers(*out.stride()),
        row_lists, columns,
    )  # fmt: skip

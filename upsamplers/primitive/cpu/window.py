"""Two of the three passes over windows, each serving both directions: gather (wᵀz) and correlate (∂w).

A kernel belongs to a point of the low-resolution grid H×W and has up×up phases; its window starts at down·point in
the border-extended map. Upsampling is up = s, down = 1; downsampling is up = 1, down = s. `rows` and `columns` list
where each position of the extended map lies in the real one, −1 for a zero. Kernel steps are
(batch, group, tap, low row, phase row, low column, phase column), map steps (batch, channel, row, column), in elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.ahead import read_soon, written_soon
from upsamplers.primitive.cpu.elements import put, real_of
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import join_row, split_row, window_row
from upsamplers.primitive.cpu.tile import tiles


@njit(nogil=True)
def read_kernels(
    dst: Any, step: int, row: int, w: Any, w0: int, w_at: Any, taps: int, up: int, y: int, width: int
) -> None:
    """One row of kernels by tap and phase: dst[(tap·up² + phase)·step + x]."""
    for tap in range(taps):
        for py in range(up):
            source = w0 + tap * w_at[2] + y * w_at[3] + py * w_at[4]
            split_row(dst, row + (tap * up + py) * up * step, step, w, source, w_at[5], w_at[6], up, width)


@njit(nogil=True)
def read_window(
    dst: Any, d0: int, step: int, spare: int, z: Any, z0: int, z_at: Any, source: int, columns: Any, down: int,
    before: int, width: int,
) -> None:  # fmt: skip
    """One extended row of a map by column phase: dst[phase·step + x]; `spare` is room for the unsplit row."""
    if down == 1:
        window_row(dst, d0, z, z0, z_at[3], source, z_at[2], columns, before, width)
        return
    window_row(dst, spare, z, z0, z_at[3], source, z_at[2], columns, before, width)
    whole = len(columns) // down
    split_row(dst, d0, step, dst, spare, down, 1, down, whole)
    for phase in range(len(columns) - whole * down):
        dst[d0 + phase * step + whole] = dst[spare + whole * down + phase]


@njit(nogil=True)
def next_window_soon(
    z: Any, z0: int, row_step: int, rows: Any, y: int, height: int, down: int, k: int, width: int
) -> None:
    """The rows of a map that the windows of point row y + 1 read and those of y do not."""
    if y + 1 < height:
        for ky in range(max(0, k - down), k):
            read_soon(z, z0 + max(0, rows[(y + 1) * down + ky]) * row_step, 0, 1, width)


@njit(nogil=True)
def in_turn(item: int, groups: int, height: int, map_at: Any) -> tuple[int, int, int]:
    """Batch, group and row of an item: rows in turn, or groups where channels lie closer together than columns."""
    if map_at[1] < map_at[3]:
        return item // (height * groups), item % groups, item // groups % height
    return item // (height * groups), item // height % groups, item % height


def gather(w_kind: Any, z_kind: Any, out_kind: Any, version: int) -> Any:
    """out[b, c, (y, py), (x, px)] = Σ_taps w · z over this part's rows of the output."""
    real = real_of(out_kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        w, w_at = array_at(packet, 1, w_kind), array_at(packet, 2, np.int64)
        z, z_at = array_at(packet, 3, z_kind), array_at(packet, 4, np.int64)
        out, out_at = array_at(packet, 5, out_kind), array_at(packet, 6, np.int64)
        rows, columns = array_at(packet, 7, np.int64), array_at(packet, 8, np.int64)
        scratch = scratch_at(packet, 9, part, parts, real)
        batch, groups, per, height, width, k, up, down, lanes, step, before, inside, block, splits = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9], dims[10],
            dims[11], dims[12], dims[13],
        )  # fmt: skip
        taps, phases = k * k, up * up
        slab = taps * phases * step
        slab_q = k * down * step
        acc = slab + block * slab_q
        spare = acc + block * phases * step
        a_off, b_off, b_q = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(block, np.int64)
        for tap in range(taps):
            ky, kx = tap // k, tap % k
            a_off[tap] = tap * phases * step
            b_off[tap] = (ky * down + kx % down) * step + kx // down
        for q in range(block):
            b_q[q] = q * slab_q
        items = batch * groups * height * splits
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, g, y = in_turn(item // splits, groups, height, z_at)
            split, w0 = item % splits, b * w_at[0] + g * w_at[1]
            read_kernels(scratch, step, 0, w, w0, w_at, taps, up, y, width)
            for tap in range(taps if per > 1 else 0):
                read_soon(w, w0 + tap * w_at[2] + (y + 1) * w_at[3], w_at[4], up, up * width)
            last = per * (split + 1) // splits
            for first in range(per * split // splits, last, block):
                count = min(block, last - first)
                for q in range(count):
                    z0 = b * z_at[0] + (g * per + first + q) * z_at[1]
                    for ky in range(k):
                        source = rows[y * down + ky]
                        to = slab + q * slab_q + ky * down * step
                        read_window(scratch, to, step, spare, z, z0, z_at, source, columns, down, before, inside)
                    if per > 1:
                        next_window_soon(z, z0, z_at[2], rows, y, height, down, k, inside)
                        out0 = b * out_at[0] + (g * per + first + q) * out_at[1] + (y + 1) * up * out_at[2]
                        written_soon(out, out0, out_at[2], up, up * width)
                for x in range(0, width, lanes):
                    tiles(
                        phases, count, 0, scratch, acc + x, step, phases * step,
                        scratch, x, step, a_off, scratch, slab + x, b_off, b_q, taps,
                    )  # fmt: skip
                for q in range(count):
                    out0 = b * out_at[0] + (g * per + first + q) * out_at[1]
                    for py in range(up):
                        to = out0 + (y * up + py) * out_at[2]
                        join_row(out, to, out_at[3], scratch, acc + (q * up + py) * up * step, step, up, width)

    return kernel


def correlate(g_kind: Any, z_kind: Any, out_kind: Any, version: int) -> Any:
    """out[b, g, tap, (y, py), (x, px)] = Σ_c g · z, summed over the batch (and x) where kernels are shared."""
    real = real_of(out_kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        g, g_at = array_at(packet, 1, g_kind), array_at(packet, 2, np.int64)
        z, z_at = array_at(packet, 3, z_kind), array_at(packet, 4, np.int64)
        out, out_at = array_at(packet, 5, out_kind), array_at(packet, 6, np.int64)
        rows, columns = array_at(packet, 7, np.int64), array_at(packet, 8, np.int64)
        scratch = scratch_at(packet, 9, part, parts, real)
        batch, groups, per, height, width, k, up, down, lanes, step, before, inside, block, w_batch = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9], dims[10],
            dims[11], dims[12], dims[13],
        )  # fmt: skip
        taps, phases = k * k, up * up
        slab = block * phases * step
        slab_c = k * down * step
        acc = slab + block * slab_c
        spare = acc + taps * phases * step
        a_off, b_off, b_q = np.empty(block, np.int64), np.empty(block, np.int64), np.empty(taps, np.int64)
        for c in range(block):
            a_off[c] = c * phases * step
            b_off[c] = c * slab_c
        for tap in range(taps):
            ky, kx = tap // k, tap % k
            b_q[tap] = (ky * down + kx % down) * step + kx // down
        items = w_batch * groups * height
        for item in range(items * part // parts, items * (part + 1) // parts):
            b_out, group, y = in_turn(item, groups, height, z_at)
            adds = 0
            for b in range(b_out, b_out + 1 if w_batch == batch else batch):
                for first in range(0, per, block):
                    count = min(block, per - first)
                    for c in range(count):
                        channel = group * per + first + c
                        g0 = b * g_at[0] + channel * g_at[1] + y * up * g_at[2]
                        z0 = b * z_at[0] + channel * z_at[1]
                        for py in range(up):
                            split_row(
                                scratch, (c * phases + py * up) * step, step,
                                g, g0 + py * g_at[2], up * g_at[3], g_at[3], up, width,
                            )  # fmt: skip
                        if per > 1:
                            read_soon(g, g0 + up * g_at[2], g_at[2], up, up * width)
                            next_window_soon(z, z0, z_at[2], rows, y, height, down, k, inside)
                        for ky in range(k):
                            to = slab + c * slab_c + ky * down * step
                            source = rows[y * down + ky]
                            read_window(scratch, to, step, spare, z, z0, z_at, source, columns, down, before, inside)
                    for x in range(0, width, lanes):
                        tiles(
                            phases, taps, adds, scratch, acc + x, step, phases * step,
                            scratch, x, step, a_off, scratch, slab + x, b_off, b_q, count,
                        )  # fmt: skip
                    adds = 1
            for tap in range(taps):
                for py in range(up):
                    to = b_out * out_at[0] + group * out_at[1] + tap * out_at[2] + y * out_at[3] + py * out_at[4]
                    start = acc + (tap * up + py) * up * step
                    if out_at[5] == up * out_at[6]:
                        join_row(out, to, out_at[6], scratch, start, step, up, width)
                        continue
                    for px in range(up):
                        total = scratch[start + px * step]
                        for x in range(1, width):
                            total += scratch[start + px * step + x]
                        put(out, to + px * out_at[6], total)

    return kernel

"""The three passes over windows for channels_last maps, whose channels fill whole vectors: lanes are channels.

The layout of dimensions, steps and tables is that of `window`; a kernel's weight is one element for all lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.elements import get, put, real_of
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U, join_row
from upsamplers.primitive.cpu.tile import splat_tiles, sum_lanes, tiles
from upsamplers.primitive.cpu.window import read_kernels


@njit(nogil=True)
def read_patch(dst: Any, d0: int, z: Any, z0: int, z_at: Any, rows: Any, columns: Any, y: int, x: int, k: int,
               per: int) -> None:  # fmt: skip
    """dst[tap, channel]: the window that starts at extended row y and column x, zeros where there is nothing."""
    for ky in range(k):
        for kx in range(k):
            to = d0 + (ky * k + kx) * per
            row, column = rows[y + ky], columns[x + kx]
            if row < 0 or column < 0:
                for c in range(per):
                    dst[U(to + c)] = 0
            else:
                source = z0 + row * z_at[2] + column * z_at[3]
                for c in range(per):
                    dst[U(to + c)] = get(z, source + c)


def gather(w_kind: Any, z_kind: Any, out_kind: Any, version: int) -> Any:
    """out[b, (y, py), (x, px), c] = Σ_taps w · z over this part's rows of the output."""
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
        batch, groups, per, height, width, k, up, down, lanes, step, offset, high, wide = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9], dims[10],
            dims[11], dims[12],
        )  # fmt: skip
        taps, phases, vectors = k * k, up * up, per // lanes
        acc = taps * phases * step
        patch = acc + phases * per
        a_off, near, far = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
        b_q = np.arange(vectors) * lanes
        for tap in range(taps):
            a_off[tap] = tap * phases * step
            near[tap] = tap // k * z_at[2] + tap % k * z_at[3]
            far[tap] = tap * per
        items = batch * groups * height
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, g, y = item // (height * groups), item // height % groups, item % height
            read_kernels(scratch, step, 0, w, b * w_at[0] + g * w_at[1], w_at, taps, up, y, width)
            z0, top = b * z_at[0] + g * per, y * down - offset
            for x in range(width):
                left = x * down - offset
                if top >= 0 and left >= 0 and top + k <= high and left + k <= wide:
                    splat_tiles(
                        phases, vectors, 0, scratch, acc, per, lanes, scratch, x, step, a_off,
                        z, z0 + top * z_at[2] + left * z_at[3], near, b_q, taps,
                    )  # fmt: skip
                else:
                    read_patch(scratch, patch, z, z0, z_at, rows, columns, y * down, x * down, k, per)
                    splat_tiles(
                        phases, vectors, 0, scratch, acc, per, lanes, scratch, x, step, a_off,
                        scratch, patch, far, b_q, taps,
                    )  # fmt: skip
                for phase in range(phases):
                    to = b * out_at[0] + g * per
                    to += (y * up + phase // up) * out_at[2] + (x * up + phase % up) * out_at[3]
                    for c in range(per):
                        put(out, to + c, scratch[U(acc + phase * per + c)])

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
        batch, groups, per, height, width, k, up, down, lanes, step, offset, high, wide, w_batch = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9], dims[10],
            dims[11], dims[12], dims[13],
        )  # fmt: skip
        taps, phases, vectors = k * k, up * up, per // lanes
        acc = phases * per
        sums = acc + taps * phases * lanes
        patch = sums + taps * phases * step
        terms = np.arange(vectors) * lanes
        near, far = np.empty(taps, np.int64), np.empty(taps, np.int64)
        for tap in range(taps):
            near[tap] = tap // k * z_at[2] + tap % k * z_at[3]
            far[tap] = tap * per
        items = w_batch * groups * height
        for item in range(items * part // parts, items * (part + 1) // parts):
            b_out, group, y = item // (height * groups), item // height % groups, item % height
            top = y * down - offset
            for b in range(b_out, b_out + 1 if w_batch == batch else batch):
                z0 = b * z_at[0] + group * per
                for x in range(width):
                    for phase in range(phases):
                        g0 = b * g_at[0] + group * per
                        g0 += (y * up + phase // up) * g_at[2] + (x * up + phase % up) * g_at[3]
                        for c in range(per):
                            scratch[U(phase * per + c)] = get(g, g0 + c)
                    left = x * down - offset
                    if top >= 0 and left >= 0 and top + k <= high and left + k <= wide:
                        tiles(
                            phases, taps, 0, scratch, acc, lanes, phases * lanes, scratch, 0, per, terms,
                            z, z0 + top * z_at[2] + left * z_at[3], terms, near, vectors,
                        )  # fmt: skip
                    else:
                        read_patch(scratch, patch, z, z0, z_at, rows, columns, y * down, x * down, k, per)
                        tiles(
                            phases, taps, 0, scratch, acc, lanes, phases * lanes, scratch, 0, per, terms,
                            scratch, patch, terms, far, vectors,
                        )  # fmt: skip
                    for row in range(taps * phases):
                        total = sum_lanes(scratch, acc + row * lanes)
                        to = U(sums + row * step + x)
                        scratch[to] = total if b == b_out else scratch[to] + total
            for tap in range(taps):
                for py in range(up):
                    to = b_out * out_at[0] + group * out_at[1] + tap * out_at[2] + y * out_at[3] + py * out_at[4]
                    start = sums + (tap * up + py) * up * step
                    if out_at[5] == up * out_at[6]:
                        join_row(out, to, out_at[6], scratch, start, step, up, width)
                        continue
                    for px in range(up):
                        whole = scratch[start + px * step]
                        for x in range(1, width):
                            whole += scratch[start + px * step + x]
                        put(out, to + px * out_at[6], whole)

    return kernel


def scatter(w_kind: Any, g_kind: Any, out_kind: Any, version: int) -> Any:
    """out[b, c, position] = Σ w · g over the kernels whose window reads the position: each gathers its own sum.

    Here `rows` and `columns` list, after where each position's list starts, the extended positions that lie there.
    """
    real = real_of(out_kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        w, w_at = array_at(packet, 1, w_kind), array_at(packet, 2, np.int64)
        g, g_at = array_at(packet, 3, g_kind), array_at(packet, 4, np.int64)
        out, out_at = array_at(packet, 5, out_kind), array_at(packet, 6, np.int64)
        rows, columns = array_at(packet, 7, np.int64), array_at(packet, 8, np.int64)
        scratch = scratch_at(packet, 9, part, parts, real)
        batch, groups, per, height, width, k, up, down, lanes, high, wide, row_terms, column_terms = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9], dims[10],
            dims[11], dims[12],
        )  # fmt: skip
        a_row, b_row = np.empty(row_terms, np.int64), np.empty(row_terms, np.int64)
        a_column, b_column = np.empty(column_terms, np.int64), np.empty(column_terms, np.int64)
        a_off, b_off = np.empty(row_terms * column_terms, np.int64), np.empty(row_terms * column_terms, np.int64)
        b_q = np.arange(per // lanes) * lanes
        items = batch * groups * high
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, group, row = item // (high * groups), item // high % groups, item % high
            w0, g0 = b * w_at[0] + group * w_at[1], b * g_at[0] + group * per
            down_rows = 0
            for entry in range(rows[row], rows[row + 1]):
                u = rows[high + 1 + entry]
                for y in range(max(0, (u - k + down) // down), min(height - 1, u // down) + 1):
                    for py in range(up):
                        a_row[down_rows] = (u - y * down) * k * w_at[2] + y * w_at[3] + py * w_at[4]
                        b_row[down_rows] = (y * up + py) * g_at[2]
                        down_rows += 1
            for column in range(wide):
                across = 0
                for entry in range(columns[column], columns[column + 1]):
                    u = columns[wide + 1 + entry]
                    for x in range(max(0, (u - k + down) // down), min(width - 1, u // down) + 1):
                        for px in range(up):
                            a_column[across] = (u - x * down) * w_at[2] + x * w_at[5] + px * w_at[6]
                            b_column[across] = (x * up + px) * g_at[3]
                            across += 1
                for i in range(down_rows):
                    for j in range(across):
                        a_off[U(i * across + j)] = a_row[i] + a_column[j]
                        b_off[U(i * across + j)] = b_row[i] + b_column[j]
                splat_tiles(
                    1, per // lanes, 0, scratch, column * per, 0, lanes, w, w0, 0, a_off, g, g0, b_off, b_q,
                    down_rows * across,
                )  # fmt: skip
            to = b * out_at[0] + group * per * out_at[1] + row * out_at[2]
            if out_at[1] == 1:
                for x in range(wide):
                    for c in range(per):
                        put(out, to + x * out_at[3] + c, scratch[U(x * per + c)])
                continue
            for c in range(per):
                for x in range(wide):
                    put(out, to + c * out_at[1] + x * out_at[3], scratch[U(x * per + c)])

    return kernel

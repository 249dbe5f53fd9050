"""Sampling at moved points: from offsets to corners, weights and wᵀz in one pass, and the two passes of its gradient.

The point of output row s·y + py and column s·x + px is the pixel (y, x) + start + reach · offset, held in the map.
Offsets are [B, 2·G·s², H, W] with channel ((axis·G + g)·s + py)·s + px, starts [2·G·s²]. The corners of a row are found
once and serve every channel of the group. Steps are in elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.elements import get, put, real_of
from upsamplers.primitive.cpu.lanes import add_scaled
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U

BLOCK = 8
"""Output rows whose corners are held at once: the rows of z that they read are then read again from the first cache."""


@njit(nogil=True)
def held(position: Any, last: Any) -> Any:
    """A coordinate held in [0, last]; what is not a number stays so."""
    if position >= last:
        return last
    return last * 0 if position <= 0 else position


@njit(nogil=True)
def find_corners(
    index: Any, weight: Any, at: int, i: int, group: int, offset: Any, o0: int, o_at: Any, start: Any, reach: Any,
    groups: int, scale: int, height: int, width: int, row_step: int, step: int,
) -> None:  # fmt: skip
    """Positions in a plane of z and weights of one output row's corners: [at + corner·sW + column]."""
    wide, y, py = scale * width, i // scale, i % scale
    zero = reach * 0
    last_x, last_y = zero + (width - 1), zero + (height - 1)
    for px in range(scale):
        a, b = (group * scale + py) * scale + px, ((groups + group) * scale + py) * scale + px
        oa, ob = o0 + a * o_at[1] + y * o_at[2], o0 + b * o_at[1] + y * o_at[2]
        start_x, start_y = start[U(a)], start[U(b)]
        for x in range(width):
            across = held(offset[U(oa + x * o_at[3])] * reach + start_x + (zero + x), last_x)
            down = held(offset[U(ob + x * o_at[3])] * reach + start_y + (zero + y), last_y)
            left, top = int(across) if across == across else 0, int(down) if down == down else 0
            right, below = across - (zero + left), down - (zero + top)
            to = at + x * scale + px
            first = top * row_step + left * step
            beside, under = step if left < width - 1 else 0, row_step if top < height - 1 else 0
            index[U(to)], index[U(to + wide)] = first, first + beside
            index[U(to + 2 * wide)], index[U(to + 3 * wide)] = first + under, first + under + beside
            weight[U(to)], weight[U(to + wide)] = (1 - below) * (1 - right), (1 - below) * right
            weight[U(to + 2 * wide)], weight[U(to + 3 * wide)] = below * (1 - right), below * right


@njit(nogil=True)
def sum_row(
    out: Any, to: int, to_step: int, to_channel: int, z: Any, z0: int, z_channel: int, index: Any, weight: Any, at: int,
    wide: int, count: int,
) -> None:  # fmt: skip
    """One output row of `count` channels: four at a time, so that corners are read once for four."""
    i1, i2, i3 = at + wide, at + 2 * wide, at + 3 * wide
    done = 0
    while count - done >= 4:
        a0 = z0 + done * z_channel
        b0, c0, d0 = a0 + z_channel, a0 + 2 * z_channel, a0 + 3 * z_channel
        a_to = to + done * to_channel
        b_to, c_to, d_to = a_to + to_channel, a_to + 2 * to_channel, a_to + 3 * to_channel
        for x in range(wide):
            p, q, r, s = index[U(at + x)], index[U(i1 + x)], index[U(i2 + x)], index[U(i3 + x)]
            e, f, g, h = weight[U(at + x)], weight[U(i1 + x)], weight[U(i2 + x)], weight[U(i3 + x)]
            j = x * to_step
            put(out, a_to + j, e * get(z, a0 + p) + f * get(z, a0 + q) + g * get(z, a0 + r) + h * get(z, a0 + s))
            put(out, b_to + j, e * get(z, b0 + p) + f * get(z, b0 + q) + g * get(z, b0 + r) + h * get(z, b0 + s))
            put(out, c_to + j, e * get(z, c0 + p) + f * get(z, c0 + q) + g * get(z, c0 + r) + h * get(z, c0 + s))
            put(out, d_to + j, e * get(z, d0 + p) + f * get(z, d0 + q) + g * get(z, d0 + r) + h * get(z, d0 + s))
        done += 4
    for c in range(done, count):
        a0, a_to = z0 + c * z_channel, to + c * to_channel
        for x in range(wide):
            value = weight[U(at + x)] * get(z, a0 + index[U(at + x)])
            value += weight[U(i1 + x)] * get(z, a0 + index[U(i1 + x)])
            value += weight[U(i2 + x)] * get(z, a0 + index[U(i2 + x)])
            put(out, a_to + x * to_step, value + weight[U(i3 + x)] * get(z, a0 + index[U(i3 + x)]))


@njit(nogil=True)
def sum_row_of_lanes(
    out: Any, to: int, to_step: int, z: Any, z0: int, index: Any, weight: Any, at: int, wide: int, count: int
) -> None:
    """The same where channels lie side by side in both maps."""
    for x in range(wide):
        p, q = z0 + index[U(at + x)], z0 + index[U(at + wide + x)]
        r, s = z0 + index[U(at + 2 * wide + x)], z0 + index[U(at + 3 * wide + x)]
        e, f = weight[U(at + x)], weight[U(at + wide + x)]
        g, h = weight[U(at + 2 * wide + x)], weight[U(at + 3 * wide + x)]
        j = to + x * to_step
        for c in range(count):
            put(out, j + c, e * get(z, p + c) + f * get(z, q + c) + g * get(z, r + c) + h * get(z, s + c))


def gather(kind: Any, out_kind: Any, version: int) -> Any:
    """out[b, c, i, j] = Σ_corners weight · z[corner]."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        z, z_at = array_at(packet, 1, kind), array_at(packet, 2, np.int64)
        offset, o_at = array_at(packet, 3, real), array_at(packet, 4, np.int64)
        start, reach = array_at(packet, 5, real), array_at(packet, 6, real)[0]
        out, out_at = array_at(packet, 7, out_kind), array_at(packet, 8, np.int64)
        index, weight = scratch_at(packet, 9, part, parts, np.int64), scratch_at(packet, 10, part, parts, real)
        batch, groups, per, height, width, scale = dims[0], dims[1], dims[2], dims[3], dims[4], dims[5]
        high, wide = scale * height, scale * width
        blocks = (high + BLOCK - 1) // BLOCK
        items = batch * groups * blocks
        lanes = z_at[1] == 1 and out_at[1] == 1
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, group, first = item // (blocks * groups), item // blocks % groups, item % blocks * BLOCK
            rows = min(BLOCK, high - first)
            for row in range(rows):
                find_corners(
                    index, weight, row * 4 * wide, first + row, group, offset, b * o_at[0], o_at, start, reach,
                    groups, scale, height, width, z_at[2], z_at[3],
                )  # fmt: skip
            together = per if lanes else 4
            for c in range(0, per, together):
                z0 = b * z_at[0] + (group * per + c) * z_at[1]
                to = b * out_at[0] + (group * per + c) * out_at[1] + first * out_at[2]
                for row in range(rows):
                    j, at = to + row * out_at[2], row * 4 * wide
                    if lanes:
                        sum_row_of_lanes(out, j, out_at[3], z, z0, index, weight, at, wide, per)
                    else:
                        count = min(4, per - c)
                        sum_row(out, j, out_at[3], out_at[1], z, z0, z_at[1], index, weight, at, wide, count)

    return kernel


@njit(nogil=True)
def add_products(
    sums: Any, g: Any, g0: int, g_step: int, g_channel: int, z: Any, z0: int, z_channel: int, index: Any, at: int,
    wide: int, count: int,
) -> None:  # fmt: skip
    """sums[corner·sW + column] += Σ_c g · z[corner], for up to four channels."""
    i1, i2, i3 = at + wide, at + 2 * wide, at + 3 * wide
    if count == 4:
        b0, c0, d0 = z0 + z_channel, z0 + 2 * z_channel, z0 + 3 * z_channel
        for x in range(wide):
            j = g0 + x * g_step
            e, f, h, k = get(g, j), get(g, j + g_channel), get(g, j + 2 * g_channel), get(g, j + 3 * g_channel)
            p, q, r, s = index[U(at + x)], index[U(i1 + x)], index[U(i2 + x)], index[U(i3 + x)]
            sums[U(x)] += e * get(z, z0 + p) + f * get(z, b0 + p) + h * get(z, c0 + p) + k * get(z, d0 + p)
            sums[U(wide + x)] += e * get(z, z0 + q) + f * get(z, b0 + q) + h * get(z, c0 + q) + k * get(z, d0 + q)
            sums[U(2 * wide + x)] += e * get(z, z0 + r) + f * get(z, b0 + r) + h * get(z, c0 + r) + k * get(z, d0 + r)
            sums[U(3 * wide + x)] += e * get(z, z0 + s) + f * get(z, b0 + s) + h * get(z, c0 + s) + k * get(z, d0 + s)
        return
    for c in range(count):
        z1, g1 = z0 + c * z_channel, g0 + c * g_channel
        for corner in range(4):
            for x in range(wide):
                value = get(g, g1 + x * g_step) * get(z, z1 + index[U(at + corner * wide + x)])
                sums[U(corner * wide + x)] += value


def correlate(kind: Any, version: int) -> Any:
    """The gradient in the offsets: out like them, from Σ_c g · z at the corners; none where a point was held."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        z, z_at = array_at(packet, 1, kind), array_at(packet, 2, np.int64)
        offset, o_at = array_at(packet, 3, real), array_at(packet, 4, np.int64)
        start, reach = array_at(packet, 5, real), array_at(packet, 6, real)[0]
        g, g_at = array_at(packet, 7, kind), array_at(packet, 8, np.int64)
        index, scratch = scratch_at(packet, 9, part, parts, np.int64), scratch_at(packet, 10, part, parts, real)
        out, out_at = array_at(packet, 11, real), array_at(packet, 12, np.int64)
        batch, groups, per, height, width, scale = dims[0], dims[1], dims[2], dims[3], dims[4], dims[5]
        high, wide = scale * height, scale * width
        weight, sums = scratch, scratch[4 * BLOCK * wide :]
        blocks = (high + BLOCK - 1) // BLOCK
        items = batch * groups * blocks
        zero = reach * 0
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, group, first = item // (blocks * groups), item // blocks % groups, item % blocks * BLOCK
            rows = min(BLOCK, high - first)
            for row in range(rows):
                find_corners(
                    index, weight, row * 4 * wide, first + row, group, offset, b * o_at[0], o_at, start, reach,
                    groups, scale, height, width, z_at[2], z_at[3],
                )  # fmt: skip
            for n in range(4 * rows * wide):
                sums[U(n)] = 0
            for c in range(group * per, (group + 1) * per, 4):
                z0, g0 = b * z_at[0] + c * z_at[1], b * g_at[0] + c * g_at[1] + first * g_at[2]
                count = min(4, (group + 1) * per - c)
                for row in range(rows):
                    at = row * 4 * wide
                    add_products(
                        sums[at:], g, g0 + row * g_at[2], g_at[3], g_at[1], z, z0, z_at[1], index, at, wide, count
                    )
            for row in range(rows):
                y, py, at = (first + row) // scale, (first + row) % scale, row * 4 * wide
                for px in range(scale):
                    a, c = (group * scale + py) * scale + px, ((groups + group) * scale + py) * scale + px
                    oa, oc = b * o_at[0] + a * o_at[1] + y * o_at[2], b * o_at[0] + c * o_at[1] + y * o_at[2]
                    ta, tc = (
                        b * out_at[0] + a * out_at[1] + y * out_at[2],
                        b * out_at[0] + c * out_at[1] + y * out_at[2],
                    )
                    for x in range(width):
                        across = offset[U(oa + x * o_at[3])] * reach + start[U(a)] + (zero + x)
                        down = offset[U(oc + x * o_at[3])] * reach + start[U(c)] + (zero + y)
                        j = at + x * scale + px
                        s0, s1, s2, s3 = sums[U(j)], sums[U(j + wide)], sums[U(j + 2 * wide)], sums[U(j + 3 * wide)]
                        right = weight[U(j + wide)] + weight[U(j + 3 * wide)]
                        below = weight[U(j + 2 * wide)] + weight[U(j + 3 * wide)]
                        inside = across > 0 and across < width - 1
                        of_x = (s1 - s0) * (1 - below) + (s3 - s2) * below
                        out[U(ta + x * out_at[3])] = of_x * reach if inside else zero
                        inside = down > 0 and down < height - 1
                        of_y = (s2 - s0) * (1 - right) + (s3 - s1) * right
                        out[U(tc + x * out_at[3])] = of_y * reach if inside else zero

    return kernel


def scatter(kind: Any, version: int) -> Any:
    """The gradient in z: out[b, c, corner] += weight · g. Each thread has planes of its own, and sums in one order.

    The planes of a vector of channels lie side by side in scratch, so that a corner is one vector.
    """
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        g, g_at = array_at(packet, 1, kind), array_at(packet, 2, np.int64)
        offset, o_at = array_at(packet, 3, real), array_at(packet, 4, np.int64)
        start, reach = array_at(packet, 5, real), array_at(packet, 6, real)[0]
        out, out_at = array_at(packet, 7, kind), array_at(packet, 8, np.int64)
        index, scratch = scratch_at(packet, 9, part, parts, np.int64), scratch_at(packet, 10, part, parts, real)
        batch, groups, per, height, width, scale, lanes = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6],
        )  # fmt: skip
        high, wide = scale * height, scale * width
        weight, rows, planes = scratch, scratch[4 * wide :], scratch[(4 + lanes) * wide :]
        blocks = (per + lanes - 1) // lanes
        items = batch * groups * blocks
        for n in range(wide * lanes):
            rows[U(n)] = 0
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, group, first = item // (blocks * groups), item // blocks % groups, item % blocks * lanes
            count = min(lanes, per - first)
            for n in range(height * width * lanes):
                planes[U(n)] = 0
            for i in range(high):
                find_corners(
                    index, weight, 0, i, group, offset, b * o_at[0], o_at, start, reach,
                    groups, scale, height, width, width * lanes, lanes,
                )  # fmt: skip
                for lane in range(lanes):
                    g0 = b * g_at[0] + (group * per + first + lane) * g_at[1] + i * g_at[2]
                    if lane < count:
                        for x in range(wide):
                            rows[U(x * lanes + lane)] = get(g, g0 + x * g_at[3])
                    else:
                        for x in range(wide):
                            rows[U(x * lanes + lane)] = 0
                for x in range(wide):
                    add_scaled(planes, index[U(x)], weight[U(x)], rows, x * lanes)
                    add_scaled(planes, index[U(wide + x)], weight[U(wide + x)], rows, x * lanes)
                    add_scaled(planes, index[U(2 * wide + x)], weight[U(2 * wide + x)], rows, x * lanes)
                    add_scaled(planes, index[U(3 * wide + x)], weight[U(3 * wide + x)], rows, x * lanes)
            for y in range(height):
                for lane in range(count):
                    to = b * out_at[0] + (group * per + first + lane) * out_at[1] + y * out_at[2]
                    for x in range(width):
                        put(out, to + x * out_at[3], planes[U((y * width + x) * lanes + lane)])

    return kernel

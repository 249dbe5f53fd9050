"""The three passes over sampled points: gather, correlate and scatter at the four corners of P points an output.

A row's corners are found once, as positions in a plane of z with −1 folded into a zero weight, and serve every
channel of the group. Steps are in elements; points are (batch, group, point, axis, row, column), x before y.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U

ZERO, REPLICATE, REFLECT = 0, 1, 2


FAR = 2.0**40
"""Beyond every map, and still an exact integer."""


@njit(nogil=True)
def whole(value: float) -> int:
    """⌊value⌋ of a coordinate; what is not finite lies far outside."""
    low = math.floor(value) if abs(value) < FAR else -FAR
    return int(low)


@njit(nogil=True)
def inside(position: int, size: int, border: int) -> int:
    """Where a position is read: −1 for a zero."""
    if 0 <= position < size:
        return position
    if border == ZERO:
        return -1
    if border == REPLICATE or size == 1:
        return 0 if position < 0 else size - 1
    position %= 2 * (size - 1)
    return min(position, 2 * (size - 1) - position)


@njit(nogil=True)
def corners(
    index: Any, there: Any, points: Any, p0: int, p_at: Any, height: int, width: int, y_step: int, x_step: int,
    count: int, border: int,
) -> None:  # fmt: skip
    """Fill index [4·count] with positions in a plane and `there` with 1, or 0 where a corner lies outside."""
    for j in range(count):
        left = whole(points[U(p0 + j * p_at[5])])
        top = whole(points[U(p0 + j * p_at[5] + p_at[3])])
        for corner in range(4):
            row = inside(top + corner // 2, height, border)
            column = inside(left + corner % 2, width, border)
            exists = row >= 0 and column >= 0
            there[corner * count + j] = 1 if exists else 0
            index[corner * count + j] = row * y_step + column * x_step if exists else 0


@njit(nogil=True)
def row_corners(
    index: Any, there: Any, points: Any, p0: int, p_at: Any, height: int, width: int, y_step: int, x_step: int,
    count: int, border: int, samples: int,
) -> None:  # fmt: skip
    """The corners of every point of a row: [P, 4·count]."""
    for p in range(samples):
        at = 4 * p * count
        corners(
            index[at:], there[at:], points, p0 + p * p_at[2], p_at, height, width, y_step, x_step, count, border
        )  # fmt: skip


def gather(real: Any, place: Any, version: int) -> Any:
    """out[b, c, y, x] = Σ_corners w · z[corner]."""

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        w, w_at = array_at(packet, 1, real), array_at(packet, 2, np.int64)
        z, z_at = array_at(packet, 3, real), array_at(packet, 4, np.int64)
        points, p_at = array_at(packet, 5, place), array_at(packet, 6, np.int64)
        out, out_at = array_at(packet, 7, real), array_at(packet, 8, np.int64)
        index, weight = scratch_at(packet, 9, part, parts, np.int64), scratch_at(packet, 10, part, parts, real)
        batch, groups, per, height, width, high, wide, border, samples = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8],
        )  # fmt: skip
        i1, i2, i3 = index[wide:], index[2 * wide :], index[3 * wide :]
        w1, w2, w3 = weight[wide:], weight[2 * wide :], weight[3 * wide :]
        items = batch * groups * high
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, g, y = item // (high * groups), item // high % groups, item % high
            p0 = b * p_at[0] + g * p_at[1] + y * p_at[4]
            row_corners(index, weight, points, p0, p_at, height, width, z_at[2], z_at[3], wide, border, samples)
            for corner in range(4 * samples):
                w0 = b * w_at[0] + g * w_at[1] + corner * w_at[2] + y * w_at[3]
                for x in range(wide):
                    weight[U(corner * wide + x)] *= w[U(w0 + x * w_at[4])]
            for c in range(g * per, (g + 1) * per):
                z0 = b * z_at[0] + c * z_at[1]
                to = b * out_at[0] + c * out_at[1] + y * out_at[2]
                for x in range(wide):
                    out[U(to + x * out_at[3])] = (
                        weight[x] * z[U(z0 + index[x])]
                        + w1[x] * z[U(z0 + i1[x])]
                        + w2[x] * z[U(z0 + i2[x])]
                        + w3[x] * z[U(z0 + i3[x])]
                    )
                for first in range(4 * wide, 4 * wide * samples, 4 * wide):
                    for x in range(wide):
                        at = first + x
                        out[U(to + x * out_at[3])] += (
                            weight[U(at)] * z[U(z0 + index[U(at)])]
                            + w1[U(at)] * z[U(z0 + i1[U(at)])]
                            + w2[U(at)] * z[U(z0 + i2[U(at)])]
                            + w3[U(at)] * z[U(z0 + i3[U(at)])]
                        )

    return kernel


def correlate(real: Any, place: Any, version: int) -> Any:
    """out[b, g, corner, y, x] = Σ_c g · z[corner], summed over the batch where kernels are shared."""

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        g, g_at = array_at(packet, 1, real), array_at(packet, 2, np.int64)
        z, z_at = array_at(packet, 3, real), array_at(packet, 4, np.int64)
        points, p_at = array_at(packet, 5, place), array_at(packet, 6, np.int64)
        out, out_at = array_at(packet, 7, real), array_at(packet, 8, np.int64)
        index, scratch = scratch_at(packet, 9, part, parts, np.int64), scratch_at(packet, 10, part, parts, real)
        batch, groups, per, height, width, high, wide, border, w_batch, samples = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9],
        )  # fmt: skip
        i1, i2, i3 = index[wide:], index[2 * wide :], index[3 * wide :]
        there, sums = scratch, scratch[4 * wide * samples :]
        s1, s2, s3 = sums[wide:], sums[2 * wide :], sums[3 * wide :]
        items = w_batch * groups * high
        for item in range(items * part // parts, items * (part + 1) // parts):
            b_out, group, y = item // (high * groups), item // high % groups, item % high
            to = b_out * out_at[0] + group * out_at[1] + y * out_at[3]
            for b in range(b_out, b_out + 1 if w_batch == batch else batch):
                p0 = b * p_at[0] + group * p_at[1] + y * p_at[4]
                row_corners(index, there, points, p0, p_at, height, width, z_at[2], z_at[3], wide, border, samples)
                for x in range(4 * wide * samples):
                    sums[x] = 0
                for c in range(group * per, (group + 1) * per):
                    z0 = b * z_at[0] + c * z_at[1]
                    g0 = b * g_at[0] + c * g_at[1] + y * g_at[2]
                    for x in range(wide):
                        value = g[U(g0 + x * g_at[3])]
                        sums[x] += value * z[U(z0 + index[x])]
                        s1[x] += value * z[U(z0 + i1[x])]
                        s2[x] += value * z[U(z0 + i2[x])]
                        s3[x] += value * z[U(z0 + i3[x])]
                    for first in range(4 * wide, 4 * wide * samples, 4 * wide):
                        for x in range(wide):
                            at, value = first + x, g[U(g0 + x * g_at[3])]
                            sums[U(at)] += value * z[U(z0 + index[U(at)])]
                            s1[U(at)] += value * z[U(z0 + i1[U(at)])]
                            s2[U(at)] += value * z[U(z0 + i2[U(at)])]
                            s3[U(at)] += value * z[U(z0 + i3[U(at)])]
                for corner in range(4 * samples):
                    for x in range(wide):
                        position = U(to + corner * out_at[2] + x * out_at[4])
                        before = out[position] if b > b_out else 0
                        out[position] = before + sums[corner * wide + x] * there[corner * wide + x]

    return kernel


def scatter(real: Any, place: Any, version: int) -> Any:
    """out[b, c, corner] += w · g. A plane belongs to one thread, so the order of the sums never changes."""

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        w, w_at = array_at(packet, 1, real), array_at(packet, 2, np.int64)
        g, g_at = array_at(packet, 3, real), array_at(packet, 4, np.int64)
        points, p_at = array_at(packet, 5, place), array_at(packet, 6, np.int64)
        out, out_at = array_at(packet, 7, real), array_at(packet, 8, np.int64)
        index, weight = scratch_at(packet, 9, part, parts, np.int64), scratch_at(packet, 10, part, parts, real)
        batch, groups, per, height, width, high, wide, border, block, samples = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9],
        )  # fmt: skip
        blocks = (per + block - 1) // block
        items = batch * groups * blocks
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, group, first = item // (blocks * groups), item // blocks % groups, item % blocks * block
            start, end = group * per + first, group * per + min(first + block, per)
            for c in range(start, end):
                to = b * out_at[0] + c * out_at[1]
                for row in range(height):
                    for column in range(width):
                        out[U(to + row * out_at[2] + column * out_at[3])] = 0
            for y in range(high):
                p0 = b * p_at[0] + group * p_at[1] + y * p_at[4]
                row_corners(index, weight, points, p0, p_at, height, width, out_at[2], out_at[3], wide, border, samples)
                for corner in range(4 * samples):
                    w0 = b * w_at[0] + group * w_at[1] + corner * w_at[2] + y * w_at[3]
                    for x in range(wide):
                        weight[U(corner * wide + x)] *= w[U(w0 + x * w_at[4])]
                for c in range(start, end):
                    to = b * out_at[0] + c * out_at[1]
                    g0 = b * g_at[0] + c * g_at[1] + y * g_at[2]
                    for x in range(wide):
                        value = g[U(g0 + x * g_at[3])]
                        for corner in range(4):
                            out[U(to + index[U(corner * wide + x)])] += weight[U(corner * wide + x)] * value
                    for corner in range(4, 4 * samples):
                        for x in range(wide):
                            value = weight[U(corner * wide + x)] * g[U(g0 + x * g_at[3])]
                            out[U(to + index[U(corner * wide + x)])] += value

    return kernel

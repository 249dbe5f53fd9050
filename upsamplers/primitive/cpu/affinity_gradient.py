"""The two passes of the affinity's gradient: the sums that GroupNorm's gradient needs, then kernels and map.

Both make the projections anew, channel by channel. With n = slope·U + start, dn = g · LeakyReLU'(n) · LeakyReLU(n of V)
/ √C and h = (U − mean)/deviation, GroupNorm's gradient is (gain·dn − m₁ − m₂·h)/deviation; m₁ and m₂ are the means
of gain·dn and gain·dn·h over its group; gain's own is Σ dn·h, bias's Σ dn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.affinity import BLOCK, kernels_of, line, normal_form, project_rows, read_slabs, tables
from upsamplers.primitive.cpu.elements import real_of
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U, give_rows, join_row
from upsamplers.primitive.cpu.tile import splat_tiles, sum_lanes, tiles


@njit(nogil=True)
def normal_gradients(
    to: Any, u_to: int, v_to: int, planes: Any, u0: int, v0: int, g: Any, g0: int, width: int,
    u_slope: Any, u_start: Any, v_slope: Any, v_start: Any, low: Any, scale: Any,
) -> None:  # fmt: skip
    """dn of one row of a pair of projections."""
    for x in range(width):
        u = planes[U(u0 + x)] * u_slope + u_start
        v = planes[U(v0 + x)] * v_slope + v_start
        du, dv = (scale if u > 0 else scale * low), (scale if v > 0 else scale * low)
        ru, rv = (u if u > 0 else u * low), (v if v > 0 else v * low)
        to[U(u_to + x)] = g[U(g0 + x)] * du * rv
        to[U(v_to + x)] = g[U(g0 + x)] * dv * ru


@njit(nogil=True)
def add_row_sums(
    sums: Any, row: int, dn: Any, d0: int, planes: Any, p0: int, mean: Any, scale: Any, width: int
) -> None:
    """sums[x] += dn, sums[row + x] += dn · h."""
    for x in range(width):
        sums[U(x)] += dn[U(d0 + x)]
        sums[U(row + x)] += dn[U(d0 + x)] * ((planes[U(p0 + x)] - mean) * scale)


def gradient_sums(kind: Any, version: int) -> Any:
    """out [B, 2d, C, 2], in float64: Σ dn and Σ dn·h over the points of each projection."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims, sizes = array_at(packet, 0, np.int64), array_at(packet, 1, np.int64)
        x, x_at = array_at(packet, 2, kind), array_at(packet, 3, np.int64)
        kernels, columns = array_at(packet, 4, real), array_at(packet, 5, np.int64)
        scratch, found = scratch_at(packet, 6, part, parts, real), array_at(packet, 7, np.float64)
        affine, eps, g = array_at(packet, 8, np.float64), array_at(packet, 9, np.float64)[0], array_at(packet, 10, real)
        out = array_at(packet, 11, np.float64)
        batch, channels, sets, own, height, width, to, groups = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7],
        )  # fmt: skip
        taps, tap_at, vector_at = tables(sizes)
        many, row, slab, together = sizes[0], sizes[6], sizes[11], sizes[12]
        plane, ranks, before = BLOCK * row, many // 2, -1
        form = np.empty(2 * many * channels, np.float64)
        low, scale = real(0.01), real(1 / np.sqrt(float(channels)))
        dn, sums = scratch[to + many * plane :], scratch[to + many * plane + 2 * row :]
        blocks = (channels + together - 1) // together
        for item in range(batch * blocks * part // parts, batch * blocks * (part + 1) // parts):
            b, c0 = item // blocks, item % blocks * together
            few = min(together, channels - c0)
            if b != before:
                normal_form(form, found, b, many, channels, groups, height * width, eps)
                before = b
            for n in range(few * 2 * many * row):
                sums[U(n)] = 0
            for first in range(0, height, BLOCK):
                count = min(BLOCK, height - first)
                read_slabs(scratch, x, b * x_at[0] + c0 * x_at[1], x_at, few, columns, first, count, sizes)
                for c in range(c0, c0 + few):
                    own_sums = sums[(c - c0) * 2 * many * row :]
                    k0 = kernels_of(b, c, channels, sets, own, sizes)
                    project_rows(
                        scratch, to, plane, (c - c0) * slab, kernels, k0, count, sizes, taps, tap_at, vector_at
                    )
                    for r in range(ranks):
                        u_slope, u_start = line(affine, form, r, c, many, channels)
                        v_slope, v_start = line(affine, form, ranks + r, c, many, channels)
                        u, v = (r * channels + c) * 2, ((ranks + r) * channels + c) * 2
                        for n in range(count):
                            u0, v0 = to + r * plane + n * row, to + (ranks + r) * plane + n * row
                            g0 = ((b * ranks + r) * height + first + n) * width
                            normal_gradients(
                                dn, 0, row, scratch, u0, v0, g, g0, width,
                                real(u_slope), real(u_start), real(v_slope), real(v_start), low, scale,
                            )  # fmt: skip
                            add_row_sums(
                                own_sums[2 * r * row :], row, dn, 0, scratch, u0,
                                real(form[u]), real(form[u + 1]), width,
                            )  # fmt: skip
                            add_row_sums(
                                own_sums[2 * (ranks + r) * row :], row, dn, row, scratch, v0,
                                real(form[v]), real(form[v + 1]), width,
                            )  # fmt: skip
            for c in range(few):
                for p in range(many):
                    first_sum, second_sum, at = 0.0, 0.0, (c * many + p) * 2 * row
                    for n in range(width):
                        first_sum += sums[U(at + n)]
                        second_sum += sums[U(at + row + n)]
                    at = ((b * many + p) * channels + c0 + c) * 2
                    out[U(at)], out[U(at + 1)] = first_sum, second_sum

    return kernel


@njit(nogil=True)
def group_means(means: Any, sums: Any, affine: Any, b: int, many: int, channels: int, groups: int, points: int) -> None:
    """means[(p·C + c)·2]: m₁ and m₂ of the group that a projection belongs to."""
    per = channels // groups
    for p in range(many):
        factor, s0 = 2 * channels * (2 * p // many), (b * many + p) * channels
        for first in range(0, channels, per):
            one, two = 0.0, 0.0
            for c in range(first, first + per):
                one += affine[U(factor + c)] * sums[U((s0 + c) * 2)]
                two += affine[U(factor + c)] * sums[U((s0 + c) * 2 + 1)]
            for c in range(first, first + per):
                means[U((p * channels + c) * 2)] = one / (per * points)
                means[U((p * channels + c) * 2 + 1)] = two / (per * points)


@njit(nogil=True)
def through_norm(
    to: Any, at: int, planes: Any, p0: int, mean: Any, scale: Any, gain: Any, one: Any, two: Any, width: int
) -> None:
    """In place: dn becomes the gradient in the projection."""
    for x in range(width):
        h = (planes[U(p0 + x)] - mean) * scale
        to[U(at + x)] = scale * (gain * to[U(at + x)] - one - two * h)


@njit(nogil=True)
def spread_tables(padded: int, plane: int, row: int, across: int, sizes: Any) -> Any:
    """For `spread_row`: which tap each term multiplies with, where it reads, and where each vector of a row lies."""
    many, s, lanes = sizes[0], sizes[2], sizes[5]
    reach = padded // s
    terms = many * reach * reach
    taps, reads = np.empty(terms, np.int64), np.empty(terms, np.int64)
    for t in range(terms):
        p, jy, jx = t // (reach * reach), t // reach % reach, t % reach
        taps[t] = p * padded * padded + jy * s * padded + jx * s
        reads[t] = p * plane - jy * row - jx
    vector_at = np.arange((across + lanes - 1) // lanes) * lanes
    return taps, reads, vector_at


@njit(nogil=True)
def spread_row(
    i: int, scratch: Any, at: int, row: int, halo: int, room: int, kernels: Any, k0: int, padded: int, taps: Any,
    reads: Any, vector_at: Any, across: int, sizes: Any,
) -> int:  # fmt: skip
    """Row i of the gradient in one channel of the map, from those in all its projections, with a halo of zeros.

    Where in scratch it lies.

    Pixel s·m + a − padding is read by point m − j at tap a + s·j, along each axis. Kernels have `padded` taps a side.
    """
    s, pad, lanes, vectors = sizes[2], sizes[3], sizes[5], len(vector_at)
    whole, m, a = room + s * vectors * lanes, (i + pad) // s, (i + pad) % s
    splat_tiles(
        s, vectors, 0, scratch, room, vectors * lanes, lanes, kernels, k0 + a * padded, 1, taps,
        scratch, at + (m + halo) * row + halo, reads, vector_at, len(taps),
    )  # fmt: skip
    join_row(scratch, whole, 1, scratch, room, vectors * lanes, s, across)
    return int(whole + pad)


def gradients(kind: Any, version: int) -> Any:
    """out like x, and of_kernels [B, 2d, C, e²]: the gradients in the map and, channel by channel, in the kernels."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims, sizes = array_at(packet, 0, np.int64), array_at(packet, 1, np.int64)
        x, x_at = array_at(packet, 2, kind), array_at(packet, 3, np.int64)
        kernels, columns = array_at(packet, 4, real), array_at(packet, 5, np.int64)
        scratch, found = scratch_at(packet, 6, part, parts, real), array_at(packet, 7, np.float64)
        affine, eps, g = array_at(packet, 8, np.float64), array_at(packet, 9, np.float64)[0], array_at(packet, 10, real)
        sums, wide_kernels = array_at(packet, 11, np.float64), array_at(packet, 12, real)
        out, out_at, of_kernels = array_at(packet, 13, kind), array_at(packet, 14, np.int64), array_at(packet, 15, real)
        batch, channels, sets, own, height, width, to, groups, halo, rowp, rows, padded, wide = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9], dims[10],
            dims[11], dims[12],
        )  # fmt: skip
        taps, tap_at, vector_at = tables(sizes)
        many, area, s, pad, high, lanes, row, vectors, step, slab, together = (
            sizes[0], sizes[1] * sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], sizes[7], sizes[8],
            sizes[11], sizes[12],
        )  # fmt: skip
        plane, ranks, before, blocks = BLOCK * row, many // 2, -1, (channels + together - 1) // together
        grads, gplane, gcells = to + many * plane, rows * rowp, many * area * lanes
        acc = grads + together * many * gplane
        room, across = acc + together * gcells, (pad + wide - 1) // s + 1
        spread_taps, reads, spread_at = spread_tables(padded, gplane, rowp, across, sizes)
        form, means = np.empty(2 * many * channels, np.float64), np.empty(2 * many * channels, np.float64)
        low, scale = real(0.01), real(1 / np.sqrt(float(channels)))
        a_off, b_off = np.empty(BLOCK * vectors, np.int64), np.empty(BLOCK * vectors, np.int64)
        for t in range(BLOCK * vectors):
            a_off[t] = t // vectors * rowp + t % vectors * lanes
            b_off[t] = t // vectors * s * s * step + t % vectors * lanes
        for n in range(len(scratch)):  # halos, and what lies beyond a row, count as zeros
            scratch[U(n)] = 0
        for item in range(batch * blocks * part // parts, batch * blocks * (part + 1) // parts):
            b, c0 = item // blocks, item % blocks * together
            few = min(together, channels - c0)
            if b != before:
                normal_form(form, found, b, many, channels, groups, height * width, eps)
                group_means(means, sums, affine, b, many, channels, groups, height * width)
                before = b
            for n in range(few * gcells):
                scratch[U(acc + n)] = 0
            for first in range(0, height, BLOCK):
                count = min(BLOCK, height - first)
                read_slabs(scratch, x, b * x_at[0] + c0 * x_at[1], x_at, few, columns, first, count, sizes)
                for c in range(c0, c0 + few):
                    k0, own_slab = kernels_of(b, c, channels, sets, own, sizes), (c - c0) * slab
                    own_grads = grads + (c - c0) * many * gplane
                    project_rows(scratch, to, plane, own_slab, kernels, k0, count, sizes, taps, tap_at, vector_at)
                    for r in range(ranks):
                        u_slope, u_start = line(affine, form, r, c, many, channels)
                        v_slope, v_start = line(affine, form, ranks + r, c, many, channels)
                        for n in range(count):
                            u0, v0 = to + r * plane + n * row, to + (ranks + r) * plane + n * row
                            u_to = own_grads + r * gplane + (first + n + halo) * rowp + halo
                            v_to = u_to + ranks * gplane
                            normal_gradients(
                                scratch, u_to, v_to, scratch, u0, v0, g, ((b * ranks + r) * height + first + n) * width,
                                width, real(u_slope), real(u_start), real(v_slope), real(v_start), low, scale,
                            )  # fmt: skip
                            for p, p0, p_to in ((r, u0, u_to), (ranks + r, v0, v_to)):
                                f = (p * channels + c) * 2
                                through_norm(
                                    scratch, p_to, scratch, p0, real(form[f]), real(form[f + 1]),
                                    real(affine[2 * channels * (2 * p // many) + c]),
                                    real(means[f]), real(means[f + 1]), width,
                                )  # fmt: skip
                    tiles(
                        many, area, 1, scratch, acc + (c - c0) * gcells, area * lanes, lanes,
                        scratch, own_grads + (first + halo) * rowp + halo, gplane, a_off, scratch, own_slab, b_off,
                        tap_at, count * vectors,
                    )  # fmt: skip
            for c in range(few):
                for p in range(many):
                    for tap in range(area):
                        summed = sum_lanes(scratch, acc + c * gcells + (p * area + tap) * lanes)
                        of_kernels[U(((b * many + p) * channels + c0 + c) * area + tap)] = summed
            for i in range(high):
                target = b * out_at[0] + c0 * out_at[1] + i * out_at[2]
                for c in range(few):
                    k0 = kernels_of(b, c0 + c, channels, sets, own, sizes) // area * padded * padded
                    at = spread_row(
                        i, scratch, grads + c * many * gplane, rowp, halo, room, wide_kernels, k0, padded,
                        spread_taps, reads, spread_at, across, sizes,
                    )  # fmt: skip
                    if few == 1:
                        join_row(out, target, out_at[3], scratch, at, 0, 1, wide)
                    else:
                        join_row(scratch, sizes[13] + c * sizes[14], 1, scratch, at, 0, 1, wide)
                if few > 1:
                    give_rows(out, target, out_at[3], scratch, sizes[13], sizes[14], few, wide)

    return kernel

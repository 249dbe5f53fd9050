"""A2U's affinity of one map: projections by d pairs of small kernels, GroupNorm, LeakyReLU, and the sum over channels.

Projections are made anew in each pass, some rows or one channel at a time: those of all channels are never stored. A
channel has 2d kernels, those of U before those of V, rank by rank, and its windows are read once for all of them. A row
of the map lies in scratch by phase, [row·s + phase][x], so that one tap of a row of points is one run: a slab. Slabs of
neighbouring channels are read together where these lie side by side in memory, as in a channels_last map.

sizes, of every pass: (kernels 2d, e, s, padding, rows of the map, lanes, row of a plane, vectors of a row, step of the
slab, columns inside, where the spare row lies, elements of a slab, channels together, where their rows lie, step of
those).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.elements import put, real_of
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U, take_rows
from upsamplers.primitive.cpu.tile import splat_tiles
from upsamplers.primitive.cpu.window import read_window

BLOCK = 8
"""Rows of points that are projected at once."""


@njit(nogil=True)
def tables(sizes: Any) -> Any:
    """Where each tap lies in a kernel and in the slab, and where each vector of a row does."""
    side, s, lanes, vectors, step = sizes[1], sizes[2], sizes[5], sizes[7], sizes[8]
    taps, tap_at, vector_at = (
        np.empty(side * side, np.int64),
        np.empty(side * side, np.int64),
        np.empty(vectors, np.int64),
    )
    for tap in range(side * side):
        taps[tap] = tap
        tap_at[tap] = (tap // side * s + tap % side % s) * step + tap % side // s
    for vector in range(vectors):
        vector_at[vector] = vector * lanes
    return taps, tap_at, vector_at


@njit(nogil=True)
def read_slabs(
    scratch: Any, x: Any, x0: int, x_at: Any, channels: int, columns: Any, first: int, count: int, sizes: Any
) -> None:
    """What `count` rows of points from `first` on read of each of so many channels, a slab each."""
    side, s, pad, high, step, inside, spare, slab, rows, row = (
        sizes[1], sizes[2], sizes[3], sizes[4], sizes[8], sizes[9], sizes[10], sizes[11], sizes[13], sizes[14],
    )  # fmt: skip
    near = np.zeros(4, np.int64)
    near[3] = 1
    for r in range(s * (count - 1) + side):
        source = s * first + r - pad
        if source >= high:
            source = -1
        if channels == 1:
            read_window(scratch, r * s * step, step, spare, x, x0, x_at, source, columns, s, pad, inside)
            continue
        if source >= 0:
            take_rows(scratch, rows, row, x, x0 + source * x_at[2], x_at[3], channels, inside)
        for c in range(channels):
            to, there = c * slab + r * s * step, min(source, 0)
            read_window(scratch, to, step, spare, scratch, rows + c * row, near, there, columns, s, pad, inside)


@njit(nogil=True)
def project_rows(
    scratch: Any, to: int, plane: int, slab: int, kernels: Any, k0: int, count: int, sizes: Any, taps: Any, tap_at: Any,
    vector_at: Any,
) -> None:  # fmt: skip
    """`count` rows of points of one channel by each kernel p: scratch[to + p·plane + row of points·row + x]."""
    many, area, s, lanes, row, vectors, step = (
        sizes[0], sizes[1] * sizes[1], sizes[2], sizes[5], sizes[6], sizes[7], sizes[8],
    )  # fmt: skip
    for r in range(count):
        splat_tiles(
            many, vectors, 0, scratch, to + r * row, plane, lanes,
            kernels, k0, area, taps, scratch, slab + r * s * s * step, tap_at, vector_at, area,
        )  # fmt: skip


@njit(nogil=True)
def kernels_of(b: int, c: int, channels: int, sets: int, own: int, sizes: Any) -> int:
    """Where the kernels of a sample's channel begin."""
    return ((b if own > 1 else 0) * sets + c // (channels // sets)) * sizes[0] * sizes[1] * sizes[1]


@njit(nogil=True)
def add_moments(sums: Any, row: int, planes: Any, at: int, rows: int, width: int, shift: Any) -> None:
    """sums[x] += apart from the shift, sums[row + x] += its square, over some rows of a plane."""
    for r in range(rows):
        for x in range(width):
            apart = planes[U(at + r * row + x)] - shift
            sums[U(x)] += apart
            sums[U(row + x)] += apart * apart


@njit(nogil=True)
def moments_of(sums: Any, row: int, rows: int, width: int, shift: Any) -> Any:
    """Mean and sum of squared deviations of a plane of so many rows, from its sums."""
    first, second = 0.0, 0.0
    for x in range(width):
        first += sums[U(x)]
        second += sums[U(row + x)]
    mean = first / (rows * width)
    return shift + mean, max(second - first * mean, 0.0)


def moments(kind: Any, version: int) -> Any:
    """out [B, 2d, C, 2], in float64: mean and sum of squared deviations of each projection."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims, sizes = array_at(packet, 0, np.int64), array_at(packet, 1, np.int64)
        x, x_at = array_at(packet, 2, kind), array_at(packet, 3, np.int64)
        kernels, columns = array_at(packet, 4, real), array_at(packet, 5, np.int64)
        scratch, out = scratch_at(packet, 6, part, parts, real), array_at(packet, 7, np.float64)
        batch, channels, sets, own, height, width, to = dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6]
        taps, tap_at, vector_at = tables(sizes)
        many, row, slab, together = sizes[0], sizes[6], sizes[11], sizes[12]
        plane, blocks = BLOCK * row, (channels + together - 1) // together
        shift = np.empty(together * many, real)
        for item in range(batch * blocks * part // parts, batch * blocks * (part + 1) // parts):
            b, c0 = item // blocks, item % blocks * together
            few, sums = min(together, channels - c0), scratch[to + many * plane :]
            for n in range(few * many * 2 * row):
                sums[U(n)] = 0
            for first in range(0, height, BLOCK):
                count = min(BLOCK, height - first)
                read_slabs(scratch, x, b * x_at[0] + c0 * x_at[1], x_at, few, columns, first, count, sizes)
                for c in range(few):
                    k0 = kernels_of(b, c0 + c, channels, sets, own, sizes)
                    project_rows(scratch, to, plane, c * slab, kernels, k0, count, sizes, taps, tap_at, vector_at)
                    for p in range(many):
                        if first == 0:
                            shift[c * many + p] = scratch[to + p * plane]
                        at = (c * many + p) * 2 * row
                        add_moments(sums[at:], row, scratch, to + p * plane, count, width, shift[c * many + p])
            for c in range(few):
                for p in range(many):
                    at = ((b * many + p) * channels + c0 + c) * 2
                    found = moments_of(sums[(c * many + p) * 2 * row :], row, height, width, shift[c * many + p])
                    out[U(at)], out[U(at + 1)] = found[0], found[1]

    return kernel


@njit(nogil=True)
def normal_form(form: Any, found: Any, b: int, many: int, channels: int, groups: int, points: int, eps: float) -> None:
    """form[(p·C + c)·2]: mean and 1/deviation of the group that a projection belongs to, from `moments`."""
    per = channels // groups
    for p in range(many):
        f0 = (b * many + p) * channels
        for first in range(0, channels, per):
            mean, spread = 0.0, 0.0
            for c in range(first, first + per):
                mean += found[U((f0 + c) * 2)] / per
            for c in range(first, first + per):
                apart = found[U((f0 + c) * 2)] - mean
                spread += found[U((f0 + c) * 2 + 1)] + points * apart * apart
            for c in range(first, first + per):
                form[U((p * channels + c) * 2)] = mean
                form[U((p * channels + c) * 2 + 1)] = 1 / np.sqrt(spread / (per * points) + eps)


@njit(nogil=True)
def line(affine: Any, form: Any, p: int, c: int, many: int, channels: int) -> Any:
    """Slope and start of GroupNorm with its affine, for one projection; affine: gain of U, bias of U, those of V."""
    factor = 2 * channels * (2 * p // many)
    slope = affine[U(factor + c)] * form[U((p * channels + c) * 2 + 1)]
    return slope, affine[U(factor + channels + c)] - slope * form[U((p * channels + c) * 2)]


@njit(nogil=True)
def add_products(
    acc: Any, a0: int, planes: Any, u0: int, v0: int, count: int, u_slope: Any, u_start: Any,
    v_slope: Any, v_start: Any, low: Any,
) -> None:  # fmt: skip
    """acc += LeakyReLU(u_slope·u + u_start) · LeakyReLU(v_slope·v + v_start), whose slope below 0 is `low`."""
    for n in range(count):
        u = planes[U(u0 + n)] * u_slope + u_start
        v = planes[U(v0 + n)] * v_slope + v_start
        u = u if u > 0 else u * low
        v = v if v > 0 else v * low
        acc[U(a0 + n)] += u * v


def affinity(kind: Any, version: int) -> Any:
    """out[b, r, y, x] = Σ_c U_c V_c / √C of the normalised projections."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims, sizes = array_at(packet, 0, np.int64), array_at(packet, 1, np.int64)
        x, x_at = array_at(packet, 2, kind), array_at(packet, 3, np.int64)
        kernels, columns = array_at(packet, 4, real), array_at(packet, 5, np.int64)
        scratch, found = scratch_at(packet, 6, part, parts, real), array_at(packet, 7, np.float64)
        affine, eps, out = (
            array_at(packet, 8, np.float64),
            array_at(packet, 9, np.float64)[0],
            array_at(packet, 10, kind),
        )
        batch, channels, sets, own, height, width, to, groups = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7],
        )  # fmt: skip
        taps, tap_at, vector_at = tables(sizes)
        many, row, slab, together = sizes[0], sizes[6], sizes[11], sizes[12]
        plane, ranks = BLOCK * row, many // 2
        blocks, sums, before = (height + BLOCK - 1) // BLOCK, to + many * plane, -1
        form = np.empty(2 * many * channels, np.float64)
        low, scale = real(0.01), real(1 / np.sqrt(float(channels)))
        for item in range(batch * blocks * part // parts, batch * blocks * (part + 1) // parts):
            b, first = item // blocks, item % blocks * BLOCK
            count = min(BLOCK, height - first)
            if b != before:
                normal_form(form, found, b, many, channels, groups, height * width, eps)
                before = b
            for n in range(ranks * plane):
                scratch[U(sums + n)] = 0
            for c in range(channels):
                if c % together == 0:
                    few, x0 = min(together, channels - c), b * x_at[0] + c * x_at[1]
                    read_slabs(scratch, x, x0, x_at, few, columns, first, count, sizes)
                k0 = kernels_of(b, c, channels, sets, own, sizes)
                project_rows(
                    scratch, to, plane, c % together * slab, kernels, k0, count, sizes, taps, tap_at, vector_at
                )
                for r in range(ranks):
                    u_slope, u_start = line(affine, form, r, c, many, channels)
                    v_slope, v_start = line(affine, form, ranks + r, c, many, channels)
                    add_products(
                        scratch[sums + r * plane :], 0, scratch, to + r * plane, to + (ranks + r) * plane, count * row,
                        real(u_slope), real(u_start), real(v_slope), real(v_start), low,
                    )  # fmt: skip
            for r in range(ranks):
                for n in range(count):
                    target, source = ((b * ranks + r) * height + first + n) * width, sums + r * plane + n * row
                    for column in range(width):
                        put(out, target + column, scratch[U(source + column)] * scale)

    return kernel

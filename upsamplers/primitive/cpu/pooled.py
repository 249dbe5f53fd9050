"""Means of a map's cells and of the whole map, reading it once; and the gradient, which writes it once.

Channels that lie side by side in memory are taken together, row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.elements import get, put, real_of
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U, fill_row, give_rows, join_row, take_rows


@njit(nogil=True)
def begins(cell: int, size: int, side: int) -> int:
    """Where a cell begins."""
    return cell * size // side


@njit(nogil=True)
def ends(cell: int, size: int, side: int) -> int:
    """Where a cell ends; neighbours may share a row."""
    return ((cell + 1) * size + side - 1) // side


@njit(nogil=True)
def add_row(to: Any, at: int, x: Any, source: int, step: int, width: int) -> None:
    """to += one row of a map."""
    if step == 1:
        for j in range(width):
            to[U(at + j)] += get(x, source + j)
    else:
        for j in range(width):
            to[U(at + j)] += get(x, source + j * step)


@njit(nogil=True)
def sum_of(row: Any, at: int, count: int) -> float:
    """The sum of so many elements, in float64."""
    total = 0.0
    for j in range(count):
        total += row[U(at + j)]
    return total


def means(kind: Any, version: int) -> Any:
    """out [e² + 1, B, C]."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        x, x_at = array_at(packet, 1, kind), array_at(packet, 2, np.int64)
        out, scratch = array_at(packet, 3, kind), scratch_at(packet, 4, part, parts, real)
        batch, channels, height, width, side, together = dims[0], dims[1], dims[2], dims[3], dims[4], dims[5]
        planes, blocks = batch * channels, (channels + together - 1) // together
        every, read = scratch[together * width :], scratch[2 * together * width :]
        for item in range(batch * blocks * part // parts, batch * blocks * (part + 1) // parts):
            b, c0, seen = item // blocks, item % blocks * together, 0
            few, plane = min(together, channels - c0), b * channels + c0
            fill_row(every, 0, few * width, 0)
            for row in range(side):
                first, last = begins(row, height, side), ends(row, height, side)
                fill_row(scratch, 0, few * width, 0)
                for i in range(first, last):
                    source = b * x_at[0] + c0 * x_at[1] + i * x_at[2]
                    if few > 1:
                        take_rows(read, 0, width, x, source, x_at[3], few, width)
                        add_row(scratch, 0, read, 0, 1, few * width)
                        if i >= seen:
                            add_row(every, 0, read, 0, 1, few * width)
                    else:
                        add_row(scratch, 0, x, source, x_at[3], width)
                        if i >= seen:
                            add_row(every, 0, x, source, x_at[3], width)
                seen = last
                for column in range(side):
                    start, stop = begins(column, width, side), ends(column, width, side)
                    for c in range(few):
                        mean = sum_of(scratch, c * width + start, stop - start) / ((last - first) * (stop - start))
                        put(out, (row * side + column) * planes + plane + c, mean)
            for c in range(few):
                put(out, side * side * planes + plane + c, sum_of(every, c * width, width) / (height * width))

    return kernel


def gradient(kind: Any, version: int) -> Any:
    """out like x: each pixel's share of the cells that it lies in and of the whole."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        g, out, out_at = array_at(packet, 1, real), array_at(packet, 2, kind), array_at(packet, 3, np.int64)
        scratch = scratch_at(packet, 4, part, parts, real)
        batch, channels, height, width, side, together = dims[0], dims[1], dims[2], dims[3], dims[4], dims[5]
        planes, blocks = batch * channels, (channels + together - 1) // together
        for item in range(batch * blocks * part // parts, batch * blocks * (part + 1) // parts):
            b, c0 = item // blocks, item % blocks * together
            few, plane = min(together, channels - c0), b * channels + c0
            for i in range(height):
                target = b * out_at[0] + c0 * out_at[1] + i * out_at[2]
                for c in range(few):
                    fill_row(scratch, c * width, width, g[U(side * side * planes + plane + c)] / (height * width))
                    for row in range(side):
                        first, last = begins(row, height, side), ends(row, height, side)
                        for column in range(side if first <= i < last else 0):
                            start, stop = begins(column, width, side), ends(column, width, side)
                            cell = g[U((row * side + column) * planes + plane + c)] / ((last - first) * (stop - start))
                            for j in range(start, stop):
                                scratch[U(c * width + j)] += cell
                if few > 1:
                    give_rows(out, target, out_at[3], scratch, 0, width, few, width)
                else:
                    join_row(out, target, out_at[3], scratch, 0, 0, 1, width)

    return kernel

"""Means of a map's cells and of the whole map, reading it once; and the gradient, which writes it once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U


@njit(nogil=True)
def begins(cell: int, size: int, side: int) -> int:
    """Where a cell begins."""
    return cell * size // side


@njit(nogil=True)
def ends(cell: int, size: int, side: int) -> int:
    """Where a cell ends; neighbours may share a row."""
    return ((cell + 1) * size + side - 1) // side


def means(real: Any, version: int) -> Any:
    """out [e² + 1, B, C]."""

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        x, x_at = array_at(packet, 1, real), array_at(packet, 2, np.int64)
        out, scratch = array_at(packet, 3, real), scratch_at(packet, 4, part, parts, real)
        batch, channels, height, width, side = dims[0], dims[1], dims[2], dims[3], dims[4]
        planes = batch * channels
        every = scratch[width:]
        for item in range(planes * part // parts, planes * (part + 1) // parts):
            x0, seen = item // channels * x_at[0] + item % channels * x_at[1], 0
            for j in range(width):
                every[U(j)] = 0
            for row in range(side):
                first, last = begins(row, height, side), ends(row, height, side)
                for j in range(width):
                    scratch[U(j)] = 0
                for i in range(first, last):
                    source = x0 + i * x_at[2]
                    for j in range(width):
                        scratch[U(j)] += x[U(source + j * x_at[3])]
                    if i >= seen:
                        for j in range(width):
                            every[U(j)] += x[U(source + j * x_at[3])]
                seen = last
                for column in range(side):
                    start, stop = begins(column, width, side), ends(column, width, side)
                    total = 0.0
                    for j in range(start, stop):
                        total += scratch[U(j)]
                    out[U((row * side + column) * planes + item)] = total / ((last - first) * (stop - start))
            total = 0.0
            for j in range(width):
                total += every[U(j)]
            out[U(side * side * planes + item)] = total / (height * width)

    return kernel


def gradient(real: Any, version: int) -> Any:
    """out like x: each pixel's share of the cells that it lies in and of the whole."""

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        g, out, out_at = array_at(packet, 1, real), array_at(packet, 2, real), array_at(packet, 3, np.int64)
        scratch = scratch_at(packet, 4, part, parts, real)
        batch, channels, height, width, side = dims[0], dims[1], dims[2], dims[3], dims[4]
        planes = batch * channels
        for item in range(planes * part // parts, planes * (part + 1) // parts):
            to = item // channels * out_at[0] + item % channels * out_at[1]
            share = g[U(side * side * planes + item)] / (height * width)
            done = 0
            for row in range(side):
                first, last = begins(row, height, side), ends(row, height, side)
                for j in range(width):
                    scratch[U(j)] = 0
                for column in range(side):
                    start, stop = begins(column, width, side), ends(column, width, side)
                    value = g[U((row * side + column) * planes + item)] / ((last - first) * (stop - start))
                    for j in range(start, stop):
                        scratch[U(j)] += value
                for i in range(first, last):
                    target = to + i * out_at[2]
                    if i < done:  # a row that the cells above have too
                        for j in range(width):
                            out[U(target + j * out_at[3])] += scratch[U(j)]
                    else:
                        for j in range(width):
                            out[U(target + j * out_at[3])] = scratch[U(j)] + share
                done = last

    return kernel

"""Rows in and out of a kernel's scratch: split by phase, windowed with their border, joined, folded back.

Maps are flat arrays with a start and steps in elements, so any stride is read where it lies. Scratch rows are plain.
Positions are cast to unsigned, because numba guards signed ones against negative values, and no such loop vectorises.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = np.uintp


@njit(nogil=True)
def split_row(dst: Any, d0: int, d_px: int, src: Any, s0: int, s_x: int, s_px: int, scale: int, width: int) -> None:
    """dst[px, x] = src[x, px]: one row taken apart by phase."""
    if s_px == 1 and s_x == 1 and scale == 1:
        for x in range(width):
            dst[U(d0 + x)] = src[U(s0 + x)]
    elif s_px == 1 and s_x == 2 and scale == 2:
        d1 = d0 + d_px
        for x in range(width):
            dst[U(d0 + x)] = src[U(s0 + 2 * x)]
            dst[U(d1 + x)] = src[U(s0 + 2 * x + 1)]
    elif s_px == 1 and s_x == 4 and scale == 4:
        for half in range(0, 4, 2):
            d1 = d0 + half * d_px
            d2 = d1 + d_px
            for x in range(width):
                dst[U(d1 + x)] = src[U(s0 + 4 * x + half)]
                dst[U(d2 + x)] = src[U(s0 + 4 * x + half + 1)]
    else:
        for px in range(scale):
            for x in range(width):
                dst[U(d0 + px * d_px + x)] = src[U(s0 + x * s_x + px * s_px)]


@njit(nogil=True)
def join_row(dst: Any, d0: int, d_step: int, src: Any, s0: int, s_px: int, scale: int, width: int) -> None:
    """dst[x·scale + px] = src[px, x]: the phases of one row put together."""
    if d_step == 1 and scale == 1:
        for x in range(width):
            dst[U(d0 + x)] = src[U(s0 + x)]
    elif d_step == 1 and scale == 2:
        s1 = s0 + s_px
        for x in range(width):
            dst[U(d0 + 2 * x)] = src[U(s0 + x)]
            dst[U(d0 + 2 * x + 1)] = src[U(s1 + x)]
    elif d_step == 1 and scale == 4:
        s1, s2, s3 = s0 + s_px, s0 + 2 * s_px, s0 + 3 * s_px
        for x in range(width):
            dst[U(d0 + 4 * x)] = src[U(s0 + x)]
            dst[U(d0 + 4 * x + 1)] = src[U(s1 + x)]
            dst[U(d0 + 4 * x + 2)] = src[U(s2 + x)]
            dst[U(d0 + 4 * x + 3)] = src[U(s3 + x)]
    else:
        for px in range(scale):
            for x in range(width):
                dst[U(d0 + (x * scale + px) * d_step)] = src[U(s0 + px * s_px + x)]


@njit(nogil=True)
def window_row(
    dst: Any, d0: int, src: Any, s0: int, step: int, row: int, row_step: int, columns: Any, before: int, width: int
) -> None:
    """dst[j] = src at row `row`, column columns[j] (−1: zero): its border too; from `before`, `width` in a run."""
    total = len(columns)
    if row < 0:
        for j in range(total):
            dst[U(d0 + j)] = 0
        return
    s0 += row * row_step
    for j in range(before):
        column = columns[U(j)]
        dst[U(d0 + j)] = src[U(s0 + column * step)] if column >= 0 else 0
    d1, s1 = d0 + before, s0
    if width > 0:
        s1 += columns[U(before)] * step
    if step == 1:
        for x in range(width):
            dst[U(d1 + x)] = src[U(s1 + x)]
    else:
        for x in range(width):
            dst[U(d1 + x)] = src[U(s1 + x * step)]
    for j in range(before + width, total):
        column = columns[U(j)]
        dst[U(d0 + j)] = src[U(s0 + column * step)] if column >= 0 else 0


@njit(nogil=True)
def fill_row(dst: Any, d0: int, count: int, value: Any) -> None:
    """dst[:count] = value."""
    for x in range(count):
        dst[U(d0 + x)] = value


@njit(nogil=True)
def fold_row(dst: Any, d0: int, step: int, src: Any, s0: int, columns: Any, offset: int, width: int) -> None:
    """The adjoint of a bordered row: dst[x] = src[x + offset], plus what the border positions add to their columns."""
    total = len(columns)
    low, high = max(0, -offset), min(width, total - offset)
    for x in range(low):
        dst[U(d0 + x * step)] = 0
    if step == 1:
        for x in range(low, high):
            dst[U(d0 + x)] = src[U(s0 + x + offset)]
    else:
        for x in range(low, high):
            dst[U(d0 + x * step)] = src[U(s0 + x + offset)]
    for x in range(high, width):
        dst[U(d0 + x * step)] = 0
    for j in range(min(offset, total)):
        if columns[U(j)] >= 0:
            dst[U(d0 + columns[U(j)] * step)] += src[U(s0 + j)]
    for j in range(max(offset + width, 0), total):
        if columns[U(j)] >= 0:
            dst[U(d0 + columns[U(j)] * step)] += src[U(s0 + j)]

"""Rows in and out of a kernel's scratch: split by phase, windowed with their border, joined, folded back.

Maps are flat arrays with a start and steps in elements, so any stride is read where it lies, and any type of elements.
Scratch rows are plain.
Positions are cast to unsigned, because numba guards signed ones against negative values, and no such loop vectorises.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.elements import get, put

U = np.uintp


@njit(nogil=True)
def split_row(dst: Any, d0: int, d_px: int, src: Any, s0: int, s_x: int, s_px: int, scale: int, width: int) -> None:
    """dst[px, x] = src[x, px]: one row taken apart by phase."""
    if s_px == 1 and s_x == 1 and scale == 1:
        for x in range(width):
            put(dst, d0 + x, get(src, s0 + x))
    elif s_px == 1 and s_x == 2 and scale == 2:
        d1 = d0 + d_px
        for x in range(width):
            put(dst, d0 + x, get(src, s0 + 2 * x))
            put(dst, d1 + x, get(src, s0 + 2 * x + 1))
    elif s_px == 1 and s_x == 4 and scale == 4:
        for half in range(0, 4, 2):
            d1 = d0 + half * d_px
            d2 = d1 + d_px
            for x in range(width):
                put(dst, d1 + x, get(src, s0 + 4 * x + half))
                put(dst, d2 + x, get(src, s0 + 4 * x + half + 1))
    else:
        for px in range(scale):
            for x in range(width):
                put(dst, d0 + px * d_px + x, get(src, s0 + x * s_x + px * s_px))


@njit(nogil=True)
def join_row(dst: Any, d0: int, d_step: int, src: Any, s0: int, s_px: int, scale: int, width: int) -> None:
    """dst[x·scale + px] = src[px, x]: the phases of one row put together."""
    if d_step == 1 and scale == 1:
        for x in range(width):
            put(dst, d0 + x, get(src, s0 + x))
    elif d_step == 1 and scale == 2:
        s1 = s0 + s_px
        for x in range(width):
            put(dst, d0 + 2 * x, get(src, s0 + x))
            put(dst, d0 + 2 * x + 1, get(src, s1 + x))
    elif d_step == 1 and scale == 4:
        s1, s2, s3 = s0 + s_px, s0 + 2 * s_px, s0 + 3 * s_px
        for x in range(width):
            put(dst, d0 + 4 * x, get(src, s0 + x))
            put(dst, d0 + 4 * x + 1, get(src, s1 + x))
            put(dst, d0 + 4 * x + 2, get(src, s2 + x))
            put(dst, d0 + 4 * x + 3, get(src, s3 + x))
    else:
        for px in range(scale):
            for x in range(width):
                put(dst, d0 + (x * scale + px) * d_step, get(src, s0 + px * s_px + x))


@njit(nogil=True)
def window_row(
    dst: Any, d0: int, src: Any, s0: int, step: int, row: int, row_step: int, columns: Any, before: int, width: int
) -> None:
    """dst[j] = src at row `row`, column columns[j] (−1: zero): its border too; from `before`, `width` in a run."""
    total = len(columns)
    if row < 0:
        for j in range(total):
            put(dst, d0 + j, 0)
        return
    s0 += row * row_step
    for j in range(before):
        column = columns[U(j)]
        put(dst, d0 + j, get(src, s0 + column * step) if column >= 0 else 0)
    d1, s1 = d0 + before, s0
    if width > 0:
        s1 += columns[U(before)] * step
    if step == 1:
        for x in range(width):
            put(dst, d1 + x, get(src, s1 + x))
    else:
        for x in range(width):
            put(dst, d1 + x, get(src, s1 + x * step))
    for j in range(before + width, total):
        column = columns[U(j)]
        put(dst, d0 + j, get(src, s0 + column * step) if column >= 0 else 0)


@njit(nogil=True)
def take_rows(dst: Any, d0: int, d_step: int, src: Any, s0: int, step: int, channels: int, width: int) -> None:
    """dst[c, x] = src[x, c]: one row of channels that lie side by side, pixel by pixel.

    Channel by channel would be slow: pixels that are a power of two apart push one another out of the cache.
    """
    for x in range(width):
        for c in range(channels):
            put(dst, d0 + c * d_step + x, get(src, s0 + x * step + c))


@njit(nogil=True)
def give_rows(dst: Any, d0: int, step: int, src: Any, s0: int, s_step: int, channels: int, width: int) -> None:
    """dst[x, c] = src[c, x]: the same row written."""
    for x in range(width):
        for c in range(channels):
            put(dst, d0 + x * step + c, get(src, s0 + c * s_step + x))


@njit(nogil=True)
def fill_row(dst: Any, d0: int, count: int, value: Any) -> None:
    """dst[:count] = value."""
    for x in range(count):
        put(dst, d0 + x, value)


@njit(nogil=True)
def fold_row(dst: Any, d0: int, step: int, src: Any, s0: int, columns: Any, offset: int, width: int) -> None:
    """The adjoint of a bordered row: dst[x] = src[x + offset], plus what the border positions add to their columns.

    They are added in src.
    """
    total = len(columns)
    low, high = max(0, -offset), min(width, total - offset)
    fold_borders(src, s0 + offset, src, s0, columns, 1, offset, width, low, high)
    for x in range(low):
        put(dst, d0 + x * step, 0)
    if step == 1:
        for x in range(low, high):
            put(dst, d0 + x, get(src, s0 + x + offset))
    else:
        for x in range(low, high):
            put(dst, d0 + x * step, get(src, s0 + x + offset))
    for x in range(high, width):
        put(dst, d0 + x * step, 0)
    fold_borders(dst, d0, src, s0, columns, step, offset, width, 0, low)  # to columns that no window covers
    fold_borders(dst, d0, src, s0, columns, step, offset, width, high, width)


@njit(nogil=True)
def fold_borders(
    dst: Any, d0: int, src: Any, s0: int, columns: Any, step: int, offset: int, width: int, low: int, high: int
) -> None:
    """What the border positions before and behind a row add to their columns, of those from `low` to `high`."""
    total = len(columns)
    for first, last in ((0, min(offset, total)), (max(offset + width, 0), total)):
        for j in range(first, last):
            if low <= columns[U(j)] < high:
                to = d0 + columns[U(j)] * step
                put(dst, to, get(dst, to) + get(src, s0 + j))

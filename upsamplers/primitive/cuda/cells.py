# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""Means of a map's cells and of the whole map in Triton: a program reads one plane once."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["channels", "planes", "height", "width", "side"])
def cell_means(
    x, out, x_strides, channels, planes, height, width, side, COLUMNS: tl.constexpr, ACC: tl.constexpr
):  # fmt: skip
    """out [e² + 1, B·C]; COLUMNS covers the width."""
    plane = tl.program_id(0)
    column = tl.arange(0, COLUMNS)
    own = column < width
    x += tl.cast(plane // channels, tl.int64) * x_strides[0] + tl.cast(plane % channels, tl.int64) * x_strides[1]
    x += column * x_strides[3]
    every = tl.zeros([COLUMNS], ACC)
    seen = tl.cast(0, tl.int32)
    for row in range(side):
        first = row * height // side
        last = ((row + 1) * height + side - 1) // side
        rows = tl.zeros([COLUMNS], ACC)
        for i in range(first, last):
            value = tl.load(x + tl.cast(i, tl.int64) * x_strides[2], mask=own, other=0).to(ACC)
            rows += value
            every += tl.where(i >= seen, value, 0.0)
        seen = last
        for cell in range(side):
            start = cell * width // side
            stop = ((cell + 1) * width + side - 1) // side
            total = tl.sum(tl.where((column >= start) & (column < stop), rows, 0.0))
            tl.store(out + (row * side + cell) * planes + plane, total / ((last - first) * (stop - start)))
    tl.store(out + side * side * planes + plane, tl.sum(every) / (height * width))


@triton.jit(do_not_specialize=["channels", "planes", "height", "width", "side"])
def cell_shares(
    g, out, out_strides, channels, planes, height, width, side, COLUMNS: tl.constexpr, ACC: tl.constexpr
):  # fmt: skip
    """The gradient in the map: each pixel's share of its cells and of the whole. A program has one row of a plane."""
    plane = tl.program_id(0) // height
    i = tl.program_id(0) % height
    column = tl.arange(0, COLUMNS)
    share = tl.load(g + side * side * planes + plane).to(ACC) / (height * width)
    value = tl.zeros([COLUMNS], ACC) + share
    for row in range(side):
        first = row * height // side
        last = ((row + 1) * height + side - 1) // side
        if (i >= first) & (i < last):
            for cell in range(side):
                start = cell * width // side
                stop = ((cell + 1) * width + side - 1) // side
                part = tl.load(g + (row * side + cell) * planes + plane).to(ACC) / ((last - first) * (stop - start))
                value += tl.where((column >= start) & (column < stop), part, 0.0)
    out += tl.cast(plane // channels, tl.int64) * out_strides[0] + tl.cast(plane % channels, tl.int64) * out_strides[1]
    tl.store(out + tl.cast(i, tl.int64) * out_strides[2] + column * out_strides[3], value, mask=column < width)

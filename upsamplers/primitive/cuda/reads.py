# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""What every Triton kernel needs to read: border rules, lanes, and pairs of neighbouring phases as one access.

A program is a row of lanes, one thread each. A lane is one pixel of the tile and, where channels are the innermost
dimension of memory, one of `LANES` neighbouring channels: consecutive lanes then read consecutive addresses in both
layouts. All tensors are one-dimensional, so that no value ever moves between threads except in a final sum.
"""

from __future__ import annotations

import triton
import triton.language as tl

ZERO = tl.constexpr(0)
REPLICATE = tl.constexpr(1)
REFLECT = tl.constexpr(2)


@triton.jit
def read_at(position, size, BORDER: tl.constexpr):
    """Where a position of an axis of this size is read, and whether anything is there."""
    if BORDER == ZERO:
        return position, (position >= 0) & (position < size)
    elif BORDER == REPLICATE:
        return tl.minimum(tl.maximum(position, 0), size - 1), position == position
    else:
        period = tl.maximum(2 * (size - 1), 1)
        wrapped = position % period
        wrapped = tl.where(wrapped < 0, wrapped + period, wrapped)
        return tl.minimum(tl.minimum(wrapped, period - wrapped), size - 1), position == position


@triton.jit
def pixels_of(tile, tiles_x, pixel, height, width, TILE_WIDTH: tl.constexpr, TILE_HEIGHT: tl.constexpr):
    """Row and column of each lane, clamped into the map, and whether the lane has a pixel of its own."""
    row = (tile // tiles_x) * TILE_HEIGHT + pixel // TILE_WIDTH
    column = (tile % tiles_x) * TILE_WIDTH + pixel % TILE_WIDTH
    own = (row < height) & (column < width)
    return tl.minimum(row, height - 1), tl.minimum(column, width - 1), own


@triton.jit
def program_of(tiles, splits, parts, groups):
    """What this program is, as in place_of."""
    return place_of(tl.program_id(0), tiles, splits, parts, groups)


@triton.jit
def place_of(number, tiles, splits, parts, groups):
    """Tile, split, part, group and batch (both 64-bit) of this number, the first of them changing fastest."""
    tile = number % tiles
    rest = number // tiles
    split = rest % splits
    rest = rest // splits
    part = rest % parts
    rest = rest // parts
    return tile, split, part, tl.cast(rest % groups, tl.int64), tl.cast(rest // groups, tl.int64)


@triton.jit
def zeros(COUNT: tl.constexpr, BLOCK: tl.constexpr, ACC: tl.constexpr):
    """COUNT sums per lane."""
    sums = ()
    for _ in tl.static_range(COUNT):
        sums = sums + (tl.zeros([BLOCK], ACC),)
    return sums


@triton.jit
def zero_grid(COUNT: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, ACC: tl.constexpr):
    """COUNT sums per lane, where lanes are rows and columns."""
    sums = ()
    for _ in tl.static_range(COUNT):
        sums = sums + (tl.zeros([HEIGHT, WIDTH], ACC),)
    return sums


@triton.jit
def side_by_side(pointer, offset, COUNT: tl.constexpr):
    """Addresses [..., COUNT] of neighbouring elements; the host checked that they are aligned as one."""
    BITS: tl.constexpr = pointer.dtype.element_ty.primitive_bitwidth
    ALIGNMENT: tl.constexpr = BITS // 8 * COUNT
    addresses = tl.expand_dims(pointer + offset, -1)
    if len(addresses.shape) == 2:
        addresses = addresses + tl.arange(0, COUNT)[None, :]
        return tl.multiple_of(tl.max_contiguous(addresses, [1, COUNT]), [1, ALIGNMENT])
    else:
        addresses = addresses + tl.arange(0, COUNT)[None, None, :]
        return tl.multiple_of(tl.max_contiguous(addresses, [1, 1, COUNT]), [1, 1, ALIGNMENT])


@triton.jit
def apart(together, COUNT: tl.constexpr):
    """The 1, 2 or 4 neighbours along the last axis as a tuple."""
    if COUNT == 1:
        return (together,)
    elif COUNT == 2:
        first, second = tl.split(together)
        return (first, second)
    else:
        even, odd = tl.split(tl.reshape(together, together.shape[:-1] + [2, 2]))
        first, third = tl.split(even)
        second, fourth = tl.split(odd)
        return (first, second, third, fourth)


@triton.jit
def load_all(pointer, COUNT: tl.constexpr, ACC: tl.constexpr):
    """COUNT neighbours by one access without a mask, as a tuple."""
    if COUNT == 1:
        return (tl.load(pointer).to(ACC),)
    else:
        return apart(tl.load(side_by_side(pointer, 0, COUNT)).to(ACC), COUNT)


@triton.jit
def load_phases(pointer, offset, mask, PAIR: tl.constexpr, ACC: tl.constexpr):
    """One phase, or two or four neighbouring ones by one access, as a tuple."""
    if PAIR == 1:
        return (tl.load(pointer + offset, mask=mask, other=0).to(ACC),)
    else:
        both = tl.load(side_by_side(pointer, offset, PAIR), mask=tl.expand_dims(mask, -1), other=0).to(ACC)
        return apart(both, PAIR)

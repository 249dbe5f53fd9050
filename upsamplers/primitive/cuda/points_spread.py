# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The adjoint in z of sampled points, in Triton: each pixel of z gathers from the points whose corners it is.

Where points fall, the data says. They are sorted by the lowest pixel of their cell, in four launches for all groups of
all maps: every point is counted into its cell (adding integers gives the same counts in any order), then written
into its cell in the order of arrival, then the points of each cell are put into the order of the map. So no run
differs from another, although the first two use atomic additions. Each pixel then walks the points of the four cells
that touch it. A point is written as row << SHIFT | column.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.points import cell_of
from upsamplers.primitive.cuda.reads import program_of, read_at, zeros


@triton.jit
def lowest_of(position, size, BORDER: tl.constexpr):
    """The lower of the two pixels of an axis that a point reads, in the map; which of the two each corner reads.

    The latter as 2 bits a corner: 0 the lower, 1 the one above, 2 nothing.
    """
    first, first_inside = read_at(position, size, BORDER)
    second, second_inside = read_at(position + 1, size, BORDER)
    near = tl.minimum(tl.maximum(first, 0), size - 1)
    low = tl.minimum(near, tl.minimum(tl.maximum(second, 0), size - 1))
    first_code = tl.where(first_inside, first - low, 2)
    second_code = tl.where(second_inside, second - low, 2)
    return low, first_code + 4 * second_code


@triton.jit
def cell_at(points, points_strides, pair, groups, y, x, kept, height, width, BORDER: tl.constexpr, PLACE: tl.constexpr):
    """The cell of a point among the cells of all pairs, and the codes of its corners."""
    place = points + (pair // groups) * points_strides[0] + (pair % groups) * points_strides[1]
    left, top = cell_of(place + y * points_strides[3] + x * points_strides[4], points_strides[2], kept, PLACE)
    row, row_codes = lowest_of(top, height, BORDER)
    column, column_codes = lowest_of(left, width, BORDER)
    return tl.cast(row, tl.int64) * width + column, row_codes * 16 + column_codes


@triton.jit(do_not_specialize=["count", "g_height", "g_width", "height", "width", "groups"])
def points_count(
    points,
    counts,  # [pairs·H·W + 1], zero
    arrivals,  # [pairs·sH·sW]
    points_strides,  # batch, group, axis, row, column
    count,  # pairs·sH·sW
    g_height,
    g_width,
    height,  # of z
    width,
    groups,
    BORDER: tl.constexpr,
    BLOCK: tl.constexpr,
    PLACE: tl.constexpr,
):
    """counts[1 + cell] = how many points fall into each cell; arrivals = how many had come to its cell before each."""
    n = tl.cast(tl.program_id(0), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    kept = n < count
    pair = n // (tl.cast(g_height, tl.int64) * g_width)
    inside = n % (tl.cast(g_height, tl.int64) * g_width)
    y = inside // g_width
    x = inside % g_width
    cell, _ = cell_at(points, points_strides, pair, groups, y, x, kept, height, width, BORDER, PLACE)
    cell += pair * height * width
    one = tl.full([BLOCK], 1, counts.dtype.element_ty)
    arrived = tl.atomic_add(counts + 1 + cell, one, mask=kept)
    tl.store(arrivals + n, arrived, mask=kept)


@triton.jit(do_not_specialize=["count", "g_height", "g_width", "height", "width", "groups"])
def points_place(
    points,
    starts,  # [pairs·H·W + 1] where each cell's points start
    arrivals,  # [pairs·sH·sW]
    order,  # [pairs·sH·sW]
    points_strides,
    count,
    g_height,
    g_width,
    height,
    width,
    groups,
    BORDER: tl.constexpr,
    BLOCK: tl.constexpr,
    SHIFT: tl.constexpr,
    PLACE: tl.constexpr,
):
    """order = the points by cell, in the order of their arrival."""
    n = tl.cast(tl.program_id(0), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    kept = n < count
    pair = n // (tl.cast(g_height, tl.int64) * g_width)
    inside = n % (tl.cast(g_height, tl.int64) * g_width)
    y = inside // g_width
    x = inside % g_width
    cell, _ = cell_at(points, points_strides, pair, groups, y, x, kept, height, width, BORDER, PLACE)
    at = tl.load(starts + pair * height * width + cell, mask=kept, other=0)
    at += tl.load(arrivals + n, mask=kept, other=0)
    tl.store(order + at, (y << SHIFT) | x, mask=kept)


@triton.jit(do_not_specialize=["count", "g_height", "g_width", "height", "width", "groups"])
def points_rank(
    points,
    starts,
    order,  # by cell, in any order within a cell
    ranked,  # the same, in the order of the map within a cell
    codes,  # which pixels the corners of each read
    points_strides,
    count,
    g_height,
    g_width,
    height,
    width,
    groups,
    BORDER: tl.constexpr,
    BLOCK: tl.constexpr,
    SHIFT: tl.constexpr,
    PLACE: tl.constexpr,
):
    """Each point goes behind those of its cell that come before it in the map."""
    n = tl.cast(tl.program_id(0), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    kept = n < count
    pair = n // (tl.cast(g_height, tl.int64) * g_width)
    own = tl.load(order + n, mask=kept, other=0)
    y = tl.cast(own >> SHIFT, tl.int64)
    x = tl.cast(own, tl.int64) - (y << SHIFT)
    cell, code = cell_at(points, points_strides, pair, groups, y, x, kept, height, width, BORDER, PLACE)
    place = starts + pair * height * width + cell
    begin = tl.load(place, mask=kept, other=0)
    length = tl.load(place + 1, mask=kept, other=0) - begin
    rank = tl.zeros([BLOCK], order.dtype.element_ty)
    for step in range(tl.max(length, axis=0)):
        other = tl.load(order + begin + step, mask=kept & (step < length), other=own)
        rank += tl.where(other < own, 1, 0).to(order.dtype.element_ty)
    tl.store(ranked + begin + rank, own, mask=kept)
    tl.store(codes + begin + rank, code.to(tl.uint8), mask=kept)


@triton.jit(do_not_specialize=["height", "width", "channels", "groups", "tiles", "splits", "span"])
def points_spread(
    w,
    g,
    ranked,  # [pairs·sH·sW] the points by cell
    codes,  # [pairs·sH·sW]
    starts,  # [pairs·H·W + 1]
    out,
    w_strides,  # batch, group, corner, row, column
    g_strides,  # batch, channel, row, column
    out_strides,  # batch, channel, row, column
    height,  # of z
    width,
    channels,
    groups,
    tiles,
    splits,
    span,
    PIXELS: tl.constexpr,
    LANES: tl.constexpr,
    UNROLL: tl.constexpr,
    SHIFT: tl.constexpr,
    ACC: tl.constexpr,
):
    """out = Σ w·g at PIXELS pixels of z and `span` channels: each pixel walks the points whose corners it is."""
    BLOCK: tl.constexpr = PIXELS * LANES
    tile, split, _, group, batch = program_of(tiles, splits, 1, groups)
    pair = batch * groups + group
    lane = tl.arange(0, BLOCK)
    cells = tl.cast(height, tl.int64) * width
    pixel = tl.cast(tile, tl.int64) * PIXELS + lane // LANES
    own = pixel < cells
    i = pixel // width
    j = pixel % width
    starts += pair * cells
    w += batch * w_strides[0] + group * w_strides[1]
    g += batch * g_strides[0] + group * channels * g_strides[1]
    out += batch * out_strides[0] + group * channels * out_strides[1] + i * out_strides[2] + j * out_strides[3]
    last = tl.minimum((split + 1) * span, channels)
    for first in range(split * span, last, UNROLL * LANES):
        sums = zeros(UNROLL, BLOCK, ACC)
        for above in range(2):
            cell_row = i - above
            some = own & (cell_row >= 0)
            # the cells left of the pixel and at it are neighbours in the order: one stretch
            cell = starts + cell_row * width + j
            begin = tl.load(cell - 1, mask=some & (j > 0), other=0)
            here = tl.load(cell, mask=some, other=0)
            begin = tl.where(j > 0, begin, here)
            count = tl.load(cell + 1, mask=some, other=0) - begin
            here -= begin
            for step in range(tl.max(count, axis=0)):
                kept = some & (step < count)
                point = tl.load(ranked + begin + step, mask=kept, other=0)
                code = tl.load(codes + begin + step, mask=kept, other=0).to(tl.int32)
                y = point >> SHIFT
                x = point - (y << SHIFT)
                left = tl.where(step < here, 1, 0)
                w_point = w + (tl.cast(y, tl.int64) * w_strides[3] + tl.cast(x, tl.int64) * w_strides[4])
                weight = tl.zeros([BLOCK], ACC)
                touches = lane < 0
                for corner in tl.static_range(4):
                    hit = kept & (((code >> (4 + 2 * (corner // 2))) & 3) == above)
                    hit &= ((code >> (2 * (corner % 2))) & 3) == left
                    weight += tl.load(w_point + corner * w_strides[2], mask=hit, other=0).to(ACC)
                    touches = touches | hit
                g_point = g + (tl.cast(y, tl.int64) * g_strides[2] + tl.cast(x, tl.int64) * g_strides[3])
                new = ()
                for n in tl.static_range(UNROLL):
                    channel = tl.cast(tl.minimum(first + n * LANES + lane % LANES, channels - 1), tl.int64)
                    value = tl.load(g_point + channel * g_strides[1], mask=touches, other=0).to(ACC)
                    new = new + (tl.fma(weight, value, sums[n]),)
                sums = new
        for n in tl.static_range(UNROLL):
            channel = tl.cast(first + n * LANES + lane % LANES, tl.int64)
            tl.store(out + channel * out_strides[1], sums[n], mask=own & (channel < last))

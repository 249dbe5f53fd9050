# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The sampled-point kernels in Triton: wᵀz over the four corners of every point, and both adjoints. No atomics.

The adjoint in z depends on where the points fall. The host sorts the points of a group by the lowest pixel of their
cell; each pixel then walks the points of the four cells that touch it, in that fixed order.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import read_at, zeros


@triton.jit
def cell_of(pointer, axis_stride, mask, PLACE: tl.constexpr):
    """Column and row of the top left corner. What is not a number, or absurdly far, lies outside every map."""
    x = tl.load(pointer, mask=mask, other=0).to(PLACE)
    y = tl.load(pointer + axis_stride, mask=mask, other=0).to(PLACE)
    x = tl.where((x > -1e9) & (x < 1e9), x, tl.where(x >= 1e9, 1e9, -1e9))
    y = tl.where((y > -1e9) & (y < 1e9), y, tl.where(y >= 1e9, 1e9, -1e9))
    return tl.floor(x).to(tl.int32), tl.floor(y).to(tl.int32)


@triton.jit(do_not_specialize=["height", "width", "z_height", "z_width", "channels", "groups", "tiles"])
def points_sum(
    w,
    z,
    points,
    out,
    w_strides,  # batch, group, corner, row, column
    z_strides,  # batch, channel, row, column
    points_strides,  # batch, group, axis, row, column
    out_strides,  # batch, channel, row, column
    height,  # of the output
    width,
    z_height,
    z_width,
    channels,
    groups,
    tiles,
    BORDER: tl.constexpr,
    PIXELS: tl.constexpr,
    LANES: tl.constexpr,
    UNROLL: tl.constexpr,
    ACC: tl.constexpr,
    PLACE: tl.constexpr,
):
    """out = wᵀz at PIXELS points of one group: corners and weights once, then every channel."""
    tile = tl.program_id(0) % tiles
    rest = tl.program_id(0) // tiles
    group = tl.cast(rest % groups, tl.int64)
    batch = tl.cast(rest // groups, tl.int64)
    lane = tl.arange(0, PIXELS * LANES)
    pixel = tl.cast(tile, tl.int64) * PIXELS + lane // LANES
    own = pixel < tl.cast(height, tl.int64) * width
    i = pixel // width
    j = pixel % width
    points += batch * points_strides[0] + group * points_strides[1]
    left, top = cell_of(points + i * points_strides[3] + j * points_strides[4], points_strides[2], own, PLACE)
    w += batch * w_strides[0] + group * w_strides[1] + i * w_strides[3] + j * w_strides[4]
    weights = ()
    offsets = ()
    reads = ()
    for corner in tl.static_range(4):
        weights = weights + (tl.load(w + corner * w_strides[2], mask=own, other=0).to(ACC),)
        y, y_inside = read_at(top + corner // 2, z_height, BORDER)
        x, x_inside = read_at(left + corner % 2, z_width, BORDER)
        offsets = offsets + (tl.cast(y, tl.int64) * z_strides[2] + tl.cast(x, tl.int64) * z_strides[3],)
        reads = reads + (own & y_inside & x_inside,)
    z += batch * z_strides[0] + group * channels * z_strides[1]
    out += batch * out_strides[0] + group * channels * out_strides[1]
    at = i * out_strides[2] + j * out_strides[3]
    for first in range(0, channels, UNROLL * LANES):
        for n in tl.static_range(UNROLL):
            channel = tl.cast(first + n * LANES + lane % LANES, tl.int64)
            kept = channel < channels
            value = tl.zeros([PIXELS * LANES], ACC)
            for corner in tl.static_range(4):
                read = z + channel * z_strides[1] + offsets[corner]
                corner_value = tl.load(read, mask=kept & reads[corner], other=0).to(ACC)
                value = tl.fma(weights[corner], corner_value, value)
            tl.store(out + channel * out_strides[1] + at, value, mask=kept & own)


@triton.jit(do_not_specialize=["height", "width", "z_height", "z_width", "channels", "groups", "tiles", "batches"])
def points_products(
    g,
    z,
    points,
    out,
    g_strides,  # batch, channel, row, column
    z_strides,  # batch, channel, row, column
    points_strides,  # batch, group, axis, row, column
    out_strides,  # batch, group, corner, row, column
    height,
    width,
    z_height,
    z_width,
    channels,
    groups,
    tiles,
    batches,
    BORDER: tl.constexpr,
    PIXELS: tl.constexpr,
    LANES: tl.constexpr,
    ACC: tl.constexpr,
    PLACE: tl.constexpr,
):
    """out[corner] = Σ_c g·z over one group's channels, and over `batches` maps where they share their weights."""
    BLOCK: tl.constexpr = PIXELS * LANES
    tile = tl.program_id(0) % tiles
    rest = tl.program_id(0) // tiles
    group = tl.cast(rest % groups, tl.int64)
    batch = rest // groups
    lane = tl.arange(0, BLOCK)
    pixel = tl.cast(tile, tl.int64) * PIXELS + lane // LANES
    own = pixel < tl.cast(height, tl.int64) * width
    i = pixel // width
    j = pixel % width
    sums = zeros(4, BLOCK, ACC)
    for map_index in range(batch * batches, (batch + 1) * batches):
        place = points + tl.cast(map_index, tl.int64) * points_strides[0] + group * points_strides[1]
        left, top = cell_of(place + i * points_strides[3] + j * points_strides[4], points_strides[2], own, PLACE)
        g_map = g + tl.cast(map_index, tl.int64) * g_strides[0] + group * channels * g_strides[1]
        z_map = z + tl.cast(map_index, tl.int64) * z_strides[0] + group * channels * z_strides[1]
        for first in range(0, channels, LANES):
            channel = tl.cast(first + lane % LANES, tl.int64)
            kept = own & (channel < channels)
            read = g_map + channel * g_strides[1] + i * g_strides[2] + j * g_strides[3]
            factor = tl.load(read, mask=kept, other=0).to(ACC)
            new = ()
            for corner in tl.static_range(4):
                y, y_inside = read_at(top + corner // 2, z_height, BORDER)
                x, x_inside = read_at(left + corner % 2, z_width, BORDER)
                read = z_map + channel * z_strides[1]
                read += tl.cast(y, tl.int64) * z_strides[2] + tl.cast(x, tl.int64) * z_strides[3]
                value = tl.load(read, mask=kept & y_inside & x_inside, other=0).to(ACC)
                new = new + (tl.fma(factor, value, sums[corner]),)
            sums = new
    chosen = tl.cast(tile, tl.int64) * PIXELS + tl.arange(0, PIXELS)
    out += tl.cast(batch, tl.int64) * out_strides[0] + group * out_strides[1]
    at = (chosen // width) * out_strides[3] + (chosen % width) * out_strides[4]
    for corner in tl.static_range(4):
        value = tl.sum(tl.reshape(sums[corner], [PIXELS, LANES]), axis=1)
        tl.store(out + corner * out_strides[2] + at, value, mask=chosen < tl.cast(height, tl.int64) * width)


@triton.jit(
    do_not_specialize=[
        "g_height",
        "g_width",
        "height",
        "width",
        "channels",
        "groups",
        "tiles",
        "splits",
        "span",
        "first_pair",
    ]
)
def points_spread(
    w,
    g,
    points,
    order,  # [pairs, sH·sW] the points of a (batch, group) pair, sorted by cell
    starts,  # [pairs, H·W + 1] where each cell's points start in it
    out,
    w_strides,  # batch, group, corner, row, column
    g_strides,  # batch, channel, row, column
    points_strides,  # batch, group, axis, row, column
    out_strides,  # batch, channel, row, column
    g_height,
    g_width,
    height,  # of z
    width,
    channels,
    groups,
    tiles,
    splits,
    span,
    first_pair,
    BORDER: tl.constexpr,
    PIXELS: tl.constexpr,
    LANES: tl.constexpr,
    UNROLL: tl.constexpr,
    ACC: tl.constexpr,
    PLACE: tl.constexpr,
):
    """out = Σ w·g at PIXELS pixels of z and `span` channels: each pixel walks the points whose corners it is."""
    BLOCK: tl.constexpr = PIXELS * LANES
    tile = tl.program_id(0) % tiles
    rest = tl.program_id(0) // tiles
    split = rest % splits
    pair = tl.cast(rest // splits, tl.int64)
    group = (first_pair + pair) % groups
    batch = (first_pair + pair) // groups
    lane = tl.arange(0, BLOCK)
    cells = tl.cast(height, tl.int64) * width
    pixel = tl.cast(tile, tl.int64) * PIXELS + lane // LANES
    own = pixel < cells
    i = pixel // width
    j = pixel % width
    order += pair * g_height * g_width
    starts += pair * (cells + 1)
    w += batch * w_strides[0] + group * w_strides[1]
    g += batch * g_strides[0] + group * channels * g_strides[1]
    points += batch * points_strides[0] + group * points_strides[1]
    out += batch * out_strides[0] + group * channels * out_strides[1] + i * out_strides[2] + j * out_strides[3]
    last = tl.minimum((split + 1) * span, channels)
    for first in range(split * span, last, UNROLL * LANES):
        sums = zeros(UNROLL, BLOCK, ACC)
        for above in range(2):
            cell_row = i - above
            some = own & (cell_row >= 0)
            # the cells left of the pixel and at it are neighbours in the order: one stretch
            begin = tl.load(starts + cell_row * width + tl.maximum(j - 1, 0), mask=some, other=0)
            count = tl.load(starts + cell_row * width + j + 1, mask=some, other=0) - begin
            for step in range(tl.max(count, axis=0)):
                kept = some & (step < count)
                point = tl.load(order + begin + step, mask=kept, other=0)
                y = point // g_width
                x = point % g_width
                place = points + y * points_strides[3] + x * points_strides[4]
                left, top = cell_of(place, points_strides[2], kept, PLACE)
                weight = tl.zeros([BLOCK], ACC)
                touches = lane < 0
                for corner in tl.static_range(4):
                    row, row_inside = read_at(top + corner // 2, height, BORDER)
                    column, column_inside = read_at(left + corner % 2, width, BORDER)
                    hit = kept & row_inside & column_inside & (row == i) & (column == j)
                    read = w + tl.cast(corner, tl.int64) * w_strides[2] + y * w_strides[3] + x * w_strides[4]
                    weight += tl.load(read, mask=hit, other=0).to(ACC)
                    touches = touches | hit
                new = ()
                for n in tl.static_range(UNROLL):
                    channel = tl.cast(tl.minimum(first + n * LANES + lane % LANES, channels - 1), tl.int64)
                    read = g + channel * g_strides[1] + y * g_strides[2] + x * g_strides[3]
                    new = new + (tl.fma(weight, tl.load(read, mask=touches, other=0).to(ACC), sums[n]),)
                sums = new
        for n in tl.static_range(UNROLL):
            channel = tl.cast(first + n * LANES + lane % LANES, tl.int64)
            tl.store(out + channel * out_strides[1], sums[n], mask=own & (channel < last))

# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The sampled-point kernels in Triton: wᵀz over the four corners of every point, and the adjoint in w."""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import program_of, read_at, zeros


@triton.jit
def cell_of(pointer, axis_stride, mask, PLACE: tl.constexpr):
    """Column and row of the top left corner. What is not a number, or absurdly far, lies outside every map."""
    x = tl.load(pointer, mask=mask, other=0).to(PLACE)
    y = tl.load(pointer + axis_stride, mask=mask, other=0).to(PLACE)
    x = tl.where((x > -1e9) & (x < 1e9), x, tl.where(x >= 1e9, 1e9, -1e9))
    y = tl.where((y > -1e9) & (y < 1e9), y, tl.where(y >= 1e9, 1e9, -1e9))
    return tl.floor(x).to(tl.int32), tl.floor(y).to(tl.int32)


@triton.jit
def corners_of(z, left, top, own, z_strides, z_height, z_width, BORDER: tl.constexpr):
    """Addresses of the four corners of a point in the first channel, and whether there is anything."""
    reads = ()
    kept = ()
    for corner in tl.static_range(4):
        y, y_inside = read_at(top + corner // 2, z_height, BORDER)
        x, x_inside = read_at(left + corner % 2, z_width, BORDER)
        reads = reads + (z + (tl.cast(y, tl.int64) * z_strides[2] + tl.cast(x, tl.int64) * z_strides[3]),)
        kept = kept + (own & y_inside & x_inside,)
    return reads, kept


@triton.jit
def stepped(pointers, step):
    """Four pointers, each a step further."""
    return (pointers[0] + step, pointers[1] + step, pointers[2] + step, pointers[3] + step)


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
    EVEN: tl.constexpr,
    ACC: tl.constexpr,
    PLACE: tl.constexpr,
):
    """out = wᵀz at PIXELS points of one group: corners and weights once, then every channel.

    EVEN: UNROLL·LANES divides the channels.
    """
    tile, _, _, group, batch = program_of(tiles, 1, 1, groups)
    lane = tl.arange(0, PIXELS * LANES)
    pixel = tl.cast(tile, tl.int64) * PIXELS + lane // LANES
    own = pixel < tl.cast(height, tl.int64) * width
    i = pixel // width
    j = pixel % width
    points += batch * points_strides[0] + group * points_strides[1]
    left, top = cell_of(points + i * points_strides[3] + j * points_strides[4], points_strides[2], own, PLACE)
    w += batch * w_strides[0] + group * w_strides[1] + i * w_strides[3] + j * w_strides[4]
    weights = ()
    for corner in tl.static_range(4):
        weights = weights + (tl.load(w + corner * w_strides[2], mask=own, other=0).to(ACC),)
    lane_channel = tl.cast(lane % LANES, tl.int64)
    z += batch * z_strides[0] + (group * channels + lane_channel) * z_strides[1]
    reads, kept = corners_of(z, left, top, own, z_strides, z_height, z_width, BORDER)
    write = out + batch * out_strides[0] + (group * channels + lane_channel) * out_strides[1]
    write += i * out_strides[2] + j * out_strides[3]
    for first in range(0, channels, UNROLL * LANES):
        for n in tl.static_range(UNROLL):
            value = tl.zeros([PIXELS * LANES], ACC)
            some = first + n * LANES + lane % LANES < channels
            for corner in tl.static_range(4):
                mask = kept[corner] if EVEN else kept[corner] & some
                corner_value = tl.load(reads[corner], mask=mask, other=0).to(ACC)
                value = tl.fma(weights[corner], corner_value, value)
            tl.store(write, value, mask=own if EVEN else own & some)
            reads = stepped(reads, LANES * tl.cast(z_strides[1], tl.int64))
            write += LANES * tl.cast(out_strides[1], tl.int64)


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
    tile, _, _, group, batch = program_of(tiles, 1, 1, groups)
    lane = tl.arange(0, BLOCK)
    pixel = tl.cast(tile, tl.int64) * PIXELS + lane // LANES
    own = pixel < tl.cast(height, tl.int64) * width
    i = pixel // width
    j = pixel % width
    sums = zeros(4, BLOCK, ACC)
    for map_index in range(batch * batches, (batch + 1) * batches):
        place = points + tl.cast(map_index, tl.int64) * points_strides[0] + group * points_strides[1]
        left, top = cell_of(place + i * points_strides[3] + j * points_strides[4], points_strides[2], own, PLACE)
        first_channel = group * channels + tl.cast(lane % LANES, tl.int64)
        g_read = g + tl.cast(map_index, tl.int64) * g_strides[0] + first_channel * g_strides[1]
        g_read += i * g_strides[2] + j * g_strides[3]
        z_map = z + tl.cast(map_index, tl.int64) * z_strides[0] + first_channel * z_strides[1]
        reads, kept = corners_of(z_map, left, top, own, z_strides, z_height, z_width, BORDER)
        for first in range(0, channels, LANES):
            some = first + lane % LANES < channels
            factor = tl.load(g_read, mask=own if LANES == 1 else own & some, other=0).to(ACC)
            new = ()
            for corner in tl.static_range(4):
                mask = kept[corner] if LANES == 1 else kept[corner] & some
                value = tl.load(reads[corner], mask=mask, other=0).to(ACC)
                new = new + (tl.fma(factor, value, sums[corner]),)
            sums = new
            g_read += LANES * tl.cast(g_strides[1], tl.int64)
            reads = stepped(reads, LANES * tl.cast(z_strides[1], tl.int64))
    chosen = tl.cast(tile, tl.int64) * PIXELS + tl.arange(0, PIXELS)
    out += tl.cast(batch, tl.int64) * out_strides[0] + group * out_strides[1]
    at = (chosen // width) * out_strides[3] + (chosen % width) * out_strides[4]
    for corner in tl.static_range(4):
        value = tl.sum(tl.reshape(sums[corner], [PIXELS, LANES]), axis=1)
        tl.store(out + corner * out_strides[2] + at, value, mask=chosen < tl.cast(height, tl.int64) * width)

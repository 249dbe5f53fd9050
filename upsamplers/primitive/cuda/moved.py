# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""Sampling at moved points in Triton: wᵀz straight from the offsets, the offsets' gradient, and points for the map's.

The point of output row s·y + py and column s·x + px is the pixel (y, x) + start + reach · offset, held in the map; with
a scope, reach is ½·sigmoid(scope). Offsets are [B, 2·G·s², H, W], channel ((axis·G + g)·s + py)·s + px.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import program_of


@triton.jit
def moved_point(
    offset, scope, start, strides, scope_strides, batch, group, groups, i, j, height, width, own,
    S: tl.constexpr, SCOPE: tl.constexpr, PLACE: tl.constexpr,
):  # fmt: skip
    """Column and row of each lane's point, what was added to an offset of 1 (its reach), and where each was read."""
    y, py, x, px = i // S, i % S, j // S, j % S
    first = ((group * S + py) * S + px).to(tl.int64)
    second = (((groups + group) * S + py) * S + px).to(tl.int64)
    base = batch * strides[0] + y * strides[2] + x * strides[3]
    o_x = tl.load(offset + base + first * strides[1], mask=own, other=0).to(PLACE)
    o_y = tl.load(offset + base + second * strides[1], mask=own, other=0).to(PLACE)
    if SCOPE:
        base = batch * scope_strides[0] + y * scope_strides[2] + x * scope_strides[3]
        s_x = tl.load(scope + base + first * scope_strides[1], mask=own, other=0).to(PLACE)
        s_y = tl.load(scope + base + second * scope_strides[1], mask=own, other=0).to(PLACE)
        reach_x = 0.5 / (1 + tl.exp(-s_x))
        reach_y = 0.5 / (1 + tl.exp(-s_y))
    else:
        reach_x = o_x * 0 + 0.25
        reach_y = o_y * 0 + 0.25
    at_x = o_x * reach_x + tl.load(start + first, mask=own, other=0).to(PLACE) + x
    at_y = o_y * reach_y + tl.load(start + second, mask=own, other=0).to(PLACE) + y
    return at_x, at_y, o_x, o_y, reach_x, reach_y


@triton.jit
def cell_and_share(position, size, PLACE: tl.constexpr):
    """The lower pixel of a held coordinate, the upper one, the upper one's share, and whether it was inside."""
    last = (size - 1).to(PLACE)
    inside = (position > 0) & (position < last)
    held = tl.where(position >= last, last, tl.where(position <= 0, 0.0, position))
    finite = tl.where(held == held, held, 0.0)
    low = tl.minimum(tl.floor(finite).to(tl.int32), size - 1)
    return low, tl.minimum(low + 1, size - 1), held - low.to(PLACE), inside


@triton.jit
def lanes_of(height, width, groups, tiles, PIXELS: tl.constexpr, LANES: tl.constexpr):
    """Batch, group, pixel row and column, and whether a lane has a pixel of its own."""
    tile, _, _, group, batch = program_of(tiles, 1, 1, groups)
    lane = tl.arange(0, PIXELS * LANES)
    pixel = tl.cast(tile, tl.int64) * PIXELS + lane // LANES
    own = pixel < tl.cast(height, tl.int64) * width
    return batch, group, pixel // width, pixel % width, own, lane


@triton.jit(do_not_specialize=["height", "width", "channels", "groups", "tiles"])
def moved_sum(
    z, offset, scope, start, out, z_strides, strides, scope_strides, out_strides,
    height, width, channels, groups, tiles,
    S: tl.constexpr, SCOPE: tl.constexpr, PIXELS: tl.constexpr, LANES: tl.constexpr, UNROLL: tl.constexpr,
    ACC: tl.constexpr, PLACE: tl.constexpr,
):  # fmt: skip
    """out = wᵀz at PIXELS points of one group: points, corners and weights once, then every channel."""
    batch, group, i, j, own, lane = lanes_of(S * height, S * width, groups, tiles, PIXELS, LANES)
    at_x, at_y, _, _, _, _ = moved_point(
        offset, scope, start, strides, scope_strides, batch, group, groups, i, j, height, width, own, S, SCOPE, PLACE
    )
    left, right, share_x, _ = cell_and_share(at_x, width, PLACE)
    top, bottom, share_y, _ = cell_and_share(at_y, height, PLACE)
    share_x = share_x.to(ACC)
    share_y = share_y.to(ACC)
    weights = (
        (1 - share_y) * (1 - share_x), (1 - share_y) * share_x, share_y * (1 - share_x), share_y * share_x,
    )  # fmt: skip
    above = tl.cast(top, tl.int64) * z_strides[2]
    below = tl.cast(bottom, tl.int64) * z_strides[2]
    before = tl.cast(left, tl.int64) * z_strides[3]
    after = tl.cast(right, tl.int64) * z_strides[3]
    offsets = (above + before, above + after, below + before, below + after)
    z += batch * z_strides[0] + group * channels * z_strides[1]
    out += batch * out_strides[0] + group * channels * out_strides[1]
    at = i * out_strides[2] + j * out_strides[3]
    for first in range(0, channels, UNROLL * LANES):
        for n in tl.static_range(UNROLL):
            channel = tl.cast(first + n * LANES + lane % LANES, tl.int64)
            kept = own & (channel < channels)
            value = tl.zeros([PIXELS * LANES], ACC)
            for corner in tl.static_range(4):
                read = tl.load(z + channel * z_strides[1] + offsets[corner], mask=kept, other=0).to(ACC)
                value = tl.fma(weights[corner], read, value)
            tl.store(out + channel * out_strides[1] + at, value, mask=kept)


@triton.jit(do_not_specialize=["height", "width", "channels", "groups", "tiles"])
def moved_products(
    g, z, offset, scope, start, of_offset, of_scope, g_strides, z_strides, strides, scope_strides, out_strides,
    height, width, channels, groups, tiles,
    S: tl.constexpr, SCOPE: tl.constexpr, PIXELS: tl.constexpr, ACC: tl.constexpr, PLACE: tl.constexpr,
):  # fmt: skip
    """The gradients in the offsets and the scope, from Σ_c g · z at the corners; none where a point was held."""
    batch, group, i, j, own, _ = lanes_of(S * height, S * width, groups, tiles, PIXELS, 1)
    at_x, at_y, o_x, o_y, reach_x, reach_y = moved_point(
        offset, scope, start, strides, scope_strides, batch, group, groups, i, j, height, width, own, S, SCOPE, PLACE
    )
    left, right, share_x, inside_x = cell_and_share(at_x, width, PLACE)
    top, bottom, share_y, inside_y = cell_and_share(at_y, height, PLACE)
    above = tl.cast(top, tl.int64) * z_strides[2]
    below = tl.cast(bottom, tl.int64) * z_strides[2]
    before = tl.cast(left, tl.int64) * z_strides[3]
    after = tl.cast(right, tl.int64) * z_strides[3]
    z += batch * z_strides[0] + group * channels * z_strides[1]
    g += batch * g_strides[0] + group * channels * g_strides[1] + i * g_strides[2] + j * g_strides[3]
    s0 = tl.zeros([PIXELS], ACC)
    s1 = tl.zeros([PIXELS], ACC)
    s2 = tl.zeros([PIXELS], ACC)
    s3 = tl.zeros([PIXELS], ACC)
    for channel in range(channels):
        plane = z + tl.cast(channel, tl.int64) * z_strides[1]
        factor = tl.load(g + tl.cast(channel, tl.int64) * g_strides[1], mask=own, other=0).to(ACC)
        s0 = tl.fma(factor, tl.load(plane + above + before, mask=own, other=0).to(ACC), s0)
        s1 = tl.fma(factor, tl.load(plane + above + after, mask=own, other=0).to(ACC), s1)
        s2 = tl.fma(factor, tl.load(plane + below + before, mask=own, other=0).to(ACC), s2)
        s3 = tl.fma(factor, tl.load(plane + below + after, mask=own, other=0).to(ACC), s3)
    in_x = tl.where(inside_x, (s1 - s0) * (1 - share_y) + (s3 - s2) * share_y, 0.0)
    in_y = tl.where(inside_y, (s2 - s0) * (1 - share_x) + (s3 - s1) * share_x, 0.0)
    first = ((group * S + i % S) * S + j % S).to(tl.int64) * out_strides[1]
    second = (((groups + group) * S + i % S) * S + j % S).to(tl.int64) * out_strides[1]
    to = batch * out_strides[0] + (i // S) * out_strides[2] + (j // S) * out_strides[3]
    tl.store(of_offset + to + first, in_x * reach_x, mask=own)
    tl.store(of_offset + to + second, in_y * reach_y, mask=own)
    if SCOPE:
        tl.store(of_scope + to + first, in_x * o_x * reach_x * (1 - 2 * reach_x), mask=own)
        tl.store(of_scope + to + second, in_y * o_y * reach_y * (1 - 2 * reach_y), mask=own)


@triton.jit(do_not_specialize=["height", "width", "groups", "tiles"])
def moved_corners(
    offset, scope, start, w, points, strides, scope_strides, w_strides, points_strides, height, width, groups, tiles,
    S: tl.constexpr, SCOPE: tl.constexpr, PIXELS: tl.constexpr, PLACE: tl.constexpr,
):  # fmt: skip
    """Corner weights [B, G, 4, sH, sW] and points [B, G, 2, sH, sW], for the adjoint in z."""
    batch, group, i, j, own, _ = lanes_of(S * height, S * width, groups, tiles, PIXELS, 1)
    at_x, at_y, _, _, _, _ = moved_point(
        offset, scope, start, strides, scope_strides, batch, group, groups, i, j, height, width, own, S, SCOPE, PLACE
    )
    left, _, share_x, _ = cell_and_share(at_x, width, PLACE)
    top, _, share_y, _ = cell_and_share(at_y, height, PLACE)
    w += batch * w_strides[0] + group * w_strides[1] + i * w_strides[3] + j * w_strides[4]
    tl.store(w, (1 - share_y) * (1 - share_x), mask=own)
    tl.store(w + w_strides[2], (1 - share_y) * share_x, mask=own)
    tl.store(w + 2 * w_strides[2], share_y * (1 - share_x), mask=own)
    tl.store(w + 3 * w_strides[2], share_y * share_x, mask=own)
    points += batch * points_strides[0] + group * points_strides[1] + i * points_strides[3] + j * points_strides[4]
    tl.store(points, left.to(PLACE) + share_x, mask=own)
    tl.store(points + points_strides[2], top.to(PLACE) + share_y, mask=own)

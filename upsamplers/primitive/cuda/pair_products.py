# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The adjoint of the upsampling window in w at scale 2, in Triton, for pairs of columns of points.

A lane owns two neighbouring points and one row of their phases: four neighbours of g and of the result are one access,
and the windows of both lie in aligned pairs of columns of z, of which each lies inside the map or outside. Two
neighbouring lanes share a pair of points, and LANES of them, far apart, its channels. Rows of windows are moved into
the map as in `products`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_all, load_phases, place_of, side_by_side, zeros


@triton.jit(do_not_specialize=["height", "width", "channels", "groups", "tiles", "across", "batches"])
def pair_products(
    g,
    z,
    out,
    g_strides,  # batch, channel, row, column, phase row, phase column
    z_strides,  # batch, channel, row, column
    out_strides,  # batch, group, tap, row, column, phase row, phase column
    height,
    width,
    channels,
    groups,
    tiles,
    across,
    batches,
    K: tl.constexpr,
    START: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    LANES: tl.constexpr,
    EVEN: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out[t] = Σ_c g·z at all taps. A program sums `batches` maps. EVEN: LANES divides the channels.

    A tile has TILE_HEIGHT rows of TILE_WIDTH pairs, of which `across` span the map; it may go on in the next rows.
    """
    OWNERS: tl.constexpr = TILE_WIDTH * TILE_HEIGHT * 2
    BLOCK: tl.constexpr = OWNERS * LANES
    tile, _, _, group, batch = place_of(tl.program_id(0), tiles, 1, 1, groups)
    lane = tl.arange(0, BLOCK)
    first_channel = group * channels + lane // OWNERS
    owner = lane % OWNERS
    i, j, y, own = owned(tile, owner, across, height, width, K, START, TILE_WIDTH, TILE_HEIGHT)
    if WIDE:
        i = tl.cast(i, tl.int64)
        j = tl.cast(j, tl.int64)
        y = tl.cast(y, tl.int64)
    g += i * g_strides[2] + j * g_strides[3] + (owner % 2) * tl.cast(g_strides[4], tl.int64)
    z += y * z_strides[2] + (j + START) * z_strides[3]
    g += first_channel * g_strides[1]
    z += first_channel * z_strides[1]
    sums = zeros(K * K * 4, BLOCK, ACC)
    for map_index in range(batch * batches, (batch + 1) * batches):
        g_read = g + map_index * g_strides[0]
        z_read = z + map_index * z_strides[0]
        for first in range(0, channels, LANES):
            kept = own
            if EVEN:
                factors = load_all(g_read, 4, ACC)
            else:
                kept = own & (first + lane // OWNERS < channels)
                factors = load_phases(g_read, 0, kept, 4, ACC)
            for ky in tl.static_range(K):
                row = z_read + ky * tl.cast(z_strides[2], tl.int64)
                for x in tl.static_range(0, K + 1, 2):
                    there = kept & (j + (START + x) >= 0) & (j + (START + x) < width)
                    values = load_phases(row + x * z_strides[3], 0, there, 2, ACC)
                    for n in tl.static_range(2):
                        new = ()
                        for t in tl.static_range(K * K):
                            for f in tl.static_range(4):
                                value = sums[t * 4 + f]
                                # the value is tap x + n − f // 2 of the window of point j + f // 2
                                if (t // K == ky) & (t % K == x + n - f // 2):
                                    value = tl.fma(factors[f], values[n], value)
                                new = new + (value,)
                        sums = new
            g_read += LANES * tl.cast(g_strides[1], tl.int64)
            z_read += LANES * tl.cast(z_strides[1], tl.int64)
    owner = tl.arange(0, OWNERS)
    i, j, y, own = owned(tile, owner, across, height, width, K, START, TILE_WIDTH, TILE_HEIGHT)
    down = y - (i + START)  # how far the window was moved into the map
    out += batch * out_strides[0] + group * out_strides[1] + (owner % 2) * tl.cast(out_strides[5], tl.int64)
    out += i.to(tl.int64) * out_strides[3] + j.to(tl.int64) * out_strides[4]
    for t in tl.static_range(K * K):
        four = tl.join(tl.join(sums[t * 4], sums[t * 4 + 2]), tl.join(sums[t * 4 + 1], sums[t * 4 + 3]))
        four = tl.sum(tl.reshape(four, [LANES, OWNERS, 4]), axis=0)
        # a row of taps that the moved window lacks lies outside the map; it is the one a window further
        tap_y = t // K + down
        inside = (tap_y >= 0) & (tap_y < K)
        tap = tl.where(tap_y < 0, tap_y + K, tl.where(tap_y >= K, tap_y - K, tap_y)) * K + t % K
        place = side_by_side(out, tap.to(tl.int64) * out_strides[2], 4)
        column = j[:, None] + tl.arange(0, 4)[None, :] // 2 + (START + t % K)
        inside = inside[:, None] & (column >= 0) & (column < width)
        tl.store(place, tl.where(inside, four, 0.0), mask=own[:, None])


@triton.jit
def owned(
    tile, owner, across, height, width, K: tl.constexpr, START: tl.constexpr, TILE_WIDTH: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
):  # fmt: skip
    """Row and first column of each lane's points, clamped into the map, the row of z that is their first, and whether
    the lane has points of its own."""
    column = tile * TILE_WIDTH + owner // 2 % TILE_WIDTH
    i = column // across * TILE_HEIGHT + owner // 2 // TILE_WIDTH
    own = i < height
    i = tl.minimum(i, height - 1)
    return i, column % across * 2, tl.minimum(tl.maximum(i + START, 0), height - K), own

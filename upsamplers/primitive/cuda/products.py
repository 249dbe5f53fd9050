# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The adjoint of the window in w, in Triton: the inner products of g with z at every tap, for a tile of points.

A thread keeps the products of all taps and phases of its point (or the rows of them that fit into registers) while it
walks the channels. Terms as in `window`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_phases, pixels_of, read_at, zeros


@triton.jit
def multiply_inside(
    corner, z_strides, factors, sums, TAP_ROWS: tl.constexpr, K: tl.constexpr, FACTORS: tl.constexpr, ACC: tl.constexpr
):
    """sums + g·z at every tap of windows that lie inside z: neighbouring taps are a fixed step apart."""
    new = ()
    for t in tl.static_range(TAP_ROWS * K):
        value = tl.load(corner + (tl.cast(t // K, tl.int64) * z_strides[2] + (t % K) * z_strides[3])).to(ACC)
        for f in tl.static_range(FACTORS):
            new = new + (tl.fma(factors[f], value, sums[t * FACTORS + f]),)
    return new


@triton.jit
def over_lanes(
    sums,
    FIRST: tl.constexpr,
    COUNT: tl.constexpr,
    PIXELS: tl.constexpr,
    LANES: tl.constexpr,
    CHANNELS_INNER: tl.constexpr,
):
    """Four sums per lane, added over the lanes of each pixel: four at once meet at one barrier."""
    a = sums[FIRST]
    b = sums[FIRST + 1 if FIRST + 1 < COUNT else FIRST]
    c = sums[FIRST + 2 if FIRST + 2 < COUNT else FIRST]
    d = sums[FIRST + 3 if FIRST + 3 < COUNT else FIRST]
    if LANES == 1:
        return (a, b, c, d)
    else:
        together = tl.join(tl.join(a, c), tl.join(b, d))
        if CHANNELS_INNER:
            added = tl.sum(tl.reshape(together, [PIXELS, LANES, 4]), axis=1)
        else:
            added = tl.sum(tl.reshape(together, [LANES, PIXELS, 4]), axis=0)
        even, odd = tl.split(tl.reshape(added, [PIXELS, 2, 2]))
        a, c = tl.split(even)
        b, d = tl.split(odd)
        return (a, b, c, d)


@triton.jit(
    do_not_specialize=[
        "height",
        "width",
        "z_height",
        "z_width",
        "channels",
        "groups",
        "tiles",
        "tiles_x",
        "parts",
        "batches",
    ]
)
def window_products(
    g,
    z,
    out,
    g_strides,  # batch, channel, row, column, phase row, phase column
    z_strides,  # batch, channel, row, column
    out_strides,  # batch (or part), group, tap, row, column, phase row, phase column
    height,
    width,
    z_height,
    z_width,
    channels,
    groups,
    tiles,
    tiles_x,
    parts,
    batches,
    S: tl.constexpr,
    PHASE_ROWS: tl.constexpr,
    TAP_ROWS: tl.constexpr,
    K: tl.constexpr,
    PITCH: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    LANES: tl.constexpr,
    CHANNELS_INNER: tl.constexpr,
    EVERY_PIXEL: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out[t] = Σ_c g·z at TAP_ROWS rows of taps: LANES lanes share a pixel's channels, and are summed at the end.

    A program sums `batches` maps; with EVERY_PIXEL also every `parts`-th tile, into one number per tap and phase.
    """
    PIXELS: tl.constexpr = TILE_WIDTH * TILE_HEIGHT
    BLOCK: tl.constexpr = PIXELS * LANES
    FACTORS: tl.constexpr = PHASE_ROWS * S
    part = tl.program_id(0) % parts
    rest = tl.program_id(0) // parts
    phase = (rest % (S // PHASE_ROWS)) * PHASE_ROWS
    rest = rest // (S // PHASE_ROWS)
    top = (rest % (K // TAP_ROWS)) * TAP_ROWS
    rest = rest // (K // TAP_ROWS)
    group = tl.cast(rest % groups, tl.int64)
    batch = rest // groups
    lane = tl.arange(0, BLOCK)
    if CHANNELS_INNER:
        pixel = lane // LANES
        lane_channel = lane % LANES
    else:
        pixel = lane % PIXELS
        lane_channel = lane // PIXELS
    i, j, own = pixels_of(part, tiles_x, pixel, height, width, TILE_WIDTH, TILE_HEIGHT)
    sums = zeros(TAP_ROWS * K * FACTORS, BLOCK, ACC)
    g += group * channels * g_strides[1] + tl.cast(phase, tl.int64) * g_strides[4]
    z += group * channels * z_strides[1]
    for map_index in range(batch * batches, (batch + 1) * batches):
        for tile in range(part, tiles, parts):
            i, j, own = pixels_of(tile, tiles_x, pixel, height, width, TILE_WIDTH, TILE_HEIGHT)
            if WIDE:
                i = i.to(tl.int64)
                j = j.to(tl.int64)
            # a tile whose windows all lie inside needs no masks
            top_row = (tile // tiles_x) * TILE_HEIGHT
            left_column = (tile % tiles_x) * TILE_WIDTH
            bottom = (top_row + TILE_HEIGHT - 1) * PITCH + START + K
            right = (left_column + TILE_WIDTH - 1) * PITCH + START + K
            interior = (top_row * PITCH + START >= 0) & (bottom <= z_height) & (top_row + TILE_HEIGHT <= height)
            interior &= (left_column * PITCH + START >= 0) & (right <= z_width) & (left_column + TILE_WIDTH <= width)
            g_pixel = i * g_strides[2] + j * g_strides[3]
            for first in range(0, channels, LANES):
                channel = tl.cast(first + lane_channel, tl.int64)
                kept = own & (channel < channels)
                g_map = g + tl.cast(map_index, tl.int64) * g_strides[0]
                z_map = z + tl.cast(map_index, tl.int64) * z_strides[0] + channel * z_strides[1]
                factors = ()
                for p in tl.static_range(PHASE_ROWS):
                    for q in tl.static_range(0, S, PAIR):
                        at = channel * g_strides[1] + (g_pixel + p * g_strides[4] + q * g_strides[5])
                        factors = factors + load_phases(g_map, at, kept, PAIR, ACC)
                if interior & (first + LANES <= channels):
                    corner = z_map + ((i * PITCH + START + top) * z_strides[2] + (j * PITCH + START) * z_strides[3])
                    new = multiply_inside(corner, z_strides, factors, sums, TAP_ROWS, K, FACTORS, ACC)
                else:
                    new = ()
                    for t in tl.static_range(TAP_ROWS * K):
                        y, y_inside = read_at(i * PITCH + START + top + t // K, z_height, BORDER)
                        x, x_inside = read_at(j * PITCH + START + t % K, z_width, BORDER)
                        read = z_map + (y * z_strides[2] + x * z_strides[3])
                        value = tl.load(read, mask=kept & y_inside & x_inside, other=0).to(ACC)
                        for f in tl.static_range(FACTORS):
                            new = new + (tl.fma(factors[f], value, sums[t * FACTORS + f]),)
                sums = new
    out += tl.cast(part if EVERY_PIXEL else batch, tl.int64) * out_strides[0] + group * out_strides[1]
    out += tl.cast(phase, tl.int64) * out_strides[5] + tl.cast(top, tl.int64) * K * out_strides[2]
    chosen = tl.arange(0, PIXELS)
    i, j, own = pixels_of(part, tiles_x, chosen, height, width, TILE_WIDTH, TILE_HEIGHT)
    at = i.to(tl.int64) * out_strides[3] + j.to(tl.int64) * out_strides[4]
    for first_sum in tl.static_range(0, TAP_ROWS * K * FACTORS, 4):
        four = over_lanes(sums, first_sum, TAP_ROWS * K * FACTORS, PIXELS, LANES, CHANNELS_INNER)
        for n in tl.static_range(4):
            if first_sum + n < TAP_ROWS * K * FACTORS:
                t = (first_sum + n) // FACTORS
                f = (first_sum + n) % FACTORS
                write = (
                    out + tl.cast(t, tl.int64) * out_strides[2] + (f // S) * out_strides[5] + (f % S) * out_strides[6]
                )
                if EVERY_PIXEL:
                    tl.store(write, tl.sum(four[n], axis=0))
                else:
                    tl.store(write + at, four[n], mask=own)

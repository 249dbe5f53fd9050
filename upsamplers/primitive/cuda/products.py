# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The adjoint of the window in w, in Triton: the inner products of g with z at every tap, for a tile of points.

A thread keeps the products of all taps and phases of its point (or the rows of them that fit into registers) while it
walks the channels. At a border that shows nothing the window is moved into the map, so that every tap reads a value
of z a fixed step from the first: no mask, no branch. The products are renamed when they are written. Terms as in
`window`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_phases, pixels_of, program_of, read_at, zeros


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
    MOVED: tl.constexpr,
    EVEN: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out[t] = Σ_c g·z at TAP_ROWS rows of taps: LANES lanes share a pixel's channels, and are summed at the end.

    A program sums `batches` maps; with EVERY_PIXEL also every `parts`-th tile, into one number per tap and phase.
    MOVED: windows are moved into the map, which is at least as large. EVEN: LANES divides the channels.
    """
    PIXELS: tl.constexpr = TILE_WIDTH * TILE_HEIGHT
    BLOCK: tl.constexpr = PIXELS * LANES
    FACTORS: tl.constexpr = PHASE_ROWS * S
    TAPS: tl.constexpr = TAP_ROWS * K
    part, phase, top, group, batch = program_of(parts, S // PHASE_ROWS, K // TAP_ROWS, groups)
    phase *= PHASE_ROWS
    top *= TAP_ROWS
    lane = tl.arange(0, BLOCK)
    if CHANNELS_INNER:
        pixel = lane // LANES
        lane_channel = lane % LANES
    else:
        pixel = lane % PIXELS
        lane_channel = lane // PIXELS
    sums = zeros(TAPS * FACTORS, BLOCK, ACC)
    g += group * channels * g_strides[1] + tl.cast(phase, tl.int64) * g_strides[4]
    z += group * channels * z_strides[1]
    tiles_done = tiles if EVERY_PIXEL else part + 1
    for map_index in range(batch * batches, (batch + 1) * batches):
        for tile in range(part, tiles_done, parts):
            i, j, own = pixels_of(tile, tiles_x, pixel, height, width, TILE_WIDTH, TILE_HEIGHT)
            if WIDE:
                i = i.to(tl.int64)
                j = j.to(tl.int64)
            y = i * PITCH + START
            x = j * PITCH + START
            if MOVED:
                y = tl.minimum(tl.maximum(y, 0), z_height - K)
                x = tl.minimum(tl.maximum(x, 0), z_width - K)
            y += top
            g_read = g + tl.cast(map_index, tl.int64) * g_strides[0] + (i * g_strides[2] + j * g_strides[3])
            z_read = z + tl.cast(map_index, tl.int64) * z_strides[0] + (y * z_strides[2] + x * z_strides[3])
            if EVEN:
                g_read += tl.cast(lane_channel, tl.int64) * g_strides[1]
                z_read += tl.cast(lane_channel, tl.int64) * z_strides[1]
            for first in range(0, channels, LANES):
                kept = own
                g_map = g_read
                z_map = z_read
                if not EVEN:
                    kept = own & (first + lane_channel < channels)
                    channel = tl.cast(tl.minimum(first + lane_channel, channels - 1), tl.int64)
                    g_map = g_read + channel * g_strides[1]
                    z_map = z_read + channel * z_strides[1]
                factors = ()
                for p in tl.static_range(PHASE_ROWS):
                    for q in tl.static_range(0, S, PAIR):
                        at = g_map + (p * tl.cast(g_strides[4], tl.int64) + q * g_strides[5])
                        factors = factors + load_phases(at, 0, kept, PAIR, ACC)
                new = ()
                for t in tl.static_range(TAPS):
                    read = z_map + (t // K) * tl.cast(z_strides[2], tl.int64)
                    if MOVED:
                        value = tl.load(read + (t % K) * z_strides[3]).to(ACC)
                    else:
                        shown_y, y_inside = read_at(y + t // K, z_height, BORDER)
                        shown_x, x_inside = read_at(x + t % K, z_width, BORDER)
                        read = z_map + ((shown_y - y) * z_strides[2] + (shown_x - x) * z_strides[3])
                        value = tl.load(read, mask=kept & y_inside & x_inside, other=0).to(ACC)
                    for f in tl.static_range(FACTORS):
                        new = new + (tl.fma(factors[f], value, sums[t * FACTORS + f]),)
                sums = new
                if EVEN:
                    g_read += LANES * tl.cast(g_strides[1], tl.int64)
                    z_read += LANES * tl.cast(z_strides[1], tl.int64)
    out += tl.cast(part if EVERY_PIXEL else batch, tl.int64) * out_strides[0] + group * out_strides[1]
    out += tl.cast(phase, tl.int64) * out_strides[5]
    chosen = tl.arange(0, PIXELS)
    i, j, own = pixels_of(part, tiles_x, chosen, height, width, TILE_WIDTH, TILE_HEIGHT)
    at = i.to(tl.int64) * out_strides[3] + j.to(tl.int64) * out_strides[4]
    # how far each window was moved into the map
    down = tl.minimum(tl.maximum(i * PITCH + START, 0), z_height - K) - (i * PITCH + START)
    right = tl.minimum(tl.maximum(j * PITCH + START, 0), z_width - K) - (j * PITCH + START)
    for first_sum in tl.static_range(0, TAPS * FACTORS, 4):
        four = over_lanes(sums, first_sum, TAPS * FACTORS, PIXELS, LANES, CHANNELS_INNER)
        for n in tl.static_range(4):
            if first_sum + n < TAPS * FACTORS:
                t = (first_sum + n) // FACTORS
                f = (first_sum + n) % FACTORS
                value = four[n]
                write = out + ((f // S) * tl.cast(out_strides[5], tl.int64) + (f % S) * out_strides[6])
                if EVERY_PIXEL:
                    tap = tl.cast(top * K + t, tl.int64)
                    tl.store(write + tap * out_strides[2], tl.sum(value, axis=0))
                elif MOVED:
                    # a tap that the moved window lacks lies outside the map; it is the one a window further
                    tap_y = top + t // K + down
                    tap_x = t % K + right
                    inside = (tap_y >= 0) & (tap_y < K) & (tap_x >= 0) & (tap_x < K)
                    tap_y = tl.where(tap_y < 0, tap_y + K, tl.where(tap_y >= K, tap_y - K, tap_y))
                    tap_x = tl.where(tap_x < 0, tap_x + K, tl.where(tap_x >= K, tap_x - K, tap_x))
                    tap = (tap_y * K + tap_x).to(tl.int64)
                    tl.store(write + (tap * out_strides[2] + at), tl.where(inside, value, 0.0), mask=own)
                else:
                    tap = tl.cast(top * K + t, tl.int64)
                    tl.store(write + (tap * out_strides[2] + at), value, mask=own)

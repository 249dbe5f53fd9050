# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The window kernel in Triton: wᵀz. Up and down differ in pitch, start and phases only.

The window of low-resolution point i starts at PITCH·i + START; every point has S×S phases of w and of the output.
Up: PITCH 1, START −⌊k/2⌋, S = s. Down: PITCH s, START −⌊(k−s)/2⌋, S = 1.

A thread reads the weights of its points once, keeps them in registers, and lets the channels pass by. It owns ROWS by
COLUMNS neighbouring points and PHASE_ROWS rows of their phases. Two columns read z in aligned pairs, of which each lies
inside the map or outside, as K is odd, START and the width are even, and the border is zero.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_all, load_phases, place_of, read_at, side_by_side, zeros


@triton.jit
def weigh(
    corner,  # the top left value of the first window, in the channel
    weights, i, j, z_strides, z_height, z_width,
    INSIDE: tl.constexpr, S: tl.constexpr, PHASE_ROWS: tl.constexpr, K: tl.constexpr, PITCH: tl.constexpr,
    START: tl.constexpr, BORDER: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """wᵀz of one channel, as store_phases takes it. A value of z serves every window of the lane that holds it."""
    sums = zeros(ROWS * PHASE_ROWS * COLUMNS * S, BLOCK, ACC)
    for m in tl.static_range((ROWS - 1) * PITCH + K):
        y = i * PITCH + START + m
        x = j * PITCH + START
        row = corner
        down = 0
        if not INSIDE:
            shown, y_inside = read_at(y, z_height, BORDER)
            if BORDER != 0:
                down = (shown - (y - m)) * z_strides[2]
        if INSIDE or BORDER == 0:
            row = corner + m * tl.cast(z_strides[2], tl.int64)
        for first in tl.static_range(0, (COLUMNS - 1) * PITCH + K, COLUMNS):
            if INSIDE:
                values = load_all(row + first * z_strides[3], COLUMNS, ACC)
            else:
                shown, x_inside = read_at(x + first, z_width, BORDER)
                place = first * z_strides[3]
                if BORDER != 0:
                    place = down + (shown - x) * z_strides[3]
                values = load_phases(row, place, y_inside & x_inside, COLUMNS, ACC)
            for n in tl.static_range(COLUMNS):
                new = ()
                for r in tl.static_range(ROWS):
                    for p in tl.static_range(PHASE_ROWS):
                        for f in tl.static_range(COLUMNS * S):
                            # row m is row m − r·PITCH of the windows of points i + r; columns alike
                            value = sums[(r * PHASE_ROWS + p) * COLUMNS * S + f]
                            if (
                                (m >= r * PITCH)
                                & (m - r * PITCH < K)
                                & (first + n >= f // S * PITCH)
                                & (first + n - f // S * PITCH < K)
                            ):
                                weight = weights[
                                    (((r * K + m - r * PITCH) * K + first + n - f // S * PITCH) * PHASE_ROWS + p)
                                    * COLUMNS
                                    * S
                                    + f
                                ]
                                value = tl.fma(weight, values[n], value)
                            new = new + (value,)
                sums = new
    return sums


@triton.jit
def store_phases(
    out, sums, strides, kept, height, i,
    ROWS: tl.constexpr, PHASE_ROWS: tl.constexpr, WIDTH: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Write ROWS rows of PHASE_ROWS·WIDTH phases of one channel, TOGETHER of them by one access."""
    for r in tl.static_range(ROWS):
        for p in tl.static_range(PHASE_ROWS):
            for q in tl.static_range(0, WIDTH, TOGETHER):
                place = out + (r * tl.cast(strides[2], tl.int64) + p * tl.cast(strides[4], tl.int64) + q * strides[5])
                mask = kept & (i + r < height)
                four = ()
                for n in tl.static_range(TOGETHER):
                    four = four + (sums[(r * PHASE_ROWS + p) * WIDTH + q + n],)
                if TOGETHER == 1:
                    tl.store(place, four[0], mask=mask)
                elif TOGETHER == 2:
                    tl.store(side_by_side(place, 0, 2), tl.join(four[0], four[1]), mask=mask[:, None])
                else:
                    together = tl.join(tl.join(four[0], four[2]), tl.join(four[1], four[3]))
                    tl.store(side_by_side(place, 0, 4), tl.reshape(together, place.shape + [4]), mask=mask[:, None])


@triton.jit
def every_channel(
    z, out, weights, i, j, own, z_strides, out_strides, height, z_height, z_width, channels, begin, last,
    INSIDE: tl.constexpr, S: tl.constexpr, PHASE_ROWS: tl.constexpr, K: tl.constexpr, PITCH: tl.constexpr,
    START: tl.constexpr, BORDER: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr,
    LANES: tl.constexpr, TOGETHER: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The channels begin … last − 1, LANES at a time."""
    if LANES == 1:
        z += tl.cast(begin, tl.int64) * z_strides[1]
        out += tl.cast(begin, tl.int64) * out_strides[1]
    for first in range(begin, last, LANES):
        kept = own
        corner = z
        target = out
        if LANES > 1:
            channel = first + tl.arange(0, BLOCK) % LANES
            kept = own & (channel < last)
            corner = z + tl.cast(tl.minimum(channel, channels - 1), tl.int64) * z_strides[1]
            target = out + tl.cast(channel, tl.int64) * out_strides[1]
        sums = weigh(
            corner, weights, i, j, z_strides, z_height, z_width,
            INSIDE, S, PHASE_ROWS, K, PITCH, START, BORDER, ROWS, COLUMNS, BLOCK, ACC,
        )  # fmt: skip
        store_phases(target, sums, out_strides, kept, height, i, ROWS, PHASE_ROWS, COLUMNS * S, TOGETHER)
        if LANES == 1:
            z += tl.cast(z_strides[1], tl.int64)
            out += tl.cast(out_strides[1], tl.int64)


@triton.jit(
    do_not_specialize=[
        "height",
        "width",
        "z_height",
        "z_width",
        "channels",
        "groups",
        "tiles",
        "across",
        "sets",
        "steps",
        "span",
    ]
)
def window_sum(
    w,
    z,
    out,
    w_strides,  # batch, group, tap, row, column, phase row, phase column
    z_strides,  # batch, channel, row, column
    out_strides,  # batch, channel, row, column, phase row, phase column
    height,
    width,
    z_height,
    z_width,
    channels,
    groups,
    tiles,
    across,
    sets,
    steps,
    span,
    S: tl.constexpr,
    PHASE_ROWS: tl.constexpr,
    PARTS: tl.constexpr,
    K: tl.constexpr,
    PITCH: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    LANES: tl.constexpr,
    TOGETHER: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out = wᵀz. The channels of all tiles stand in one row, tile by tile; a program has the next `span` of them.

    A tile has TILE_HEIGHT rows of TILE_WIDTH lanes, of which `across` span the map; it may go on in the next rows.
    PARTS neighbouring lanes share the phases of their points.
    """
    BLOCK: tl.constexpr = TILE_WIDTH * TILE_HEIGHT * PARTS * LANES
    start = tl.program_id(0) * span
    if WIDE:
        start = tl.cast(tl.program_id(0), tl.int64) * span
    stop = tl.minimum(start + span, sets * steps)
    for number in range(start // steps, tl.cdiv(stop, steps)):
        tile, _, phase, group, batch = place_of(number, tiles, 1, S // PHASE_ROWS // PARTS, groups)
        lane = tl.arange(0, BLOCK) // LANES
        phase = (phase * PARTS + lane % PARTS) * PHASE_ROWS
        lane = lane // PARTS
        column = tile * TILE_WIDTH + lane % TILE_WIDTH
        top = tile * TILE_WIDTH // across * TILE_HEIGHT * ROWS
        left = tile * TILE_WIDTH % across * COLUMNS
        i = (column // across * TILE_HEIGHT + lane // TILE_WIDTH) * ROWS
        j = column % across * COLUMNS
        everywhere = lane >= 0
        if WIDE:
            i = tl.cast(i, tl.int64)
            j = tl.cast(j, tl.int64)
            phase = tl.cast(phase, tl.int64)
        w_set = w + (batch * w_strides[0] + group * w_strides[1])
        weights = ()
        for r in tl.static_range(ROWS):
            at = tl.minimum(i + r, height - 1) * w_strides[3] + j * w_strides[4] + phase * w_strides[5]
            for t in tl.static_range(K * K):
                w_tap = w_set + tl.cast(t, tl.int64) * w_strides[2]
                for p in tl.static_range(PHASE_ROWS):
                    for q in tl.static_range(0, COLUMNS * S, TOGETHER):
                        place = at + (p * w_strides[5] + q * w_strides[6])
                        weights = weights + load_phases(w_tap, place, everywhere, TOGETHER, ACC)
        inside = (top * PITCH + START >= 0) & (left * PITCH + START >= 0)
        bottom = top + TILE_HEIGHT * ROWS
        right = left + TILE_WIDTH * COLUMNS
        inside &= ((bottom - 1) * PITCH + START + K <= z_height) & (bottom <= height)
        inside &= ((right - 1) * PITCH + START + K <= z_width) & (right <= width)
        z_set = z + (batch * z_strides[0] + group * channels * z_strides[1])
        z_set += (i * PITCH + START) * z_strides[2] + (j * PITCH + START) * z_strides[3]
        out_set = out + (batch * out_strides[0] + group * channels * out_strides[1])
        out_set += i * out_strides[2] + j * out_strides[3] + phase * out_strides[4]
        begin = tl.maximum(start - number * steps, 0) * LANES
        last = tl.minimum((stop - number * steps) * LANES, channels)
        if inside:
            every_channel(
                z_set, out_set, weights, i, j, everywhere, z_strides, out_strides, height, z_height, z_width,
                channels, begin, last,
                True, S, PHASE_ROWS, K, PITCH, START, BORDER, ROWS, COLUMNS, BLOCK, LANES, TOGETHER, ACC,
            )  # fmt: skip
        else:
            every_channel(
                z_set, out_set, weights, i, j, everywhere, z_strides, out_strides, height, z_height, z_width,
                channels, begin, last,
                False, S, PHASE_ROWS, K, PITCH, START, BORDER, ROWS, COLUMNS, BLOCK, LANES, TOGETHER, ACC,
            )  # fmt: skip

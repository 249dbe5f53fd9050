# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The window kernel in Triton: wᵀz. Up and down differ in pitch, start and phases only.

The window of low-resolution point i starts at PITCH·i + START; every point has S×S phases of w and of the output.
Up: PITCH 1, START −⌊k/2⌋, S = s. Down: PITCH s, START −⌊(k−s)/2⌋, S = 1.

A thread reads the weights of its points once, keeps them in registers, and lets the channels pass by.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_phases, pair_at, program_of, read_at, zeros


@triton.jit
def weigh(
    corner,  # the top left value of the first window, in the channel
    weights,
    i,
    j,
    z_strides,
    z_height,
    z_width,
    INSIDE: tl.constexpr,
    ROWS: tl.constexpr,
    PHASES: tl.constexpr,
    K: tl.constexpr,
    PITCH: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    BLOCK: tl.constexpr,
    ACC: tl.constexpr,
):
    """wᵀz of one channel: ROWS·PHASES sums per lane. A value of z serves every row whose window holds it."""
    sums = zeros(ROWS * PHASES, BLOCK, ACC)
    for m in tl.static_range((ROWS - 1) * PITCH + K):
        y = i * PITCH + START + m
        x = j * PITCH + START
        row = corner + m * tl.cast(z_strides[2], tl.int64)
        if not INSIDE:
            shown, y_inside = read_at(y, z_height, BORDER)
            if BORDER != 0:
                row = corner + (shown - (y - m)) * z_strides[2]
        for kx in tl.static_range(K):
            if INSIDE:
                value = tl.load(row + kx * z_strides[3]).to(ACC)
            else:
                shown, x_inside = read_at(x + kx, z_width, BORDER)
                read = row + kx * z_strides[3]
                if BORDER != 0:
                    read = row + (shown - x) * z_strides[3]
                value = tl.load(read, mask=y_inside & x_inside, other=0).to(ACC)
            new = ()
            for r in tl.static_range(ROWS):
                for f in tl.static_range(PHASES):
                    # the row read is tap row m − r·PITCH of the window of point row i + r
                    if (m >= r * PITCH) & (m - r * PITCH < K):
                        weight = weights[((r * K + m - r * PITCH) * K + kx) * PHASES + f]
                        new = new + (tl.fma(weight, value, sums[r * PHASES + f]),)
                    else:
                        new = new + (sums[r * PHASES + f],)
            sums = new
    return sums


@triton.jit
def store_phases(
    out,
    sums,
    strides,
    kept,
    height,
    i,
    ROWS: tl.constexpr,
    PHASE_ROWS: tl.constexpr,
    S: tl.constexpr,
    PAIR: tl.constexpr,
):
    """Write ROWS rows of PHASE_ROWS·S phases of one channel."""
    for r in tl.static_range(ROWS):
        for p in tl.static_range(PHASE_ROWS):
            for q in tl.static_range(0, S, PAIR):
                place = out + (r * tl.cast(strides[2], tl.int64) + p * tl.cast(strides[4], tl.int64) + q * strides[5])
                value = sums[(r * PHASE_ROWS + p) * S + q]
                mask = kept & (i + r < height)
                if PAIR == 1:
                    tl.store(place, value, mask=mask)
                else:
                    both = tl.join(value, sums[(r * PHASE_ROWS + p) * S + q + 1])
                    tl.store(pair_at(place, 0), both, mask=mask[:, None])


@triton.jit
def every_channel(
    z,
    out,
    weights,
    i,
    j,
    own,
    z_strides,
    out_strides,
    height,
    z_height,
    z_width,
    channels,
    begin,
    last,
    INSIDE: tl.constexpr,
    S: tl.constexpr,
    PHASE_ROWS: tl.constexpr,
    K: tl.constexpr,
    PITCH: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
):
    """The channels begin … last − 1, LANES at a time."""
    PHASES: tl.constexpr = PHASE_ROWS * S
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
            corner,
            weights,
            i,
            j,
            z_strides,
            z_height,
            z_width,
            INSIDE,
            ROWS,
            PHASES,
            K,
            PITCH,
            START,
            BORDER,
            BLOCK,
            ACC,
        )
        store_phases(target, sums, out_strides, kept, height, i, ROWS, PHASE_ROWS, S, PAIR)
        if LANES == 1:
            z += tl.cast(z_strides[1], tl.int64)
            out += tl.cast(out_strides[1], tl.int64)


@triton.jit(
    do_not_specialize=["height", "width", "z_height", "z_width", "channels", "groups", "tiles", "tiles_x", "span"]
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
    tiles_x,
    splits,
    span,
    S: tl.constexpr,
    PHASE_ROWS: tl.constexpr,
    K: tl.constexpr,
    PITCH: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    ROWS: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    LANES: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out = wᵀz for a tile of points, PHASE_ROWS·S phases and `span` channels, LANES channels at a time.

    A lane owns ROWS neighbouring rows of one column.
    """
    BLOCK: tl.constexpr = TILE_WIDTH * TILE_HEIGHT * LANES
    tile, split, phase, group, batch = program_of(tiles, splits, S // PHASE_ROWS, groups)
    phase *= PHASE_ROWS
    lane = tl.arange(0, BLOCK)
    top = (tile // tiles_x) * TILE_HEIGHT * ROWS
    left = (tile % tiles_x) * TILE_WIDTH
    i = top + lane // LANES // TILE_WIDTH * ROWS
    j = left + lane // LANES % TILE_WIDTH
    own = j < width
    j = tl.minimum(j, width - 1)
    if WIDE:
        i = tl.cast(i, tl.int64)
        j = tl.cast(j, tl.int64)
    w += batch * w_strides[0] + group * w_strides[1] + tl.cast(phase, tl.int64) * w_strides[5]
    z += batch * z_strides[0] + group * channels * z_strides[1]
    out += batch * out_strides[0] + group * channels * out_strides[1] + tl.cast(phase, tl.int64) * out_strides[4]
    everywhere = lane >= 0
    weights = ()
    for r in tl.static_range(ROWS):
        at = tl.minimum(i + r, height - 1) * w_strides[3] + j * w_strides[4]
        for t in tl.static_range(K * K):
            for p in tl.static_range(PHASE_ROWS):
                for q in tl.static_range(0, S, PAIR):
                    place = at + (p * w_strides[5] + q * w_strides[6])
                    w_tap = w + tl.cast(t, tl.int64) * w_strides[2]
                    weights = weights + load_phases(w_tap, place, everywhere, PAIR, ACC)
    inside = (top * PITCH + START >= 0) & (left * PITCH + START >= 0)
    inside &= ((top + TILE_HEIGHT * ROWS - 1) * PITCH + START + K <= z_height) & (top + TILE_HEIGHT * ROWS <= height)
    inside &= ((left + TILE_WIDTH - 1) * PITCH + START + K <= z_width) & (left + TILE_WIDTH <= width)
    z += (i * PITCH + START) * z_strides[2] + (j * PITCH + START) * z_strides[3]
    out += i * out_strides[2] + j * out_strides[3]
    begin = split * span
    last = tl.minimum(begin + span, channels)
    if inside:
        every_channel(
            z,
            out,
            weights,
            i,
            j,
            own,
            z_strides,
            out_strides,
            height,
            z_height,
            z_width,
            channels,
            begin,
            last,
            True,
            S,
            PHASE_ROWS,
            K,
            PITCH,
            START,
            BORDER,
            ROWS,
            BLOCK,
            LANES,
            PAIR,
            ACC,
        )
    else:
        every_channel(
            z,
            out,
            weights,
            i,
            j,
            own,
            z_strides,
            out_strides,
            height,
            z_height,
            z_width,
            channels,
            begin,
            last,
            False,
            S,
            PHASE_ROWS,
            K,
            PITCH,
            START,
            BORDER,
            ROWS,
            BLOCK,
            LANES,
            PAIR,
            ACC,
        )

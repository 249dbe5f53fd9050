# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The window kernel in Triton: wᵀz. Up and down differ in pitch, start and phases only.

The window of low-resolution point i starts at PITCH·i + START; every point has S×S phases of w and of the output.
Up: PITCH 1, START −⌊k/2⌋, S = s. Down: PITCH s, START −⌊(k−s)/2⌋, S = 1.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_phases, pair_at, read_at, zeros


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
        "splits",
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
    UNROLL: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out = wᵀz for a tile of pixels, PHASE_ROWS·S phases and `span` channels; UNROLL·LANES channels at a time.

    A lane owns ROWS neighbouring rows of one column, so that a value of z that it loads serves them all; that needs
    PITCH 1.
    """
    BLOCK: tl.constexpr = TILE_WIDTH * TILE_HEIGHT * LANES
    PHASES: tl.constexpr = PHASE_ROWS * S
    tile = tl.program_id(0) % tiles
    rest = tl.program_id(0) // tiles
    split = rest % splits
    rest = rest // splits
    phase = (rest % (S // PHASE_ROWS)) * PHASE_ROWS
    rest = rest // (S // PHASE_ROWS)
    group = tl.cast(rest % groups, tl.int64)
    batch = tl.cast(rest // groups, tl.int64)
    lane = tl.arange(0, BLOCK)
    i = ((tile // tiles_x) * TILE_HEIGHT + lane // LANES // TILE_WIDTH) * ROWS
    j = (tile % tiles_x) * TILE_WIDTH + lane // LANES % TILE_WIDTH
    own = j < width
    j = tl.minimum(j, width - 1)
    if WIDE:
        i = tl.cast(i, tl.int64)
        j = tl.cast(j, tl.int64)
    w += batch * w_strides[0] + group * w_strides[1] + tl.cast(phase, tl.int64) * w_strides[5]
    z += batch * z_strides[0] + group * channels * z_strides[1]
    out += batch * out_strides[0] + group * channels * out_strides[1] + tl.cast(phase, tl.int64) * out_strides[4]
    everywhere = lane >= 0
    last = tl.minimum((split + 1) * span, channels)
    for first in range(split * span, last, UNROLL * LANES):
        sums = zeros(ROWS * PHASES * UNROLL, BLOCK, ACC)
        for kx in range(K):
            x, x_inside = read_at(j * PITCH + START + kx, z_width, BORDER)
            for m in tl.static_range(K + ROWS - 1):
                y, y_inside = read_at(i * PITCH + START + m, z_height, BORDER)
                values = ()
                for n in tl.static_range(UNROLL):
                    channel = first + n * LANES
                    if LANES > 1:
                        channel += lane % LANES
                    read = z + tl.cast(tl.minimum(channel, channels - 1), tl.int64) * z_strides[1]
                    read += y * z_strides[2] + x * z_strides[3]
                    values = values + (tl.load(read, mask=y_inside & x_inside, other=0).to(ACC),)
                new = ()
                for r in tl.static_range(ROWS):
                    # the row read is tap row m − r of the window of pixel row i + r
                    if (m >= r) & (m - r < K):
                        w_tap = w + tl.cast((m - r) * K + kx, tl.int64) * w_strides[2]
                        w_pixel = tl.minimum(i + r, height - 1) * w_strides[3] + j * w_strides[4]
                        for p in tl.static_range(PHASE_ROWS):
                            for q in tl.static_range(0, S, PAIR):
                                at = w_pixel + p * w_strides[5] + q * w_strides[6]
                                weights = load_phases(w_tap, at, everywhere, PAIR, ACC)
                                for v in tl.static_range(PAIR):
                                    for n in tl.static_range(UNROLL):
                                        old = sums[(r * PHASES + p * S + q + v) * UNROLL + n]
                                        new = new + (tl.fma(weights[v], values[n], old),)
                    else:
                        for kept_sum in tl.static_range(PHASES * UNROLL):
                            new = new + (sums[r * PHASES * UNROLL + kept_sum],)
                sums = new
        for n in tl.static_range(UNROLL):
            channel = first + n * LANES
            if LANES > 1:
                channel += lane % LANES
            write = out + tl.cast(channel, tl.int64) * out_strides[1]
            for r in tl.static_range(ROWS):
                kept = own & (i + r < height) & (first + n * LANES + lane % LANES < last)
                for p in tl.static_range(PHASE_ROWS):
                    for q in tl.static_range(0, S, PAIR):
                        at = (i + r) * out_strides[2] + j * out_strides[3] + p * out_strides[4] + q * out_strides[5]
                        value = sums[(r * PHASES + p * S + q) * UNROLL + n]
                        if PAIR == 1:
                            tl.store(write + at, value, mask=kept)
                        else:
                            both = tl.join(value, sums[(r * PHASES + p * S + q + 1) * UNROLL + n])
                            tl.store(pair_at(write, at), both, mask=kept[:, None])

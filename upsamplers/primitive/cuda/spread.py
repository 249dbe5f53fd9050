# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The adjoint of the window in z, in Triton: every point of z gathers w·g from the outputs that read it. No atomics.

A lane owns ROWS neighbouring rows of one column of z, so that a value of g that it loads serves all of them; what is
outside the map under a replicated or reflected border is read once more, as a virtual row or column, for the pixels
that it mirrors.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_phases, program_of, read_at, zeros


@triton.jit
def virtual(own, fold, size, BEFORE: tl.constexpr, BORDER: tl.constexpr):
    """The position that fold stands for, the pixel that it is read from, and the lanes that own this pixel.

    Fold 0 is the pixel itself; 1 … BEFORE lie before the map, the rest behind it.
    """
    outside = tl.where(fold <= BEFORE, -fold, size - 1 + fold - BEFORE)
    mirrored, _ = read_at(outside, size, BORDER)
    return tl.where(fold == 0, own, outside), mirrored, (fold == 0) | (own == mirrored)


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
def window_spread(
    w,
    g,
    out,
    w_strides,  # batch, group, tap, row, column, phase row, phase column
    g_strides,  # batch, channel, row, column, phase row, phase column
    out_strides,  # batch, channel, row, column
    height,  # of w and g, in low-resolution points
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
    K: tl.constexpr,
    PITCH: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    ROWS: tl.constexpr,
    BEFORE: tl.constexpr,
    FOLDS: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    LANES: tl.constexpr,
    UNROLL: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out = Σ w·g for a tile of z and `span` channels. ROWS > 1 needs PITCH 1 and a zero border."""
    BLOCK: tl.constexpr = TILE_WIDTH * TILE_HEIGHT * LANES
    READERS: tl.constexpr = (K + PITCH - 1) // PITCH  # outputs along an axis whose windows cover a pixel
    tile, split, _, group, batch = program_of(tiles, splits, 1, groups)
    lane = tl.arange(0, BLOCK)
    pixel = lane // LANES
    tile_i = (tile // tiles_x) * TILE_HEIGHT * ROWS
    tile_j = (tile % tiles_x) * TILE_WIDTH
    i = tile_i + (pixel // TILE_WIDTH) * ROWS
    j = tile_j + pixel % TILE_WIDTH
    w += batch * w_strides[0] + group * w_strides[1]
    g += batch * g_strides[0] + group * channels * g_strides[1]
    out += batch * out_strides[0] + group * channels * out_strides[1]
    last = tl.minimum((split + 1) * span, channels)
    for first in range(split * span, last, UNROLL * LANES):
        sums = zeros(ROWS * UNROLL, BLOCK, ACC)
        for fold in range(FOLDS * FOLDS):
            row, mirror_row, owns_row = virtual(i, fold // FOLDS, z_height, BEFORE, BORDER)
            column, mirror_column, owns_column = virtual(j, fold % FOLDS, z_width, BEFORE, BORDER)
            needed = (fold // FOLDS == 0) | ((mirror_row >= tile_i) & (mirror_row < tile_i + TILE_HEIGHT))
            hits = (fold % FOLDS == 0) | ((mirror_column >= tile_j) & (mirror_column < tile_j + TILE_WIDTH))
            row = row - START + PITCH  # one pitch ahead, so that division never meets a negative number
            column = column - START + PITCH
            steps = tl.where(needed & hits, S * READERS, 0)
            for step in range(steps):
                p = step // READERS
                kx = column % PITCH + PITCH * (step % READERS)
                x = column // PITCH - 1 - step % READERS
                x_inside = (x >= 0) & (x < width) & (kx < K) & owns_row & owns_column
                for m in tl.static_range(READERS + ROWS - 1):
                    y = row // PITCH - 1 + (ROWS - 1) - m
                    inside = x_inside & (y >= 0) & (y < height)
                    if WIDE:
                        y = tl.cast(y, tl.int64)
                        x = tl.cast(x, tl.int64)
                    for q in tl.static_range(0, S, PAIR):
                        at = y * g_strides[2] + x * g_strides[3] + p * g_strides[4] + q * g_strides[5]
                        values = ()
                        for n in tl.static_range(UNROLL):
                            channel = first + n * LANES
                            if LANES > 1:
                                channel += lane % LANES
                                read = tl.cast(tl.minimum(channel, channels - 1), tl.int64) * g_strides[1]
                                values = values + load_phases(g, read + at, inside, PAIR, ACC)
                            else:
                                read = g + tl.cast(tl.minimum(channel, channels - 1), tl.int64) * g_strides[1]
                                values = values + load_phases(read, at, inside, PAIR, ACC)
                        at = y * w_strides[3] + x * w_strides[4] + p * w_strides[5] + q * w_strides[6]
                        new = ()
                        for r in tl.static_range(ROWS):
                            # the window of y starts m − (ROWS−1) + r rows, in steps of PITCH, above row r
                            if (m + r >= ROWS - 1) & (m + r - (ROWS - 1) < READERS):
                                ky = row % PITCH + PITCH * (m + r - (ROWS - 1))
                                tap = tl.cast(ky * K + kx, tl.int64) * w_strides[2]
                                weights = load_phases(w, tap + at, inside & (ky < K), PAIR, ACC)
                                for n in tl.static_range(UNROLL):
                                    value = sums[r * UNROLL + n]
                                    for v in tl.static_range(PAIR):
                                        value = tl.fma(weights[v], values[n * PAIR + v], value)
                                    new = new + (value,)
                            else:
                                for n in tl.static_range(UNROLL):
                                    new = new + (sums[r * UNROLL + n],)
                        sums = new
        for r in tl.static_range(ROWS):
            own = (i + r < z_height) & (j < z_width)
            at = tl.cast(i + r, tl.int64) * out_strides[2] + j.to(tl.int64) * out_strides[3]
            for n in tl.static_range(UNROLL):
                channel = first + n * LANES
                if LANES > 1:
                    channel += lane % LANES
                write = out + tl.cast(channel, tl.int64) * out_strides[1]
                tl.store(write + at, sums[r * UNROLL + n], mask=own & (first + n * LANES + lane % LANES < last))

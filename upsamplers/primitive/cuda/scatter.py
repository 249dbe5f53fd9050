# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The adjoint of the upsampling window in z, in Triton, with the weights held in registers. No atomics.

A thread belongs to one column of points. It multiplies their gradients by their weights, which gives a sum for every
column of z that its windows reach, and hands these sums on from lane to lane: after K − 1 steps each lane has all that
belongs to one column. A value of g is read by one column of threads only. The first K − 1 lanes of a warp end up
with too little and write nothing.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_phases, program_of, zero_grid
from upsamplers.primitive.cuda.spread import virtual


@triton.jit
def read_weights(
    w,  # of the lane's column of points
    weights,
    fold_y,
    fold_x,
    i,
    y,
    x,
    w_strides,
    points_y,
    points_x,
    z_height,
    z_width,
    S: tl.constexpr,
    K: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    BEFORE: tl.constexpr,
    ROWS: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
):
    """weights + those by which a point reads a pixel of z at this fold: itself, or a position outside that shows it.

    weights[((r·K + n)·K + kx)·S² + phase]: row r of the lane's pixels, the n-th of the K rows of points that reach it.
    """
    new = ()
    for r in tl.static_range(ROWS):
        shown_y, _, owns_y = virtual(i + r, fold_y, z_height, BEFORE, BORDER)
        for n in tl.static_range(K):
            ky = shown_y - START - (y + r + n)
            row_inside = owns_y & (ky >= 0) & (ky < K) & (y + r + n >= 0) & (y + r + n < points_y)
            for k in tl.static_range(K):
                shown_x, _, owns_x = virtual(x + START + k, fold_x, z_width, BEFORE, BORDER)
                kx = shown_x - START - x
                kept = row_inside & owns_x & (kx >= 0) & (kx < K) & (x >= 0) & (x < points_x)
                kept &= (x + START + k >= 0) & (x + START + k < z_width)
                tap = w + (ky * K + kx) * tl.cast(w_strides[2], tl.int64) + (r + n) * w_strides[3]
                for p in tl.static_range(S):
                    for q in tl.static_range(0, S, PAIR):
                        at = tap + (p * w_strides[5] + q * w_strides[6])
                        more = load_phases(at, 0, kept, PAIR, ACC)
                        for v in tl.static_range(PAIR):
                            new = new + (weights[((r * K + n) * K + k) * S * S + p * S + q + v] + more[v],)
    return new


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
def window_scatter(
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
    START: tl.constexpr,
    BORDER: tl.constexpr,
    BEFORE: tl.constexpr,
    FOLDS: tl.constexpr,
    ROWS: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
    PAIR: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out = Σ w·g at TILE_HEIGHT·ROWS rows and TILE_WIDTH − K + 1 columns of z, and `span` channels."""
    tile, split, _, group, batch = program_of(tiles, splits, 1, groups)
    lane = tl.arange(0, TILE_WIDTH)[None, :] + tl.zeros([TILE_HEIGHT, TILE_WIDTH], tl.int32)
    top = (tile // tiles_x) * TILE_HEIGHT * ROWS
    left = (tile % tiles_x) * (TILE_WIDTH - K + 1)
    i = top + tl.arange(0, TILE_HEIGHT)[:, None] * ROWS + tl.zeros([TILE_HEIGHT, TILE_WIDTH], tl.int32)
    j = left - (K - 1) + lane  # the column of z that ends up in the lane
    y = i - START - (K - 1)  # the first row of points that reaches row i of z
    x = j - START
    inside_x = (x >= 0) & (x < width)
    before = tl.maximum(lane - 1, 0)
    if WIDE:
        y = tl.cast(y, tl.int64)
        x = tl.cast(x, tl.int64)
    w += batch * w_strides[0] + group * w_strides[1] + (y * w_strides[3] + x * w_strides[4])
    weights = zero_grid(ROWS * K * K * S * S, TILE_HEIGHT, TILE_WIDTH, ACC)
    if BORDER == 0:
        weights = read_weights(
            w,
            weights,
            0,
            0,
            i,
            y,
            x,
            w_strides,
            height,
            width,
            z_height,
            z_width,
            S,
            K,
            START,
            BORDER,
            BEFORE,
            ROWS,
            PAIR,
            ACC,
        )
    else:
        for fold in range(FOLDS * FOLDS):
            fold_y = fold // FOLDS
            fold_x = fold % FOLDS
            _, row, _ = virtual(top, fold_y, z_height, BEFORE, BORDER)
            _, column, _ = virtual(left, fold_x, z_width, BEFORE, BORDER)
            needed = (fold_y == 0) | ((row >= top) & (row < top + TILE_HEIGHT * ROWS))
            hits = (fold_x == 0) | ((column > left - K) & (column < left + TILE_WIDTH))
            for _ in range(tl.where(needed & hits, 1, 0)):
                weights = read_weights(
                    w,
                    weights,
                    fold_y,
                    fold_x,
                    i,
                    y,
                    x,
                    w_strides,
                    height,
                    width,
                    z_height,
                    z_width,
                    S,
                    K,
                    START,
                    BORDER,
                    BEFORE,
                    ROWS,
                    PAIR,
                    ACC,
                )
    begin = split * span
    last = tl.minimum(begin + span, channels)
    first_channel = group * channels + begin
    g += batch * g_strides[0] + first_channel * g_strides[1] + (y * g_strides[2] + x * g_strides[3])
    i = tl.minimum(i, z_height)
    out += batch * out_strides[0] + first_channel * out_strides[1]
    out += tl.cast(i, tl.int64) * out_strides[2] + tl.cast(j, tl.int64) * out_strides[3]
    own = (lane >= K - 1) & (j < z_width)
    for channel in range(begin, last):
        # out's address made of a number, not counted up: with a second pointer that moves, ptxas spills for sm_80
        to = out + tl.cast(channel - begin, tl.int64) * out_strides[1]
        # sums[r·K + k] goes to column x + START + k of z
        sums = zero_grid(ROWS * K, TILE_HEIGHT, TILE_WIDTH, ACC)
        for m in tl.static_range(K + ROWS - 1):
            kept = inside_x & (y + m >= 0) & (y + m < height)
            for p in tl.static_range(S):
                row = g + (m * tl.cast(g_strides[2], tl.int64) + p * tl.cast(g_strides[4], tl.int64))
                for q in tl.static_range(0, S, PAIR):
                    values = load_phases(row + q * g_strides[5], 0, kept, PAIR, ACC)
                    for v in tl.static_range(PAIR):
                        new = ()
                        for r in tl.static_range(ROWS):
                            for k in tl.static_range(K):
                                value = sums[r * K + k]
                                if (m >= r) & (m - r < K):
                                    weight = weights[((r * K + m - r) * K + k) * S * S + p * S + q + v]
                                    value = tl.fma(weight, values[v], value)
                                new = new + (value,)
                        sums = new
        for r in tl.static_range(ROWS):
            total = sums[r * K + K - 1]
            for k in tl.static_range(1, K):
                total = tl.gather(total, before, 1) + sums[r * K + K - 1 - k]
            tl.store(to + r * tl.cast(out_strides[2], tl.int64), total, mask=own & (i + r < z_height))
        g += tl.cast(g_strides[1], tl.int64)

# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""The adjoint of the upsampling window in z, in Triton, with the weights held in registers. No atomics.

A thread owns COLUMNS neighbouring points of each row that reaches its rows of z, and S // COLUMNS rows of their phases.
It multiplies their gradients by their weights, which gives a sum for every column of z that its windows reach, and
hands these sums on from lane to lane: after HOPS steps a lane has all that belongs to COLUMNS columns, but for what
the lanes with the other phases add. A value of g is read by one lane of a row only. The first HOPS owners of a warp
end up with too little and write nothing.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import load_all, load_phases, program_of, zero_grid
from upsamplers.primitive.cuda.spread import virtual


@triton.jit
def read_weights(
    w,  # of the lane's first column of points
    weights, fold_y, fold_x, i, y, x, w_strides, height, width,
    S: tl.constexpr, K: tl.constexpr, START: tl.constexpr, BORDER: tl.constexpr, BEFORE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TOGETHER: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """weights + those by which a point reads a pixel of z at this fold: itself, or a position outside that shows it.

    weights[((r·K + n)·K + k)·S² + p·COLUMNS·S + f]: row r of the lane's pixels, the n-th of the K rows of points that
    reach it, the k-th column that a point reaches, and of point f // S the p-th row and column f % S of its phases.
    """
    new = ()
    there = (x >= 0) & (x < width)
    for r in tl.static_range(ROWS):
        shown_y, _, owns_y = virtual(i + r, fold_y, height, BEFORE, BORDER)
        for n in tl.static_range(K):
            ky = shown_y - START - (y + r + n)
            row_inside = owns_y & (ky >= 0) & (ky < K) & (y + r + n >= 0) & (y + r + n < height) & there
            for k in tl.static_range(K):
                shown_x, _, owns_x = virtual(x + START + k, fold_x, width, BEFORE, BORDER)
                kx = shown_x - START - x
                kept = row_inside & owns_x & (kx >= 0) & (kx < K)
                tap = w + (ky * K + kx) * tl.cast(w_strides[2], tl.int64) + (r + n) * w_strides[3]
                for p in tl.static_range(S // COLUMNS):
                    for q in tl.static_range(0, COLUMNS * S, TOGETHER):
                        more = load_phases(tap + (p * w_strides[5] + q * w_strides[6]), 0, kept, TOGETHER, ACC)
                        for v in tl.static_range(TOGETHER):
                            value = more[v]
                            if BORDER != 0:
                                value += weights[((r * K + n) * K + k) * S * S + p * S + q + v]
                            new = new + (value,)
    return new


@triton.jit
def every_channel(
    g, out, weights, i, y, there, own, part, g_strides, out_strides, height, begin, last,
    INSIDE: tl.constexpr, S: tl.constexpr, K: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    HOPS: tl.constexpr, TILE_HEIGHT: tl.constexpr, TOGETHER: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The channels begin … last − 1."""
    REACHED: tl.constexpr = (HOPS + 1) * COLUMNS
    lane = tl.arange(0, 32)[None, :] + tl.zeros([TILE_HEIGHT, 32], tl.int32)
    before = tl.maximum(lane - COLUMNS, 0)
    for _ in range(begin, last):
        # sums[r·REACHED + c] goes to the c-th column that the lane's points reach
        sums = zero_grid(ROWS * REACHED, TILE_HEIGHT, 32, ACC)
        for m in tl.static_range(K + ROWS - 1):
            for p in tl.static_range(S // COLUMNS):
                row = g + (m * tl.cast(g_strides[2], tl.int64) + p * tl.cast(g_strides[4], tl.int64))
                for q in tl.static_range(0, COLUMNS * S, TOGETHER):
                    if INSIDE:
                        values = load_all(row + q * g_strides[5], TOGETHER, ACC)
                    else:
                        kept = there & (y + m >= 0) & (y + m < height)
                        values = load_phases(row + q * g_strides[5], 0, kept, TOGETHER, ACC)
                    for v in tl.static_range(TOGETHER):
                        new = ()
                        for r in tl.static_range(ROWS):
                            for c in tl.static_range(REACHED):
                                value = sums[r * REACHED + c]
                                if (m >= r) & (m - r < K) & (c >= (q + v) // S) & (c - (q + v) // S < K):
                                    weight = weights[
                                        ((r * K + m - r) * K + c - (q + v) // S) * S * S + p * COLUMNS * S + q + v
                                    ]
                                    value = tl.fma(weight, values[v], value)
                                new = new + (value,)
                        sums = new
        for r in tl.static_range(ROWS):
            total = ()
            for c in tl.static_range(COLUMNS):
                one = sums[r * REACHED + HOPS * COLUMNS + c]
                for hop in tl.static_range(HOPS - 1, -1, -1):
                    one = tl.gather(one, before, 1) + sums[r * REACHED + hop * COLUMNS + c]
                total = total + (one,)
            column = total[0]
            if COLUMNS == 2:
                column = tl.where(part == 0, total[0], total[1])
                column += tl.gather(tl.where(part == 0, total[1], total[0]), lane ^ 1, 1)
            tl.store(out + r * tl.cast(out_strides[2], tl.int64), column, mask=own & (i + r < height))
        g += tl.cast(g_strides[1], tl.int64)
        out += tl.cast(out_strides[1], tl.int64)


@triton.jit(do_not_specialize=["height", "width", "channels", "groups", "tiles", "splits", "span"])
def window_scatter(
    w,
    g,
    out,
    w_strides,  # batch, group, tap, row, column, phase row, phase column
    g_strides,  # batch, channel, row, column, phase row, phase column
    out_strides,  # batch, channel, row, column
    height,  # of z, and of w and g in low-resolution points
    width,
    channels,
    groups,
    tiles,
    splits,
    span,
    S: tl.constexpr,
    K: tl.constexpr,
    START: tl.constexpr,
    BORDER: tl.constexpr,
    BEFORE: tl.constexpr,
    FOLDS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    TOGETHER: tl.constexpr,
    ACC: tl.constexpr,
    WIDE: tl.constexpr,
):
    """out = Σ w·g at TILE_HEIGHT·ROWS rows and OWNED·COLUMNS columns of z, and `span` channels.

    Tiles go on in the next rows where a row ends. COLUMNS neighbouring lanes share the phases of their points.
    """
    HOPS: tl.constexpr = (K - 1) // COLUMNS
    OWNED: tl.constexpr = 32 // COLUMNS - HOPS
    BAND: tl.constexpr = TILE_HEIGHT * ROWS
    tile, split, _, group, batch = program_of(tiles, splits, 1, groups)
    lane = tl.arange(0, 32)[None, :] + tl.zeros([TILE_HEIGHT, 32], tl.int32)
    row = tl.arange(0, TILE_HEIGHT)[:, None] * ROWS + tl.zeros([TILE_HEIGHT, 32], tl.int32)
    part = lane % COLUMNS
    # the columns of all bands of rows stand in one row, with a gap behind each band for what its windows reach outside
    across = width + (COLUMNS - 1 - START) // COLUMNS * COLUMNS
    first = (tile * OWNED - HOPS) * COLUMNS
    x = first + lane // COLUMNS * COLUMNS
    j = x + START + part  # the column of z that ends up in the lane
    to = tl.maximum(j, 0) // across * BAND + row
    own = (lane >= HOPS * COLUMNS) & (j >= 0)
    j = tl.maximum(j, 0) % across
    own &= j < width
    band = tl.maximum(x, 0) // across
    x -= band * across
    i = band * BAND + row
    y = i - START - (K - 1)  # the first row of points that reaches row i of z
    top = tl.maximum(first, 0) // across
    bottom = (first + 31) // across + 1
    left = first - top * across
    if WIDE:
        y = tl.cast(y, tl.int64)
        x = tl.cast(x, tl.int64)
    w += batch * w_strides[0] + group * w_strides[1]
    w += y * w_strides[3] + x * w_strides[4] + part * tl.cast(w_strides[5], tl.int64)
    if BORDER == 0:
        weights = read_weights(
            w, (), 0, 0, i, y, x, w_strides, height, width,
            S, K, START, BORDER, BEFORE, ROWS, COLUMNS, TOGETHER, ACC,
        )  # fmt: skip
    else:
        weights = zero_grid(ROWS * K * K * S * S, TILE_HEIGHT, 32, ACC)
        for fold in range(FOLDS * FOLDS):
            fold_y = fold // FOLDS
            fold_x = fold % FOLDS
            _, shown_y, _ = virtual(0, fold_y, height, BEFORE, BORDER)
            _, shown_x, _ = virtual(0, fold_x, width, BEFORE, BORDER)
            needed = (fold_y == 0) | ((shown_y >= top * BAND) & (shown_y < bottom * BAND))
            hits = (fold_x == 0) | (bottom > top + 1) | ((shown_x > left - K) & (shown_x < left + 32 + K))
            for _ in range(tl.where(needed & hits, 1, 0)):
                weights = read_weights(
                    w, weights, fold_y, fold_x, i, y, x, w_strides, height, width,
                    S, K, START, BORDER, BEFORE, ROWS, COLUMNS, TOGETHER, ACC,
                )  # fmt: skip
    begin = split * span
    last = tl.minimum(begin + span, channels)
    first_channel = group * channels + begin
    g += batch * g_strides[0] + first_channel * g_strides[1]
    g += y * g_strides[2] + x * g_strides[3] + part * tl.cast(g_strides[4], tl.int64)
    out += batch * out_strides[0] + first_channel * out_strides[1]
    out += tl.cast(to, tl.int64) * out_strides[2] + tl.cast(j, tl.int64) * out_strides[3]
    inside = (first >= 0) & (bottom == top + 1) & (left + 32 <= width)
    inside &= (top * BAND - START - (K - 1) >= 0) & (bottom * BAND - START <= height)
    if inside:
        every_channel(
            g, out, weights, to, y, (x >= 0) & (x < width), own, part, g_strides, out_strides, height, begin, last,
            True, S, K, ROWS, COLUMNS, HOPS, TILE_HEIGHT, TOGETHER, ACC,
        )  # fmt: skip
    else:
        every_channel(
            g, out, weights, to, y, (x >= 0) & (x < width), own, part, g_strides, out_strides, height, begin, last,
            False, S, K, ROWS, COLUMNS, HOPS, TILE_HEIGHT, TOGETHER, ACC,
        )  # fmt: skip

# ruff: noqa: RUF005 - a kernel can join tuples but not unpack them
# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""A2U's affinity in Triton: moments of the projections, GroupNorm as one line for each, and the sum over channels.

A lane is a point, and reads each window of a map once for all that project it; projections live in registers alone
and are made anew where they are needed again. The numbers of a projection are p = r for U and d + r for V. U reads x at
stride S; V reads x too where Y_SIDE is 0, else y at stride 1, by kernels of that side.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import zeros


@triton.jit
def projected(
    x, kernels, x_strides, strides, i, j, high, wide, own,
    FACTORS: tl.constexpr, RANKS: tl.constexpr, SIDE: tl.constexpr, S: tl.constexpr, LANES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """One channel of one map at each lane's point, by the d kernels of each factor that reads it."""
    PAD: tl.constexpr = (SIDE - 1) // 2
    sums = zeros(FACTORS * RANKS, LANES, ACC)
    for ky in range(SIDE):
        row = i * S + ky - PAD
        there = own & (row >= 0) & (row < high)
        line = x + row.to(tl.int64) * x_strides[2]
        for kx in tl.static_range(SIDE):
            column = j * S + kx - PAD
            inside = there & (column >= 0) & (column < wide)
            value = tl.load(line + column.to(tl.int64) * x_strides[3], mask=inside, other=0).to(ACC)
            new = ()
            for f in tl.static_range(FACTORS):
                for r in tl.static_range(RANKS):
                    at = kernels[f] + r * strides[f][2] + ky * strides[f][3] + kx * strides[f][4]
                    new = new + (sums[f * RANKS + r] + value * tl.load(at).to(ACC),)
            sums = new
    return sums


@triton.jit
def projections(
    x, y, u, v, x_strides, y_strides, u_strides, v_strides, i, j, height, width, high, wide, own,
    RANKS: tl.constexpr, SIDE: tl.constexpr, Y_SIDE: tl.constexpr, S: tl.constexpr, LANES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """The 2d projections of one channel at each lane's point; x, y, u, v point at the channel's planes and kernels."""
    if Y_SIDE == 0:
        sums = projected(
            x, (u, v), x_strides, (u_strides, v_strides), i, j, high, wide, own, 2, RANKS, SIDE, S, LANES, ACC
        )
    else:
        of_v = projected(y, (v,), y_strides, (v_strides,), i, j, height, width, own, 1, RANKS, Y_SIDE, 1, LANES, ACC)
        of_u = projected(x, (u,), x_strides, (u_strides,), i, j, high, wide, own, 1, RANKS, SIDE, S, LANES, ACC)
        sums = of_u + of_v
    return sums


@triton.jit(do_not_specialize=["channels", "per_set", "height", "width", "high", "wide"])
def projection_moments(
    x, y, u, v, out, x_strides, y_strides, u_strides, v_strides, channels, per_set, height, width, high, wide,
    RANKS: tl.constexpr, SIDE: tl.constexpr, Y_SIDE: tl.constexpr, S: tl.constexpr, LANES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """out [B, 2d, C, 2]: mean and sum of squared deviations of each projection of one channel."""
    batch = tl.cast(tl.program_id(0) // channels, tl.int64)
    channel = tl.cast(tl.program_id(0) % channels, tl.int64)
    x += batch * x_strides[0] + channel * x_strides[1]
    y += batch * y_strides[0] + channel * y_strides[1]
    u += batch * u_strides[0] + (channel // per_set) * u_strides[1]
    v += batch * v_strides[0] + (channel // per_set) * v_strides[1]
    points = height * width
    means = ()
    spreads = ()
    for _ in tl.static_range(2 * RANKS):
        means = means + (tl.sum(tl.zeros([LANES], ACC)),)
        spreads = spreads + (tl.sum(tl.zeros([LANES], ACC)),)
    for first in range(0, points, LANES):
        point = first + tl.arange(0, LANES)
        own = point < points
        values = projections(
            x, y, u, v, x_strides, y_strides, u_strides, v_strides, point // width, point % width, height, width, high,
            wide, own, RANKS, SIDE, Y_SIDE, S, LANES, ACC,
        )  # fmt: skip
        count = tl.minimum(points - first, LANES).to(ACC)
        share = count / (first + count)
        new_means = ()
        new_spreads = ()
        for p in tl.static_range(2 * RANKS):
            mean = tl.sum(tl.where(own, values[p], 0.0)) / count
            apart = tl.where(own, values[p] - mean, 0.0)
            between = mean - means[p]
            new_means = new_means + (means[p] + between * share,)
            new_spreads = new_spreads + (spreads[p] + tl.sum(apart * apart) + between * between * first * share,)
        means = new_means
        spreads = new_spreads
    for p in tl.static_range(2 * RANKS):
        to = out + ((batch * 2 * RANKS + p) * channels + channel) * 2
        tl.store(to, means[p])
        tl.store(to + 1, spreads[p])


@triton.jit(do_not_specialize=["channels", "groups", "points"])
def norm_lines(
    moments, u_gain, u_bias, v_gain, v_bias, lines, channels, groups, points,
    EPS: tl.constexpr, RANKS: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """lines [B, 2d, C, 2]: slope and start of GroupNorm with its affine. A program has one group of one projection."""
    per = channels // groups
    group = tl.program_id(0) % groups
    rest = tl.program_id(0) // groups
    first = tl.cast(rest, tl.int64) * channels + group * per
    total = tl.cast(0.0, ACC)
    for c in range(per):
        total += tl.load(moments + (first + c) * 2)
    mean = total / per
    spread = tl.cast(0.0, ACC)
    for c in range(per):
        apart = tl.load(moments + (first + c) * 2) - mean
        spread += tl.load(moments + (first + c) * 2 + 1) + apart * apart * points
    scale = 1 / tl.sqrt(spread / (per * points) + tl.full([], EPS, ACC))  # a float argument would be rounded to float32
    of_u = rest % (2 * RANKS) < RANKS
    for c in range(per):
        channel = group * per + c
        gain = tl.where(of_u, tl.load(u_gain + channel).to(ACC), tl.load(v_gain + channel).to(ACC))
        bias = tl.where(of_u, tl.load(u_bias + channel).to(ACC), tl.load(v_bias + channel).to(ACC))
        tl.store(lines + (first + c) * 2, gain * scale)
        tl.store(lines + (first + c) * 2 + 1, bias - gain * scale * mean)


@triton.jit(do_not_specialize=["channels", "per_set", "height", "width", "high", "wide", "tiles", "span", "batches"])
def affine_products(
    x, y, u, v, lines, out, x_strides, y_strides, u_strides, v_strides, channels, per_set, height, width, high, wide,
    tiles, span, batches,
    RANKS: tl.constexpr, SIDE: tl.constexpr, Y_SIDE: tl.constexpr, S: tl.constexpr, LANES: tl.constexpr,
    ACC: tl.constexpr,
):  # fmt: skip
    """out [splits, B, d, H, W]: Σ over a span of channels of LeakyReLU of both lines, multiplied, over √C."""
    tile = tl.program_id(0) % tiles
    rest = tl.program_id(0) // tiles
    batch = tl.cast(rest % batches, tl.int64)
    split = rest // batches
    point = tile * LANES + tl.arange(0, LANES)
    points = height * width
    own = point < points
    x += batch * x_strides[0]
    y += batch * y_strides[0]
    sums = zeros(RANKS, LANES, ACC)
    for channel in range(split * span, tl.minimum((split + 1) * span, channels)):
        kernel = tl.cast(channel // per_set, tl.int64)
        values = projections(
            x + tl.cast(channel, tl.int64) * x_strides[1],
            y + tl.cast(channel, tl.int64) * y_strides[1],
            u + batch * u_strides[0] + kernel * u_strides[1],
            v + batch * v_strides[0] + kernel * v_strides[1],
            x_strides, y_strides, u_strides, v_strides, point // width, point % width, height, width, high, wide, own,
            RANKS, SIDE, Y_SIDE, S, LANES, ACC,
        )  # fmt: skip
        new = ()
        for r in tl.static_range(RANKS):
            at = lines + ((batch * 2 * RANKS + r) * channels + channel) * 2
            one = values[r] * tl.load(at) + tl.load(at + 1)
            at += RANKS * channels * 2
            two = values[RANKS + r] * tl.load(at) + tl.load(at + 1)
            one = tl.where(one > 0, one, one * 0.01)
            two = tl.where(two > 0, two, two * 0.01)
            new = new + (sums[r] + one * two,)
        sums = new
    out += (tl.cast(split, tl.int64) * batches + batch) * RANKS * points
    for r in tl.static_range(RANKS):
        tl.store(out + r * points + point, sums[r] / tl.sqrt(tl.cast(channels, ACC)), mask=own)

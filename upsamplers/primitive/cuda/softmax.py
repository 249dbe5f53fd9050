# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""Kernels from logits in Triton: a lane is one output point of one group, and walks its taps twice.

The logit of tap k at output (i, j) is in channel n·p² + (i mod p)·p + j mod p of pixel (⌊i/p⌋, ⌊j/p⌋), n = g·K + k, or
k·G + g where taps come first; a pixel of the map of lower resolution is added to r×r of them.
"""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import program_of


@triton.jit
def logit(
    logits, low, tap, group, groups, taps, at, low_at, strides, low_strides, factor, own,
    P: tl.constexpr, LOW: tl.constexpr, TAPS_FIRST: tl.constexpr, SIGMOID: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """One tap's value before softmax."""
    row = tap * groups + group if TAPS_FIRST else group * taps + tap
    value = tl.load(logits + at + tl.cast(row * P * P, tl.int64) * strides[1], mask=own, other=0).to(ACC)
    if LOW:
        value += tl.load(low + low_at + tl.cast(row, tl.int64) * low_strides[1], mask=own, other=0).to(ACC)
    value *= factor
    if SIGMOID:
        value = 1 / (1 + tl.exp(-value))
    return value


@triton.jit
def place_of(
    strides, low_strides, repeat, high, wide, groups, tiles, P: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """Group, batch, row, column and mask of each lane, and where its logits begin in both maps."""
    tile, _, _, group, batch = program_of(tiles, 1, 1, groups)
    pixel = tl.cast(tile, tl.int64) * PIXELS + tl.arange(0, PIXELS)
    own = pixel < tl.cast(high, tl.int64) * wide
    i, j = pixel // wide, pixel % wide
    phase = (i % P) * P + j % P
    at = batch * strides[0] + phase * strides[1] + (i // P) * strides[2] + (j // P) * strides[3]
    low_at = batch * low_strides[0] + (i // repeat) * low_strides[2] + (j // repeat) * low_strides[3]
    return group, batch, i, j, own, at, low_at


@triton.jit(do_not_specialize=["repeat", "high", "wide", "groups", "taps", "tiles", "factor"])
def kernels_of_logits(
    logits, low, out, strides, low_strides, out_strides, repeat, high, wide, groups, taps, tiles, factor,
    P: tl.constexpr, LOW: tl.constexpr, TAPS_FIRST: tl.constexpr, SIGMOID: tl.constexpr, SOFTMAX: tl.constexpr,
    PIXELS: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """w of every tap."""
    group, batch, i, j, own, at, low_at = place_of(strides, low_strides, repeat, high, wide, groups, tiles, P, PIXELS)
    factor = tl.cast(factor, ACC)
    most = tl.full([PIXELS], float("-inf"), ACC)
    total = tl.zeros([PIXELS], ACC)
    if SOFTMAX:
        for tap in range(taps):
            value = logit(
                logits, low, tap, group, groups, taps, at, low_at, strides, low_strides, factor, own,
                P, LOW, TAPS_FIRST, SIGMOID, ACC,
            )  # fmt: skip
            larger = tl.maximum(most, value)
            total = total * tl.exp(most - larger) + tl.exp(value - larger)
            most = larger
    out += batch * out_strides[0] + tl.cast(group, tl.int64) * out_strides[1] + i * out_strides[3] + j * out_strides[4]
    for tap in range(taps):
        value = logit(
            logits, low, tap, group, groups, taps, at, low_at, strides, low_strides, factor, own,
            P, LOW, TAPS_FIRST, SIGMOID, ACC,
        )  # fmt: skip
        if SOFTMAX:
            value = tl.exp(value - most) / total
        tl.store(out + tl.cast(tap, tl.int64) * out_strides[2], value, mask=own)


@triton.jit(do_not_specialize=["repeat", "high", "wide", "groups", "taps", "tiles", "factor"])
def gradient_of_logits(
    g, logits, low, out, g_strides, strides, low_strides, out_strides, repeat, high, wide, groups, taps, tiles, factor,
    P: tl.constexpr, LOW: tl.constexpr, TAPS_FIRST: tl.constexpr, SIGMOID: tl.constexpr, SOFTMAX: tl.constexpr,
    PIXELS: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The gradient in the logits, laid out like them: w·(g − Σ w·g), through the sigmoid and the factor."""
    group, batch, i, j, own, at, low_at = place_of(strides, low_strides, repeat, high, wide, groups, tiles, P, PIXELS)
    factor = tl.cast(factor, ACC)
    g += batch * g_strides[0] + tl.cast(group, tl.int64) * g_strides[1] + i * g_strides[3] + j * g_strides[4]
    most = tl.full([PIXELS], float("-inf"), ACC)
    total = tl.zeros([PIXELS], ACC)
    dot = tl.zeros([PIXELS], ACC)
    if SOFTMAX:
        for tap in range(taps):
            value = logit(
                logits, low, tap, group, groups, taps, at, low_at, strides, low_strides, factor, own,
                P, LOW, TAPS_FIRST, SIGMOID, ACC,
            )  # fmt: skip
            of_w = tl.load(g + tl.cast(tap, tl.int64) * g_strides[2], mask=own, other=0).to(ACC)
            larger = tl.maximum(most, value)
            shrunk = tl.exp(most - larger)
            added = tl.exp(value - larger)
            total = total * shrunk + added
            dot = dot * shrunk + added * of_w
            most = larger
        dot = dot / total
    phase = (i % P) * P + j % P
    out += batch * out_strides[0] + phase * out_strides[1] + (i // P) * out_strides[2] + (j // P) * out_strides[3]
    for tap in range(taps):
        value = logit(
            logits, low, tap, group, groups, taps, at, low_at, strides, low_strides, factor, own,
            P, LOW, TAPS_FIRST, SIGMOID, ACC,
        )  # fmt: skip
        of_value = tl.load(g + tl.cast(tap, tl.int64) * g_strides[2], mask=own, other=0).to(ACC)
        if SOFTMAX:
            of_value = tl.exp(value - most) / total * (of_value - dot)
        if SIGMOID:
            of_value *= value * (1 - value)
        row = tap * groups + group if TAPS_FIRST else group * taps + tap
        tl.store(out + tl.cast(row * P * P, tl.int64) * out_strides[1], of_value * factor, mask=own)

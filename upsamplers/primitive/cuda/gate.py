# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""gate·guide + (1 − gate)·up in Triton, with a gate for s×s points, and its gradients: a lane is one pixel."""

from __future__ import annotations

import triton
import triton.language as tl

from upsamplers.primitive.cuda.reads import program_of


@triton.jit(do_not_specialize=["channels", "high", "wide", "tiles", "splits", "span"])
def blend(
    up, guide, logits, out, up_strides, guide_strides, gate_strides, out_strides, channels, high, wide, tiles, splits,
    span, S: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """One tile of pixels, a span of channels."""
    tile, split, _, _, batch = program_of(tiles, splits, 1, 1)
    pixel = tl.cast(tile, tl.int64) * LANES + tl.arange(0, LANES)
    own = pixel < tl.cast(high, tl.int64) * wide
    i, j = pixel // wide, pixel % wide
    at = batch * gate_strides[0] + (i // S) * gate_strides[2] + (j // S) * gate_strides[3]
    gate = 1 / (1 + tl.exp(-tl.load(logits + at, mask=own, other=0).to(ACC)))
    up += batch * up_strides[0] + i * up_strides[2] + j * up_strides[3]
    guide += batch * guide_strides[0] + i * guide_strides[2] + j * guide_strides[3]
    out += batch * out_strides[0] + i * out_strides[2] + j * out_strides[3]
    for channel in range(split * span, tl.minimum((split + 1) * span, channels)):
        c = tl.cast(channel, tl.int64)
        one = tl.load(guide + c * guide_strides[1], mask=own, other=0).to(ACC)
        two = tl.load(up + c * up_strides[1], mask=own, other=0).to(ACC)
        tl.store(out + c * out_strides[1], gate * one + (1 - gate) * two, mask=own)


@triton.jit(do_not_specialize=["channels", "height", "width", "tiles"])
def blend_gradients(
    g, up, guide, logits, of_up, of_guide, of_logits, g_strides, up_strides, guide_strides, gate_strides, out_strides,
    channels, height, width, tiles, S: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """A lane is one pixel of the gate: its s×s points in every channel."""
    tile, _, _, _, batch = program_of(tiles, 1, 1, 1)
    pixel = tl.cast(tile, tl.int64) * LANES + tl.arange(0, LANES)
    own = pixel < tl.cast(height, tl.int64) * width
    y, x = pixel // width, pixel % width
    at = batch * gate_strides[0] + y * gate_strides[2] + x * gate_strides[3]
    gate = 1 / (1 + tl.exp(-tl.load(logits + at, mask=own, other=0).to(ACC)))
    total = tl.zeros([LANES], ACC)
    for channel in range(channels):
        c = tl.cast(channel, tl.int64)
        for phase in tl.static_range(S * S):
            i, j = y * S + phase // S, x * S + phase % S
            value = tl.load(
                g + batch * g_strides[0] + c * g_strides[1] + i * g_strides[2] + j * g_strides[3], mask=own, other=0
            ).to(ACC)
            one = tl.load(
                guide + batch * guide_strides[0] + c * guide_strides[1] + i * guide_strides[2] + j * guide_strides[3],
                mask=own, other=0,
            ).to(ACC)  # fmt: skip
            two = tl.load(
                up + batch * up_strides[0] + c * up_strides[1] + i * up_strides[2] + j * up_strides[3],
                mask=own, other=0,
            ).to(ACC)  # fmt: skip
            to = batch * out_strides[0] + c * out_strides[1] + i * out_strides[2] + j * out_strides[3]
            tl.store(of_up + to, (1 - gate) * value, mask=own)
            tl.store(of_guide + to, gate * value, mask=own)
            total += value * (one - two)
    tl.store(of_logits + batch * height * width + pixel, total * gate * (1 - gate), mask=own)

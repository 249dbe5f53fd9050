# A kernel's values have the types of Triton's language, which Python's checker does not know.
# mypy: ignore-errors
"""One tap and one channel a group, in Triton: out = a ⊙ z repeated s times. Both wᵀz and its adjoint in w are this.

A program keeps its pixels while it walks `span` channels. A thread reads and writes VECTOR neighbouring columns.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["height", "width", "channels", "tiles", "span"])
def window_scale(
    a,  # w or g
    z,
    out,
    a_strides,  # batch, channel, row, column
    z_strides,  # batch, channel, row, column
    out_strides,  # batch, channel, row, column
    height,  # of out
    width,
    channels,
    tiles,
    span,
    S: tl.constexpr,
    LANES: tl.constexpr,
    VECTOR: tl.constexpr,
    UNROLL: tl.constexpr,
    ACC: tl.constexpr,
):
    """out = a ⊙ z at LANES·VECTOR pixels and `span` channels of one map; UNROLL divides the channels and `span`."""
    tile = tl.program_id(0) % tiles
    rest = tl.program_id(0) // tiles
    spans = tl.cdiv(channels, span)
    begin = (rest % spans) * span
    batch = tl.cast(rest // spans, tl.int64)
    across = width // VECTOR
    run = tl.cast(tile, tl.int64) * LANES + tl.arange(0, LANES)[:, None]
    y = run // across
    x = run % across * VECTOR + tl.arange(0, VECTOR)[None, :]
    kept = y < height
    a += batch * a_strides[0] + tl.cast(begin, tl.int64) * a_strides[1]
    z += batch * z_strides[0] + tl.cast(begin, tl.int64) * z_strides[1]
    out += batch * out_strides[0] + tl.cast(begin, tl.int64) * out_strides[1]
    BYTES: tl.constexpr = VECTOR * a.dtype.element_ty.primitive_bitwidth // 8
    OUT_BYTES: tl.constexpr = VECTOR * out.dtype.element_ty.primitive_bitwidth // 8
    a_read = tl.multiple_of(tl.max_contiguous(a + (y * a_strides[2] + x * a_strides[3]), [1, VECTOR]), [1, BYTES])
    write = out + (y * out_strides[2] + x * out_strides[3])
    write = tl.multiple_of(tl.max_contiguous(write, [1, VECTOR]), [1, OUT_BYTES])
    z_read = z + (y // S * z_strides[2] + x // S * z_strides[3])
    kept = tl.broadcast_to(kept, [LANES, VECTOR])
    for _ in range(begin, tl.minimum(begin + span, channels), UNROLL):
        for n in tl.static_range(UNROLL):
            factor = tl.load(a_read + n * tl.cast(a_strides[1], tl.int64), mask=kept, other=0).to(ACC)
            value = tl.load(z_read + n * tl.cast(z_strides[1], tl.int64), mask=kept, other=0).to(ACC)
            tl.store(write + n * tl.cast(out_strides[1], tl.int64), factor * value, mask=kept)
        a_read += UNROLL * tl.cast(a_strides[1], tl.int64)
        z_read += UNROLL * tl.cast(z_strides[1], tl.int64)
        write += UNROLL * tl.cast(out_strides[1], tl.int64)

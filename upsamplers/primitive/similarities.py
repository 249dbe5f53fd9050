"""Similarities of a map with keys that are read between pixels: ⟨q_i, k(point) + bias⟩ for each of P points an output.

The key at a point is Σ_corner m·k[corner], so that the similarity is Σ_corner m·⟨q, k[corner]⟩: inner products at the
corners, then their mixture, and no key is ever read for all points at once. It is linear in each of q, m, k and the
bias, and its derivatives are the primitives at the same points.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from upsamplers.primitive import library, written_out
from upsamplers.primitive.backends import choose, is_written_out
from upsamplers.primitive.eager import result_dtype
from upsamplers.primitive.macs import MACS
from upsamplers.primitive.route import is_direct
from upsamplers.tracing import is_jit, sizes


def _similarities(
    q: Tensor, m: Tensor, k: Tensor, bias: Tensor | None, points: Tensor, scale: int, border: str, backend: str
) -> Tensor:
    """[B, G, P, sH, sW]."""
    at_corners = library.planned("correlate", q, k, points, _shape(q, points), scale, 2, border, backend)
    return _mixed(at_corners, m, q, bias)


def _shape(q: Tensor, points: Tensor) -> tuple[int, ...]:
    """Of ⟨q, k[corner]⟩, [B, G, 4P, sH, sW]."""
    return (q.shape[0], points.shape[1], 4 * points.shape[2], *q.shape[2:])


def _mixed(at_corners: Tensor, m: Tensor, q: Tensor, bias: Tensor | None) -> Tensor:
    found = (at_corners.unflatten(2, (-1, 4)) * m).sum(3)
    if bias is None:
        return found
    return found + _summed("bgchw,gpc->bgphw", q.unflatten(1, (bias.shape[0], -1)), bias).to(found.dtype)


def _summed(equation: str, x: Tensor, y: Tensor) -> Tensor:
    """torch.einsum in float32 at least: maps may be of half types, a table of biases is not."""
    kind = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    with torch.autocast("cuda" if x.is_cuda else "cpu", enabled=False):
        return torch.einsum(equation, x.to(kind), y.to(kind))


similarities = torch.library.custom_op(
    "upsamplers::similarities",
    mutates_args=(),
    schema="(Tensor q, Tensor m, Tensor k, Tensor? bias, Tensor points, int scale, str border, str backend) -> Tensor",
)(_similarities)


@similarities.register_fake
def _(q, m, k, bias, points, scale, border, backend):  # type: ignore[no-untyped-def]
    dtype = torch.promote_types(result_dtype(q, k), m.dtype)
    return q.new_empty((q.shape[0], *points.shape[1:3], *q.shape[2:]), dtype=dtype)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:5])
    ctx.plain = inputs[5:]


def _backward(ctx: Any, over: Tensor) -> tuple[Any, ...]:
    q, m, k, bias, points = ctx.saved_tensors
    scale, *places = ctx.plain
    needs, options = ctx.needs_input_grad, (scale, 2, *places)
    w = (over.unsqueeze(3) * m).flatten(2, 3)  # [B, G, 4P, sH, sW]
    by_q = library.reassemble(w, k, points, *options) if needs[0] else None
    by_m = None
    if needs[1]:
        at_corners = library.correlate(q, k, points, _shape(q, points), *options)
        by_m = over.unsqueeze(3) * at_corners.unflatten(2, (-1, 4))
    by_k = library.spread(w, q, points, k.shape, *options) if needs[2] else None
    by_bias = None
    if bias is not None:
        grouped = q.unflatten(1, (bias.shape[0], -1))
        if by_q is not None:
            by_q = by_q + _summed("bgphw,gpc->bgchw", over, bias).flatten(1, 2)
        if needs[3]:
            by_bias = _summed("bgchw,bgphw->gpc", grouped, over)
    found = zip((by_q, by_m, by_k, by_bias), (q, m, k, bias), strict=True)
    return (*(None if by is None else by.to(one.dtype) for by, one in found), None, None, None, None)


similarities.register_autograd(_backward, setup_context=_keep)


@register_flop_formula(torch.ops.upsamplers.similarities)
def _flops(q_shape: Any, m_shape: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return 2 * MACS["similarities"]((q_shape, m_shape), out_shape)


def sampled_similarities(
    q: Tensor,
    k: Tensor,
    points: Tensor,
    corners: Tensor,
    *,
    scale: int,
    bias: Tensor | None = None,
    border: str = "zero",
) -> Tensor:
    """The inner products of q with the keys at its P points, over each group's channels: [B, G, P, sH, sW].

    Args:
        q: [B, C, sH, sW].
        k: keys [B, C, H, W].
        points: [B, G, P, 2, sH, sW], x before y, in pixels of k. Data: derivatives flow through `corners`.
        corners: bilinear weights of each point's four corners, [B, G, P, 4, sH, sW].
        scale: s >= 1.
        bias: added to the key at every point, [G, P, C/G], inside the map and out.
        border: what lies outside k.
    """
    if not is_jit() and not is_written_out(None):
        run = _similarities if is_direct(q, corners, k, bias, points) else similarities
        return run(q, corners, k, bias, points, scale, border, choose(k, None))
    return _mixed(written_out.correlate(q, k, sizes(points)[1], scale, 2, border, points), corners, q, bias)

"""wᵀz for kernels that two filters make: one a point, a, and one a channel, c; w = a·c or a + c is never whole.

⟨g, wᵀz⟩ is linear in each of a, c, z and g (for a + c in each of a and c with the other at zero). So its derivative by
one of them, which is what the operator `upsamplers::products` gives for the one that is missing, is differentiated by
the same operator, to any order. It makes w for a few channels at a time and leaves the rest to the window's primitives.
a [B, h, k², sH, sW], c [B, C, k², s, s], z [B, C, H, W], g [B, C, sH, sW]; the border is zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

from upsamplers.primitive.backends import choose, is_written_out
from upsamplers.primitive.dilated import gathered, scattered
from upsamplers.primitive.eager import accumulator, layout, phases, result_dtype
from upsamplers.primitive.library import planned
from upsamplers.primitive.macs import MACS
from upsamplers.primitive.route import is_direct
from upsamplers.tracing import is_jit, sizes

BLOCK = 1 << 21
"""Bytes of w that are made at once: what stays in a cache until it is read."""

Parts = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]


def _products(
    a: Tensor | None,
    c: Tensor | None,
    z: Tensor | None,
    g: Tensor | None,
    added: bool,
    heads: int,
    scale: int,
    kernel_size: int,
    backend: str,
) -> Tensor:
    """The derivative of ⟨g, wᵀz⟩ by the one of the four that is None."""
    given = (a, c, z, g)
    out = _blank(given, heads, scale, kernel_size)
    dtype, out = out.dtype, out.to(accumulator(out.dtype)).zero_()
    plain = (scale, kernel_size, "zero", backend)
    rows = None if c is None else _rows(c, given, scale)  # [B, C, K, 1, s, sW]
    for head, channels in _blocks(given, heads, kernel_size):
        at_point = None if a is None else a[:, head : head + 1].unflatten(-2, (-1, scale))  # [B, 1, K, H, s, sW]
        of_channel = None if rows is None else rows[:, channels]
        if z is not None and g is not None:
            part = g[:, channels]
            shape = (*part.shape[:2], kernel_size**2, *part.shape[2:])
            met = planned("correlate", part, z[:, channels], None, shape, *plain).unflatten(-2, (-1, scale))
            if at_point is None:
                assert of_channel is not None
                out[:, head].unflatten(-2, (-1, scale)).add_((met if added else met * of_channel).sum(1))
            else:
                out[:, channels] = (met if added else met * at_point).unflatten(-1, (-1, scale)).sum((3, 5))
            continue
        assert at_point is not None and of_channel is not None
        w = (at_point + of_channel if added else at_point * of_channel).flatten(-3, -2)  # [B, n, K, sH, sW]
        if z is not None:
            out[:, channels] = planned("reassemble", w, z[:, channels], None, (), *plain)
        elif g is not None:
            shape = (*w.shape[:2], g.shape[2] // scale, g.shape[3] // scale)
            out[:, channels] = planned("spread", w, g[:, channels], None, shape, *plain)
    return out.to(dtype)


def _rows(c: Tensor, given: Parts, scale: int) -> Tensor:
    """A channel's filter [B, C, K, s, s] as whole rows of the output, since a loop over the s phases alone is slow."""
    high = given[0] if given[0] is not None else given[3]
    assert high is not None
    return c.repeat(1, 1, 1, 1, high.shape[-1] // scale).unsqueeze(3)


def _blocks(given: Parts, heads: int, kernel_size: int) -> Iterator[tuple[int, slice]]:
    """Each head's channels, as many at a time as make a block of w."""
    a, c, _, g = given
    high, wide = (one if one is not None else g for one in (a, c))
    assert high is not None and wide is not None
    size = kernel_size**2 * high.shape[0] * math.prod(high.shape[-2:]) * high.element_size()
    if size == 0:
        return
    per = wide.shape[1] // heads
    count = max(1, min(per, (BLOCK if high.device.type == "cpu" else 16 * BLOCK) // size))
    for head in range(heads):
        for first in range(head * per, (head + 1) * per, count):
            yield head, slice(first, min(first + count, (head + 1) * per))


def _blank(given: Parts, heads: int, scale: int, kernel_size: int) -> Tensor:
    """An uninitialised tensor of the shape, the type and the memory format of what is missing."""
    a, c, z, g = given
    there = [one for one in given if one is not None]
    dtype = there[0].dtype
    for one in there[1:]:
        dtype = torch.promote_types(dtype, one.dtype)
    if a is None or c is None:
        assert z is not None and g is not None
        shape = (heads, kernel_size**2, *g.shape[2:]) if a is None else (z.shape[1], kernel_size**2, scale, scale)
        return z.new_empty((z.shape[0], *shape), dtype=dtype)
    like = z if z is not None else g
    assert like is not None
    height, width = a.shape[3:] if g is None else (a.shape[3] // scale, a.shape[4] // scale)
    return torch.empty((*like.shape[:2], height, width), dtype=dtype, device=like.device, memory_format=layout(like))


products = torch.library.custom_op(
    "upsamplers::products",
    mutates_args=(),
    schema="(Tensor? a, Tensor? c, Tensor? z, Tensor? g, bool added, int heads, int scale, int kernel_size, "
    "str backend) -> Tensor",
)(_products)


@products.register_fake
def _(a, c, z, g, added, heads, scale, kernel_size, backend):  # type: ignore[no-untyped-def]
    return _blank((a, c, z, g), heads, scale, kernel_size)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])
    ctx.added, ctx.plain = inputs[4], inputs[5:]


def _backward(ctx: Any, of_missing: Tensor) -> tuple[Any, ...]:
    """By each that was given: the cotangent stands where None was."""
    given = ctx.saved_tensors
    whole = [of_missing if one is None else one for one in given]
    for place in (0, 1):
        if ctx.added and given[1 - place] is None and given[place] is not None:
            whole[place] = torch.zeros_like(given[place])  # a + c has a's derivative without c
    found: list[Tensor | None] = []
    for place, one in enumerate(given):
        if one is None or not ctx.needs_input_grad[place]:
            found.append(None)
        elif ctx.added and place < 2 and given[1 - place] is None:
            found.append(torch.zeros_like(one))
        else:
            others = [None if other == place else value for other, value in enumerate(whole)]
            found.append(products(*others, ctx.added, *ctx.plain).to(one.dtype))
    return (*found, None, None, None, None, None)


products.register_autograd(_backward, setup_context=_keep)


@register_flop_formula(torch.ops.upsamplers.products)
def _flops(a_shape: Any, c_shape: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return 2 * MACS["products"]((a_shape, c_shape), out_shape)


def reassemble_product(
    a: Tensor, c: Tensor, z: Tensor, *, scale: int, kernel_size: int, dilation: int = 1, added: bool = False
) -> Tensor:
    """Every output point's inner product of its neighbourhood with the product of two filters, [B, C, sH, sW].

    Args:
        a: a filter a point, [B, h, k², sH, sW]; channel ch of z uses head ⌊ch/(C/h)⌋.
        c: a filter a channel and phase, [B, C, k², s, s].
        z: [B, C, H, W], zero outside.
        scale: s >= 1.
        kernel_size: k, odd.
        dilation: d, pixels of z from one tap to the next.
        added: the sum of the two filters in place of their product.
    """
    height, width = z.shape[2:]
    if not is_jit() and not is_written_out(None):
        read, spatial = gathered(z, dilation), gathered(a, dilation, scale)
        by_channel = c if dilation == 1 else c.repeat_interleave(dilation**2, 0)
        run = _products if is_direct(spatial, by_channel, read) else products
        up = run(spatial, by_channel, read, None, added, a.shape[1], scale, kernel_size, choose(z, None))
        return scattered(up, dilation, scale, scale * height, scale * width)
    dtype = torch.promote_types(result_dtype(a, c), z.dtype)
    high, heads = accumulator(dtype), sizes(a)[1]
    by_point = phases(a.to(high), scale).unsqueeze(2)  # [B, h, 1, K, H, s, W, s]
    by_channel = c.to(high).unflatten(1, (heads, -1))[..., None, :, None, :]  # [B, h, C/h, K, 1, s, 1, s]
    padded = functional.pad(z.to(high), (dilation * (kernel_size // 2),) * 4)
    total: Any = 0
    for tap in range(kernel_size**2):
        row, column = (dilation * place for place in divmod(tap, kernel_size))
        shifted = padded.narrow(-2, row, height).narrow(-1, column, width)  # sizes may be symbols
        at_point, of_channel = by_point[:, :, :, tap], by_channel[:, :, :, tap]
        w = at_point + of_channel if added else at_point * of_channel
        total = total + w * shifted.unflatten(1, (heads, -1))[..., :, None, :, None]
    return total.flatten(-2).flatten(-3, -2).flatten(1, 2).to(dtype)

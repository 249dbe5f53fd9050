"""wᵀz for kernels that are a product: one filter a point, a, times one a channel, c. The product is never whole.

Φ(a, c, z, g) = Σ g[b, ch, i] · a[b, head, t, i] · c[b, ch, t, phase of i] · z[b, ch, ⌊i/s⌋ + t] is linear in each of
its four, so its derivative by any of them is Φ with that one left out: one operator, `upsamplers::products`, which
gives what is missing, is its own derivative to any order. It makes w = a·c for a few channels at a time and leaves the
rest to the window's primitives. a [B, h, k², sH, sW], c [B, C, k², s, s], z [B, C, H, W], g [B, C, sH, sW]; the
border is zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from upsamplers.primitive import library
from upsamplers.primitive.backends import choose, is_written_out
from upsamplers.primitive.eager import accumulator, layout, phases, result_dtype, windows
from upsamplers.primitive.macs import MACS

BLOCK = 1 << 21
"""Bytes of w that are made at once: what stays in a cache until it is read."""

Parts = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]


@torch.library.custom_op(
    "upsamplers::products",
    mutates_args=(),
    schema="(Tensor? a, Tensor? c, Tensor? z, Tensor? g, int heads, int scale, int kernel_size, str backend) -> Tensor",
)
def products(
    a: Tensor | None,
    c: Tensor | None,
    z: Tensor | None,
    g: Tensor | None,
    heads: int,
    scale: int,
    kernel_size: int,
    backend: str,
) -> Tensor:
    """The derivative of Φ by the one of the four that is None."""
    given = (a, c, z, g)
    out = _blank(given, heads, scale, kernel_size)
    dtype, out = out.dtype, out.to(accumulator(out.dtype)).zero_()
    missing = next(n for n, one in enumerate(given) if one is None)
    plain = (scale, kernel_size, "zero", backend)
    for head, channels in _blocks(given, heads, scale):
        if missing < 2:
            part_z, part_g = z[:, channels], g[:, channels]  # type: ignore[index]  # both are there
            shape = (part_g.shape[0], part_g.shape[1], kernel_size**2, *part_g.shape[2:])
            met = phases(library.correlate(part_g, part_z, None, shape, *plain), scale)  # [B, n, K, H, s, W, s]
            if missing == 0:
                phases(out[:, head], scale).add_((met * c[:, channels, :, None, :, None]).sum(1))  # type: ignore[index]
            else:
                out[:, channels] = (met * phases(a[:, head : head + 1], scale)).sum((3, 5))  # type: ignore[index]
            continue
        w = phases(a[:, head : head + 1], scale) * c[:, channels, :, None, :, None]  # type: ignore[index]
        w = w.flatten(-2).flatten(-3, -2)  # [B, n, K, sH, sW]
        if missing == 3:
            out[:, channels] = library.reassemble(w, z[:, channels], None, *plain)  # type: ignore[index]
        else:
            shape = (g.shape[0], w.shape[1], g.shape[2] // scale, g.shape[3] // scale)  # type: ignore[union-attr]
            out[:, channels] = library.spread(w, g[:, channels], None, shape, *plain)  # type: ignore[index]
    return out.to(dtype)


def _blocks(given: Parts, heads: int, scale: int) -> Iterator[tuple[int, slice]]:
    """Each head's channels, as many at a time as make a block of w."""
    a, c, z, g = given
    channels = next(one for one in (c, z, g) if one is not None).shape[1]
    high = a if a is not None else g
    assert high is not None
    taps = a.shape[2] if a is not None else c.shape[2]  # type: ignore[union-attr]
    size = max(1, high.shape[0] * taps * math.prod(high.shape[-2:]) * high.element_size())
    if high.numel() == 0:
        return
    per = channels // heads
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
    shape = (*like.shape[:2], height, width)
    return torch.empty(shape, dtype=dtype, device=like.device, memory_format=layout(like))


@products.register_fake
def _(a, c, z, g, heads, scale, kernel_size, backend):  # type: ignore[no-untyped-def]
    return _blank((a, c, z, g), heads, scale, kernel_size)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])
    ctx.plain = inputs[4:]


def _backward(ctx: Any, of_missing: Tensor) -> tuple[Any, ...]:
    """Φ's derivative by each that was given: it takes the place of the cotangent's, which stands where None was."""
    given = ctx.saved_tensors
    whole = [of_missing if one is None else one for one in given]
    found: list[Tensor | None] = []
    for place, one in enumerate(given):
        if one is None or not ctx.needs_input_grad[place]:
            found.append(None)
        else:
            others = [None if other == place else value for other, value in enumerate(whole)]
            found.append(products(*others, *ctx.plain).to(one.dtype))
    return (*found, None, None, None, None)


products.register_autograd(_backward, setup_context=_keep)


@register_flop_formula(torch.ops.upsamplers.products)
def _flops(a_shape: Any, c_shape: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return 2 * MACS["products"]((a_shape, c_shape), out_shape)


def reassemble_product(a: Tensor, c: Tensor, z: Tensor, *, scale: int, kernel_size: int) -> Tensor:
    """Every output point's inner product of its neighbourhood with the product of two filters, [B, C, sH, sW].

    Args:
        a: a filter a point, [B, h, k², sH, sW]; channel ch of z uses head ⌊ch/(C/h)⌋.
        c: a filter a channel and phase, [B, C, k², s, s].
        z: [B, C, H, W], zero outside.
        scale: s >= 1.
        kernel_size: k, odd.
    """
    if not is_written_out(None):
        return products(a, c, z, None, a.shape[1], scale, kernel_size, choose(z, None))
    dtype = torch.promote_types(result_dtype(a, c), z.dtype)
    high, heads = accumulator(dtype), a.shape[1]
    by_point = phases(a.to(high), scale).unsqueeze(2)  # [B, h, 1, K, H, s, W, s]
    by_channel = c.to(high).unflatten(1, (heads, -1))[..., None, :, None, :]  # [B, h, C/h, K, 1, s, 1, s]
    total: Any = 0
    for tap, shifted in windows(z.to(high), kernel_size, "zero"):
        read = shifted.unflatten(1, (heads, -1))[..., :, None, :, None]  # [B, h, C/h, H, 1, W, 1]
        total = total + by_point[:, :, :, tap] * (by_channel[:, :, :, tap] * read)
    return total.flatten(-2).flatten(-3, -2).flatten(1, 2).to(dtype)

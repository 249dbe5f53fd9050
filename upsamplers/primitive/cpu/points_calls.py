"""From tensors to kernels, for sampled points instead of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.cpu import points as kernels
from upsamplers.primitive.cpu import threads
from upsamplers.primitive.cpu.calls import blank_map
from upsamplers.primitive.cpu.prepared import Prepared, numbers

_BORDERS = {"zero": kernels.ZERO, "replicate": kernels.REPLICATE, "reflect": kernels.REFLECT}


def _prepared(
    factory: Any,
    parts: int,
    dims: Sequence[int],
    first: Tensor,
    second: Tensor,
    points: Tensor,
    out: Tensor,
    shared: bool = False,
) -> Prepared:
    """A kernel on two tensors, the points and the output; `shared`: the first has batch 1 for all."""
    samples, wide = samples_of(points), points.shape[-1]
    batch, group, *point, axis, row, column = points.stride()
    first_at = numbers(0 if shared else first.stride(0), *first.stride()[1:])
    return Prepared(
        threads.compiled(factory, out.dtype, points.dtype), parts,
        [(4 * samples * wide, torch.int64), (8 * samples * wide, out.dtype)],
        numbers(*dims, samples), first, first_at, second, numbers(*second.stride()),
        points, numbers(batch, group, *(point or [0]), axis, row, column), out, numbers(*out.stride()),
    )  # fmt: skip


def samples_of(points: Tensor) -> int:
    """P: one where points have no axis for it."""
    return points.shape[2] if points.ndim == 6 else 1


def gather(w: Tensor, z: Tensor, points: Tensor, border: str) -> Prepared:
    """wᵀz at the corners of points."""
    batch, channels, height, width = z.shape
    groups, (high, wide) = w.shape[1], points.shape[-2:]
    out = blank_map(z, (batch, channels, high, wide), z.dtype)
    dims = (batch, groups, channels // groups, height, width, high, wide, _BORDERS[border])
    parts = threads.parts_for(4 * samples_of(points) * out.numel(), batch * groups * high)
    return _prepared(kernels.gather, parts, dims, w, z, points, out, w.shape[0] == 1)


def correlate(g: Tensor, z: Tensor, points: Tensor, w_shape: Sequence[int], border: str) -> Prepared:
    """∂w of ⟨g, gather(w, z)⟩."""
    batch, channels, height, width = z.shape
    groups, (high, wide) = w_shape[1], points.shape[-2:]
    out = torch.empty(tuple(w_shape), dtype=z.dtype, device="meta")
    dims = (batch, groups, channels // groups, height, width, high, wide, _BORDERS[border], w_shape[0])
    parts = threads.parts_for(4 * samples_of(points) * g.numel(), w_shape[0] * groups * high)
    return _prepared(kernels.correlate, parts, dims, g, z, points, out)


def scatter(w: Tensor, g: Tensor, points: Tensor, z_shape: Sequence[int], border: str) -> Prepared:
    """∂z of ⟨g, gather(w, z)⟩."""
    batch, channels, height, width = z_shape
    groups, (high, wide) = w.shape[1], points.shape[-2:]
    per = channels // groups
    out = blank_map(g, z_shape, g.dtype)
    block = max(1, min(per, 16, batch * channels // (2 * torch.get_num_threads())))
    dims = (batch, groups, per, height, width, high, wide, _BORDERS[border], block)
    parts = threads.parts_for(4 * samples_of(points) * g.numel(), batch * groups * -(-per // block))
    return _prepared(kernels.scatter, parts, dims, w, g, points, out, w.shape[0] == 1)

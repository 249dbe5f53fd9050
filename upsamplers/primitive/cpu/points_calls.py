"""From tensors to kernels, for sampled points instead of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.cpu import points as kernels
from upsamplers.primitive.cpu import threads
from upsamplers.primitive.cpu.calls import empty_like_map, numbers
from upsamplers.primitive.eager import accumulator

_BORDERS = {"zero": kernels.ZERO, "replicate": kernels.REPLICATE, "reflect": kernels.REFLECT}


def _run(
    factory: Any,
    parts: int,
    dims: Sequence[int],
    first: Tensor,
    second: Tensor,
    points: Tensor,
    out: Tensor,
    shared: bool = False,
) -> None:
    """Call a kernel on two tensors, the points and the output; `shared`: the first has batch 1 for all."""
    wide = points.shape[-1]
    points = points.detach().to(accumulator(points.dtype))
    first_at = numbers(0 if shared else first.stride(0), *first.stride()[1:])
    kernel = threads.compiled(factory, out.dtype, points.dtype)
    threads.run(
        kernel, parts, numbers(*dims), first, first_at, second, numbers(*second.stride()),
        points, numbers(*points.stride()), out, numbers(*out.stride()),
        torch.empty(parts, 4 * wide, dtype=torch.int64), torch.empty(parts, 8 * wide, dtype=out.dtype),
    )  # fmt: skip


def gather(w: Tensor, z: Tensor, points: Tensor, border: str) -> Tensor:
    """wᵀz at the corners of points."""
    batch, channels, height, width = z.shape
    groups, (high, wide) = w.shape[1], points.shape[-2:]
    out = empty_like_map(z, (batch, channels, high, wide))
    dims = (batch, groups, channels // groups, height, width, high, wide, _BORDERS[border])
    parts = threads.parts_for(4 * out.numel(), batch * groups * high)
    _run(kernels.gather, parts, dims, w, z, points, out, w.shape[0] == 1)
    return out


def correlate(g: Tensor, z: Tensor, points: Tensor, w_shape: Sequence[int], border: str) -> Tensor:
    """∂w of ⟨g, gather(w, z)⟩."""
    batch, channels, height, width = z.shape
    groups, (high, wide) = w_shape[1], points.shape[-2:]
    out = torch.empty(tuple(w_shape), dtype=z.dtype)
    dims = (batch, groups, channels // groups, height, width, high, wide, _BORDERS[border], w_shape[0])
    parts = threads.parts_for(4 * g.numel(), w_shape[0] * groups * high)
    _run(kernels.correlate, parts, dims, g, z, points, out)
    return out


def scatter(w: Tensor, g: Tensor, points: Tensor, z_shape: Sequence[int], border: str) -> Tensor:
    """∂z of ⟨g, gather(w, z)⟩."""
    batch, channels, height, width = z_shape
    groups, (high, wide) = w.shape[1], points.shape[-2:]
    per = channels // groups
    out = empty_like_map(g, z_shape)
    block = max(1, min(per, 16, batch * channels // (2 * torch.get_num_threads())))
    dims = (batch, groups, per, height, width, high, wide, _BORDERS[border], block)
    parts = threads.parts_for(4 * g.numel(), batch * groups * -(-per // block))
    _run(kernels.scatter, parts, dims, w, g, points, out, w.shape[0] == 1)
    return out

"""z sampled bilinearly at points that offsets move: points, corner weights and wᵀz in one pass.

The point of an output at phase (py, px) of pixel (y, x) is (x, y) + start + ¼·O, or + ½·sigmoid(scope)·O, held in the
map; offsets O [B, 2·G·s², H, W] have channel ((axis·G + g)·s + py)·s + px, x before y. Nothing of their size but the
offsets themselves is kept for the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from upsamplers.fused.passes import Kernels, Pass, register
from upsamplers.primitive import reassemble
from upsamplers.primitive.eager import layout
from upsamplers.shuffle import pixel_shuffle


def positions(z: Tensor, offset: Tensor, scope: Tensor | None, start: Tensor, scale: int, groups: int) -> Tensor:
    """Where each output point reads relative to its pixel, [B, G, 2, sH, sW], x before y, not held in the map."""
    precise = torch.promote_types(z.dtype, torch.float32)
    moved = _phased(offset.to(precise), scale, groups)
    reach = 0.25 if scope is None else 0.5 * _phased(scope.to(precise), scale, groups).sigmoid()
    starts = start.to(precise).view(2, groups, scale, scale).transpose(0, 1)
    return moved * reach + starts.repeat(1, 1, *z.shape[-2:])


def corners(
    z: Tensor, offset: Tensor, scope: Tensor | None, start: Tensor, scale: int, groups: int
) -> tuple[Tensor, Tensor]:
    """w [B, G, 4, sH, sW] of the corners above left, above right, below left, below right; points [B, G, 2, sH, sW]."""
    x, y = positions(z, offset, scope, start, scale, groups).unbind(2)  # [B, G, sH, sW]
    height, width = z.shape[-2:]
    columns = torch.arange(width, device=z.device).repeat_interleave(scale)
    rows = torch.arange(height, device=z.device).repeat_interleave(scale)
    x, y = _held(x + columns, width - 1), _held(y + rows[:, None], height - 1)
    right, below = x - x.detach().floor(), y - y.detach().floor()
    left, above = 1 - right, 1 - below
    w = torch.stack([above * left, above * right, below * left, below * right], 2)  # [B, G, 4, sH, sW]
    return w.to(z.dtype), torch.stack([x, y], 2).detach()


def _phased(made: Tensor, scale: int, groups: int) -> Tensor:
    """[B, 2·G·s², H, W] as [B, G, 2, sH, sW]."""
    return pixel_shuffle(made, scale).unflatten(1, (2, groups)).transpose(1, 2)


def _held(position: Tensor, last: int) -> Tensor:
    """Positions held in [0, last]; one on or past an end has no derivative, as border padding in grid_sample has it."""
    inside = (position > 0) & (position < last)
    return torch.where(inside, position, position.detach().clamp(0, last))


def _definition(z: Tensor, offset: Tensor, scope: Tensor | None, start: Tensor, scale: int, groups: int) -> Tensor:
    w, points = corners(z, offset, scope, start, scale, groups)
    return reassemble(w, z, scale=scale, kernel_size=2, border="replicate", points=points)


def _shape(z: Tensor, offset: Tensor, scope: Tensor | None, start: Tensor, scale: int, groups: int) -> Tensor:
    size = (*z.shape[:2], scale * z.shape[2], scale * z.shape[3])
    return torch.empty(size, dtype=z.dtype, device=z.device, memory_format=layout(z))


def _kernels(backend: str) -> Kernels | None:
    if backend == "numba":
        from upsamplers.primitive.cpu import moved_calls

        return moved_calls.forward, moved_calls.backward
    if backend == "triton":
        from upsamplers.primitive.cuda import moving

        return moving.forward, moving.backward
    return None


def _macs(shapes: Sequence[Any], output: Sequence[int]) -> int:
    """Four corners of each output element."""
    return 4 * math.prod(output)


sample_moved = register(
    Pass(
        "sample_moved",
        4,
        "Tensor z, Tensor offset, Tensor? scope, Tensor start, SymInt scale, SymInt groups",
        _definition,
        _shape,
        _kernels,
        _macs,
    )
)
"""sample_moved(z, offset, scope, start, scale, groups) -> [B, C, sH, sW], in the type and layout of z."""

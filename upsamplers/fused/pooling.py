"""Means over the cells of a map, for generators: e×e cells, as adaptive average pooling has them, and the whole map.

Row r and column c of the cells are [⌊r·H/e⌋, ⌈(r + 1)·H/e⌉) × [⌊c·W/e⌋, ⌈(c + 1)·W/e⌉); x [B, C, H, W] gives
[e² + 1, B, C], the whole map last. The map is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from upsamplers.fused.passes import Kernels, Pass, register
from upsamplers.tracing import is_exporting


def _definition(x: Tensor, side: int) -> Tensor:
    cells = means(x, side).flatten(2)
    return torch.cat([cells, x.mean((2, 3)).unsqueeze(2)], 2).permute(2, 0, 1)


def means(x: Tensor, side: int) -> Tensor:
    """The means of the cells, [B, C, e, e]. A program that is exported at one size multiplies matrices for them, as it
    would else write the windows out."""
    sizes = x.shape[2:]
    if not is_exporting() or not all(type(size) is int for size in sizes):
        return functional.adaptive_avg_pool2d(x, side)
    rows, columns = (torch.tensor(_shares(size, side), dtype=x.dtype, device=x.device) for size in sizes)
    return torch.matmul(rows, torch.matmul(x, columns.T))


def _shares(size: int, side: int) -> list[list[float]]:
    """What each pixel of an axis counts in the mean of each of its e cells."""
    found = []
    for cell in range(side):
        first, end = cell * size // side, -(-(cell + 1) * size // side)
        found.append([1 / (end - first) if first <= place < end else 0.0 for place in range(size)])
    return found


def _shape(x: Tensor, side: int) -> Tensor:
    return x.new_empty(side**2 + 1, x.shape[0], x.shape[1])


def _kernels(backend: str) -> Kernels | None:
    if backend == "numba":
        from upsamplers.primitive.cpu import pooled_calls

        return pooled_calls.forward, pooled_calls.backward
    if backend == "triton":
        from upsamplers.primitive.cuda import pooling

        return pooling.forward, pooling.backward
    return None


def _macs(shapes: Sequence[Any], output: Sequence[int]) -> int:
    """Pooling counts as nothing."""
    return 0


pooled = register(Pass("pooled", 1, "Tensor x, SymInt side", _definition, _shape, _kernels, _macs))
"""pooled(x, side) -> [side² + 1, B, C]."""

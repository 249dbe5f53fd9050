"""Reading a map between its pixels: where each output point lies, and the bilinear weights of its four corners."""

from __future__ import annotations

import torch
from torch import Tensor


def pixels(z: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """The row [sH, 1] and the column [sW] of the pixel ⌊i/s⌋ under each output point of a map like z."""
    height, width = z.shape[-2:]
    columns = torch.arange(width, device=z.device).repeat_interleave(scale)
    rows = torch.arange(height, device=z.device).repeat_interleave(scale)
    return rows[:, None], columns


def clamped(position: Tensor, last: int) -> Tensor:
    """Positions held in [0, last]; one on or past an end has no derivative, as border padding in grid_sample has it."""
    inside = (position > 0) & (position < last)
    return torch.where(inside, position, position.detach().clamp(0, last))


def corner_weights(x: Tensor, y: Tensor) -> Tensor:
    """[..., 4, sH, sW] for positions [..., sH, sW]: above left, above right, below left, below right; they sum to 1.

    Derivatives by the positions flow through these weights.
    """
    right, below = x - x.detach().floor(), y - y.detach().floor()
    left, above = 1 - right, 1 - below
    return torch.stack([above * left, above * right, below * left, below * right], -3)


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """x [B, C, H, W] read bilinearly at another size, as interpolate with align_corners=False does it.

    By rows and columns that are weighted and added, which counts as no multiply-add: a kernel generator's own use.
    """
    rows, row_weight = _neighbours(x.shape[-2], height, x)
    columns, column_weight = _neighbours(x.shape[-1], width, x)
    x = torch.lerp(x.index_select(-2, rows[0]), x.index_select(-2, rows[1]), row_weight[:, None])
    return torch.lerp(x.index_select(-1, columns[0]), x.index_select(-1, columns[1]), column_weight)


def _neighbours(size: int, wanted: int, like: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The two positions along an axis between which each of `wanted` lies, and how near the second it is."""
    precise = torch.promote_types(like.dtype, torch.float32)
    position = (torch.arange(wanted, device=like.device, dtype=precise) + 0.5) * (size / wanted) - 0.5
    position = position.clamp(0, size - 1)
    first = position.floor()
    indices = (first.long(), (first.long() + 1).clamp(max=size - 1))
    return indices, (position - first).to(like.dtype)

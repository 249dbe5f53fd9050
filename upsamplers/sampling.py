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

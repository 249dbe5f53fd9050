"""Where a window reads: border rules, offsets and the padding that makes every tap a plain slice."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

Border = Literal["zero", "replicate", "reflect"]
BORDERS: tuple[str, ...] = get_args(Border)


def source_index(position: Tensor, size: int, border: str) -> Tensor:
    """Where integer positions along an axis are read: mirrored (reflect), else clamped.

    Reflect mirrors without repeating the edge, as often as needed; a map of size 1 has only its one value.
    """
    if border != "reflect":
        return position.clamp(0, size - 1)
    double: Any = 2 * (size - 1)  # a tensor while torch.jit traces
    period = double.clamp(min=1) if isinstance(double, Tensor) else max(double, 1)
    position = position.remainder(period)
    return torch.minimum(position, period - position).clamp(max=size - 1)


def border_index(size: int, before: int, after: int, border: str, device: torch.device) -> Tensor:
    """Source index of each padded position −before … size−1+after."""
    return source_index(torch.arange(-before, size + after, device=device), size, border)


def pad(z: Tensor, before: int, after_rows: int, after_columns: int, border: str) -> Tensor:
    """z with its border made explicit, [B, C, before + H + after_rows, before + W + after_columns]."""
    if before == 0 and after_rows == 0 and after_columns == 0:
        return z
    if border == "zero":
        return functional.pad(z, (before, after_columns, before, after_rows))
    rows = border_index(z.shape[-2], before, after_rows, border, z.device)
    columns = border_index(z.shape[-1], before, after_columns, border, z.device)
    return z.index_select(-2, rows).index_select(-1, columns)


def unpad(padded: Tensor, height: int, width: int, before: int, border: str) -> Tensor:
    """The adjoint of `pad`: what lies on the border is added to the pixels that it was read from."""
    after_rows, after_columns = padded.shape[-2] - before - height, padded.shape[-1] - before - width
    if before == 0 and after_rows == 0 and after_columns == 0:
        return padded
    if border == "zero":
        return padded[..., before : before + height, before : before + width]
    rows = border_index(height, before, after_rows, border, padded.device)
    columns = border_index(width, before, after_columns, border, padded.device)
    folded = padded.new_zeros(*padded.shape[:-1], width).index_add_(-1, columns, padded)
    return folded.new_zeros(*padded.shape[:-2], height, width).index_add_(-2, rows, folded)


def down_offset(scale: int, kernel_size: int) -> int:
    """How far before s·p the window of the downsampled point p starts: ⌊(k − s)/2⌋."""
    return (kernel_size - scale) // 2

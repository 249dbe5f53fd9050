"""wᵀz and its correlation at points for exported programs: a pixel's channels are one row, which engines copy fastest.

Rows of [B·G·H·W, C/G] are selected for one corner of all points at a time, so that nothing K times the output is made.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from upsamplers.primitive.eager import corners


def reassemble(w: Tensor, z: Tensor, points: Tensor, border: str) -> Tensor:
    """g(w, z) for w [B or 1, G, K, sH, sW], z [B, C, H, W] and points [B, G, 2, sH, sW], or [B, G, P, 2, sH, sW]."""
    taps = w.expand(points.shape[0], -1, -1, -1, -1).flatten(3).unbind(2)  # [B, G, sH·sW] each
    parts = [tap.unsqueeze(3) * read for tap, read in zip(taps, _reads(z, points, border), strict=True)]
    return sum(parts[1:], parts[0]).transpose(2, 3).flatten(1, 2).unflatten(-1, w.shape[3:])


def correlate(g: Tensor, z: Tensor, points: Tensor, border: str) -> Tensor:
    """⟨g, z⟩ over a group's channels at every corner, [B, G, K, sH, sW], for g [B, C, sH, sW]."""
    rows = _rows(g, points.shape[1])
    met = [(rows * read).sum(3) for read in _reads(z, points, border)]
    return torch.stack(met, 2).unflatten(-1, g.shape[2:])


def _rows(x: Tensor, groups: int) -> Tensor:
    """[B, C, h, w] as [B, G, h·w, C/G]."""
    return x.unflatten(1, (groups, -1)).flatten(3).transpose(2, 3)


def _reads(z: Tensor, points: Tensor, border: str) -> Iterator[Tensor]:
    """What each corner of the points reads, [B, G, sH·sW, C/G]."""
    batch, groups = points.shape[:2]
    pixels = z.shape[2] * z.shape[3]
    rows = _rows(z, groups).flatten(0, 2)
    first = pixels * torch.arange(batch * groups, device=z.device).view(batch, groups, 1)
    for _, index, valid in corners(z, points, border):
        read = rows.index_select(0, (index + first).flatten()).view(batch, groups, -1, rows.shape[1])
        yield read if valid is None else read * valid.unsqueeze(3)

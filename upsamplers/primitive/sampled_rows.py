"""wᵀz and its correlation at points for exported programs: a pixel's channels are one row, which engines copy fastest.

Rows of [B·G·H·W, C/G] are selected for one corner of all points at a time, so that nothing K times the output is made;
where the corners lie, K numbers an output as w has, is computed of all at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from upsamplers.primitive.window import source_index


def reassemble(w: Tensor, z: Tensor, points: Tensor, border: str) -> Tensor:
    """g(w, z) for w [B or 1, G, K, sH, sW], z [B, C, H, W] and points [B, G, 2, sH, sW], or [B, G, P, 2, sH, sW]."""
    index, valid = _corners(z, points, border)
    taps = w.expand(points.shape[0], -1, -1, -1, -1).flatten(3)  # [B, G, K, sH·sW]
    taps = taps if valid is None else taps * valid
    parts = [tap.unsqueeze(3) * read for tap, read in zip(taps.unbind(2), _reads(z, index), strict=True)]
    return sum(parts[1:], parts[0]).transpose(2, 3).flatten(1, 2).unflatten(-1, w.shape[3:])


def correlate(g: Tensor, z: Tensor, points: Tensor, border: str) -> Tensor:
    """⟨g, z⟩ over a group's channels at every corner, [B, G, K, sH, sW], for g [B, C, sH, sW]."""
    index, valid = _corners(z, points, border)
    rows = _rows(g, points.shape[1])
    met = torch.stack([(rows * read).sum(3) for read in _reads(z, index)], 2)
    return (met if valid is None else met * valid).unflatten(-1, g.shape[2:])


def _rows(x: Tensor, groups: int) -> Tensor:
    """[B, C, h, w] as [B, G, h·w, C/G]."""
    return x.unflatten(1, (groups, -1)).flatten(3).transpose(2, 3)


def _corners(z: Tensor, points: Tensor, border: str) -> tuple[Tensor, Tensor | None]:
    """Where in H·W each corner is, and with a zero border whether it is in the map, [B, G, K, sH·sW]."""
    height, width = z.shape[2:]
    left, top = (points if points.ndim == 6 else points.unsqueeze(2)).floor().to(torch.int64).flatten(4).unbind(3)
    pairs = [(top + row, left + column) for row in (0, 1) for column in (0, 1)]
    index = [source_index(y, height, border) * width + source_index(x, width, border) for y, x in pairs]
    valid = [(y >= 0) & (y < height) & (x >= 0) & (x < width) for y, x in pairs] if border == "zero" else None
    of_points = torch.stack(index, 3).flatten(2, 3)
    return of_points, None if valid is None else torch.stack(valid, 3).flatten(2, 3)


def _reads(z: Tensor, index: Tensor) -> Iterator[Tensor]:
    """What each corner reads, [B, G, sH·sW, C/G]."""
    batch, groups = index.shape[:2]
    pixels = z.shape[2] * z.shape[3]
    rows = _rows(z, groups).flatten(0, 2)
    first = pixels * torch.arange(batch * groups, device=z.device).view(batch, groups, 1, 1)
    for one in (index + first).unbind(2):
        yield rows.index_select(0, one.flatten()).view(batch, groups, -1, rows.shape[1])

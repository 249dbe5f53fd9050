"""g(w, z) as the definition reads: gather every neighbourhood, then take inner products. Slow, plain, trusted."""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.primitive.taps import Taps


def source(position: Tensor, size: int, border: str) -> tuple[Tensor, Tensor]:
    """Where integer positions along an axis of this size are read, and whether anything is there."""
    inside = (position >= 0) & (position < size)
    if border == "zero":
        return position.clamp(0, size - 1), inside
    if border == "replicate":
        return position.clamp(0, size - 1), torch.ones_like(inside)
    mirrored = [_mirror(int(p), size) for p in position.flatten()]
    return torch.tensor(mirrored, dtype=torch.int64).view(position.shape), torch.ones_like(inside)


def _mirror(position: int, size: int) -> int:
    while size > 1 and not 0 <= position < size:
        position = -position if position < 0 else 2 * (size - 1) - position
    return position if size > 1 else 0


def neighbourhoods(x: Tensor, rows: Tensor, columns: Tensor, border: str) -> Tensor:
    """x at every (row, column) of two index tables [out, k]: [B, C, k², out rows, out columns]."""
    y, y_inside = source(rows, x.shape[-2], border)
    v, v_inside = source(columns, x.shape[-1], border)
    values = x[:, :, y[:, None, :, None], v[None, :, None, :]]  # [B, C, oH, oW, k, k]
    values = values * (y_inside[:, None, :, None] & v_inside[None, :, None, :]).to(x)
    return values.flatten(-2).permute(0, 1, 4, 2, 3)


def inner_product(w: Tensor, taps: Tensor) -> Tensor:
    """wᵀz: w [b, G, K, oH, oW] and taps [B, C, K, oH, oW] give [B, C, oH, oW]; C·K taps contract channels too."""
    channels, count = taps.shape[1:3]
    if w.shape[2] != count:
        return (w * taps.flatten(1, 2).unsqueeze(1)).sum(2)
    return (w.repeat_interleave(channels // w.shape[1], dim=1) * taps).sum(2)


def reassemble(
    w: Tensor,
    z: Tensor,
    *,
    scale: int = 0,
    kernel_size: int = 0,
    border: str = "zero",
    points: Tensor | None = None,
    taps: Taps | None = None,
) -> Tensor:
    """The definition of `upsamplers.reassemble`, with the same arguments and shapes."""
    if taps is not None:
        return inner_product(w, at_taps(z, taps))
    height, width = scale * z.shape[2], scale * z.shape[3]
    if tuple(w.shape[3:]) != (height, width):
        w = w.repeat(1, 1, 1, z.shape[2], z.shape[3])
    if points is not None:
        return inner_product(w, corners(z, points, border))
    offset = torch.arange(kernel_size) - kernel_size // 2
    rows = torch.arange(height)[:, None] // scale + offset
    columns = torch.arange(width)[:, None] // scale + offset
    return inner_product(w, neighbourhoods(z, rows, columns, border))


def at_taps(z: Tensor, taps: Taps) -> Tensor:
    """z at every tap of a table, zero where there is nothing: [B, C, K, Ho, Wo]."""
    rows, columns = (torch.tensor(table, device=z.device) for table in taps)
    values = z[:, :, rows.clamp(min=0)[:, None, :], columns.clamp(min=0)[None, :, :]]  # [B, C, Ho, Wo, K]
    return (values * ((rows >= 0)[:, None, :] & (columns >= 0)[None, :, :]).to(z)).permute(0, 1, 4, 2, 3)


def corners(z: Tensor, points: Tensor, border: str) -> Tensor:
    """z at the four corners of every sampled point, P for each output: [B, C, 4P, sH, sW]."""
    if points.ndim == 6:
        return torch.cat([corners(z, one, border) for one in points.unbind(2)], 2)
    batch, groups = points.shape[:2]
    out = []
    for b in range(batch):
        for group, part in enumerate(z[b].chunk(groups)):
            x, y = points[b, group].floor().to(torch.int64)
            taps = []
            for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
                row, row_inside = source(y + dy, z.shape[-2], border)
                column, column_inside = source(x + dx, z.shape[-1], border)
                taps.append(part[:, row, column] * (row_inside & column_inside).to(z.dtype))
            out.append(torch.stack(taps, 1))
    return torch.cat(out).view(batch, z.shape[1], 4, *points.shape[-2:])


def downassemble(w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str = "zero") -> Tensor:
    """The definition of `upsamplers.downassemble`, with the same arguments and shapes."""
    offset = torch.arange(kernel_size) - (kernel_size - scale) // 2
    rows = scale * torch.arange(w.shape[3])[:, None] + offset
    columns = scale * torch.arange(w.shape[4])[:, None] + offset
    return inner_product(w, neighbourhoods(x, rows, columns, border))

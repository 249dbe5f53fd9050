"""wᵀz and its correlation as products of matrices over tiles of a row, which engines for exported programs run fastest.

TILE neighbouring pixels of a row of z are read together with the k − 1 beside them: [C/G, k·(TILE + k − 1)] values for
all of the s²·TILE outputs there. The kernels of these outputs are one matrix with zeros off its band, so that about
(TILE + k − 1)/k times the multiply-adds are made, by the fastest of operations and with no tensor k² times the map.
All else is what moves blocks of memory. Sizes are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from upsamplers.primitive.window import pad

TILE = 8
"""Pixels of a row, at least: fewer move smaller blocks, more multiply more zeros."""

FEWEST = 16
"""Channels that share a kernel from which on this is faster than a product for each tap."""


def pays(scale: int, channels: int, sizes: Sequence[object]) -> bool:
    """Whether this is the faster form where so many channels share a kernel; of a program for one size alone."""
    return scale > 1 and channels >= FEWEST and all(type(size) is int for size in sizes)


def reassemble(w: Tensor, z: Tensor, scale: int, kernel_size: int, border: str) -> Tensor:
    """g(w, z) for w [B or 1, G, k², sH, sW] and z [B, C, H, W] of one dtype: [B, C, sH, sW]."""
    height, width = z.shape[2:]
    (batch, groups), k, s = w.shape[:2], kernel_size, scale
    tile, count = _tiles(width, k)
    reads = _reads(z, groups, k, border)
    w = functional.pad(w, (0, (count * tile - width) * s))
    band = functional.pad(w.flatten(3).transpose(2, 3).unflatten(-1, (k, k)), (0, tile - 1))  # [b, G, sH·s·Wo, k, t]
    each = s * k * (tile + k - 1)
    rows = functional.pad(band.reshape(batch, groups, height, s, count, tile, each), (0, 1)).flatten(-2)
    band = rows[..., : tile * each].reshape(batch, groups, height, s, count, tile * s, -1)  # pixel x: x on
    up = torch.matmul(reads, band.transpose(-1, -2))  # [B, G, H, s, n, C/G, tile·s]
    return up.permute(0, 1, 5, 2, 3, 4, 6).flatten(-2)[..., : width * s].flatten(1, 2).flatten(2, 3)


def correlate(g: Tensor, z: Tensor, groups: int, scale: int, kernel_size: int, border: str) -> Tensor:
    """⟨g, z⟩ over a group's channels at every tap, for g [B, C, sH, sW] and z [B, C, H, W]: [B, G, k², sH, sW]."""
    height, width = z.shape[2:]
    batch, k, s = g.shape[0], kernel_size, scale
    tile, count = _tiles(width, k)
    reads = _reads(z, groups, k, border)
    g = functional.pad(g, (0, (count * tile - width) * s))
    own = g.unflatten(1, (groups, -1)).unflatten(-1, (count, tile * s)).unflatten(3, (height, s))
    own = own.permute(0, 1, 3, 4, 5, 6, 2)  # [B, G, H, s, n, tile·s, C/G]
    each = s * k * (tile + k - 1)
    band = torch.matmul(own, reads).reshape(batch, groups, height, s, count, tile * each)
    rows = functional.pad(band, (0, tile)).unflatten(-1, (tile, each + 1))[..., :each]  # and x back
    taps = rows.reshape(batch, groups, -1, k, tile + k - 1)[..., :k].flatten(-2).transpose(2, 3)
    return taps.unflatten(-1, (s * height, -1))[..., : width * s]


def _tiles(width: int, kernel_size: int) -> tuple[int, int]:
    """Pixels of a tile, and how many tiles a row has."""
    tile = max(TILE, kernel_size - 1)
    return tile, -(-width // tile)


def _reads(z: Tensor, groups: int, kernel_size: int, border: str) -> Tensor:
    """What each tile reads, [B, G, H, 1, n, C/G, k·(tile + k − 1)]."""
    height, width = z.shape[2:]
    radius, beside = kernel_size // 2, kernel_size - 1
    tile, count = _tiles(width, kernel_size)
    padded = functional.pad(pad(z, radius, radius, radius, border), (0, (count + 1) * tile - width - beside))
    own, after = (padded.narrow(-1, first, count * tile).unflatten(-1, (count, tile)) for first in (0, tile))
    tiles = torch.cat((own, after[..., :beside]), -1).unflatten(1, (groups, -1)).permute(0, 1, 3, 4, 2, 5)
    return torch.cat([tiles[:, :, row : row + height] for row in range(kernel_size)], -1).unsqueeze(3)

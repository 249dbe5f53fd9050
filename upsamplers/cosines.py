"""Local self-similarity: the cosine of each pixel with its neighbours at a distance."""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.primitive import correlate
from upsamplers.primitive.dilated import gathered, scattered


def cosines(x: Tensor, distance: int) -> Tensor:
    """The cosines [B, 8, H, W] of each pixel of x [B, C, H, W] with its 8 neighbours, row by row; 0 outside."""
    precise = torch.promote_types(x.dtype, torch.float32)
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=precise).clamp(min=1e-8)
    apart = gathered((x / length).to(x.dtype), distance)
    taps = correlate(apart, apart, scale=1, kernel_size=3).squeeze(1)  # [B·d², 9, H/d, W/d], itself in the middle
    return scattered(torch.cat([taps[:, :4], taps[:, 5:]], 1), distance, 1, *x.shape[-2:])

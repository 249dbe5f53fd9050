"""Local self-similarity: the cosine of each pixel with its neighbours at a distance."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from upsamplers.primitive import correlate
from upsamplers.primitive.backends import is_written_out
from upsamplers.primitive.dilated import gathered, scattered
from upsamplers.tracing import is_jit


def cosines(x: Tensor, distance: int) -> Tensor:
    """The cosines [B, 8, H, W] of each pixel of x [B, C, H, W] with its 8 neighbours, row by row; 0 outside."""
    precise = torch.promote_types(x.dtype, torch.float32)
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=precise).clamp(min=1e-8)
    unit, (height, width) = (x / length).to(x.dtype), x.shape[-2:]
    if is_jit() or is_written_out(None):  # a program for any size cannot part a map into every second pixel
        padded = functional.pad(unit, (distance,) * 4)
        places = ((tap // 3 * distance, tap % 3 * distance) for tap in range(9) if tap != 4)
        shifted = (padded.narrow(-2, row, height).narrow(-1, column, width) for row, column in places)
        return torch.cat([(unit * one).sum(1, keepdim=True) for one in shifted], 1)
    apart = gathered(unit, distance)
    taps = correlate(apart, apart, scale=1, kernel_size=3).squeeze(1)  # [B·d², 9, H/d, W/d]
    return scattered(torch.cat([taps[:, :4], taps[:, 5:]], 1), distance, 1, height, width)

"""From tensors to kernels, for the means of a map's cells."""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.primitive.cpu import packets, pooled, threads
from upsamplers.primitive.eager import accumulator


def forward(x: Tensor, side: int) -> Tensor:
    """[e² + 1, B, C]."""
    wide = x.detach().to(accumulator(x.dtype))
    batch, channels, height, width = x.shape
    out = torch.empty(side**2 + 1, batch, channels, dtype=wide.dtype)
    parts = threads.parts_for(x.numel(), batch * channels)
    packets.run(
        threads.compiled(pooled.means, wide.dtype), parts, packets.numbers(batch, channels, height, width, side),
        wide, packets.numbers(*wide.stride()), out, torch.empty(parts, 2 * width, dtype=wide.dtype),
    )  # fmt: skip
    return out.to(x.dtype)


def backward(g: Tensor, x: Tensor, side: int, needs: list[bool]) -> list[Tensor]:
    """The gradient in the map."""
    real = accumulator(x.dtype)
    batch, channels, height, width = x.shape
    out = packets.map_like(x.detach().to(real), x.shape)
    parts = threads.parts_for(x.numel(), batch * channels)
    packets.run(
        threads.compiled(pooled.gradient, real), parts, packets.numbers(batch, channels, height, width, side),
        g.detach().to(real).contiguous(), out, packets.numbers(*out.stride()), torch.empty(parts, width, dtype=real),
    )  # fmt: skip
    return [out.to(x.dtype)]

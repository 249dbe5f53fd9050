"""From tensors to kernels, for the means of a map's cells."""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.primitive.cpu import pooled, threads
from upsamplers.primitive.cpu.calls import empty_like_map, numbers
from upsamplers.primitive.eager import accumulator


def forward(x: Tensor, side: int) -> Tensor:
    """[e² + 1, B, C]."""
    wide = x.detach().to(accumulator(x.dtype))
    batch, channels, height, width = x.shape
    out = torch.empty(side**2 + 1, batch, channels, dtype=wide.dtype)
    parts = threads.parts_for(x.numel(), batch * channels)
    threads.run(
        threads.compiled(pooled.means, wide.dtype), parts, numbers(batch, channels, height, width, side),
        wide, numbers(*wide.stride()), out, torch.empty(parts, 2 * width, dtype=wide.dtype),
    )  # fmt: skip
    return out.to(x.dtype)


def backward(g: Tensor, x: Tensor, side: int, needs: list[bool]) -> list[Tensor]:
    """The gradient in the map."""
    real = accumulator(x.dtype)
    batch, channels, height, width = x.shape
    out = empty_like_map(x.detach().to(real), x.shape)
    parts = threads.parts_for(x.numel(), batch * channels)
    threads.run(
        threads.compiled(pooled.gradient, real), parts, numbers(batch, channels, height, width, side),
        g.detach().to(real).contiguous(), out, numbers(*out.stride()), torch.empty(parts, width, dtype=real),
    )  # fmt: skip
    return [out.to(x.dtype)]

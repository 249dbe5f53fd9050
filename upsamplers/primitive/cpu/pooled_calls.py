"""From tensors to kernels, for the means of a map's cells."""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.primitive.cpu import packets, pooled, threads
from upsamplers.primitive.eager import accumulator


def forward(x: Tensor, side: int) -> Tensor:
    """[e² + 1, B, C]."""
    read, real = packets.readable(x), accumulator(x.dtype)
    batch, channels, height, width = x.shape
    out = torch.empty(side**2 + 1, batch, channels, dtype=read.dtype)
    together = packets.together(read)
    parts = threads.parts_for(x.numel(), batch * -(-channels // together))
    dims = packets.numbers(batch, channels, height, width, side, together)
    packets.run(
        threads.compiled(pooled.means, read.dtype), parts, dims, read, packets.numbers(*read.stride()), out,
        torch.empty(parts, 3 * together * width, dtype=real),
    )  # fmt: skip
    return out.to(x.dtype)


def backward(g: Tensor, x: Tensor, side: int, needs: list[bool]) -> list[Tensor]:
    """The gradient in the map."""
    real = accumulator(x.dtype)
    batch, channels, height, width = x.shape
    out = packets.map_like(packets.readable(x), x.shape)
    together = packets.together(out)
    parts = threads.parts_for(x.numel(), batch * -(-channels // together))
    dims = packets.numbers(batch, channels, height, width, side, together)
    packets.run(
        threads.compiled(pooled.gradient, out.dtype), parts, dims, g.detach().to(real).contiguous(), out,
        packets.numbers(*out.stride()), torch.empty(parts, together * width, dtype=real),
    )  # fmt: skip
    return [out.to(x.dtype)]

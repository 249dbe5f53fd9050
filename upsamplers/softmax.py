"""Softmax over an axis that is not the last, as kernels have their taps: engines are slow at it as one operation."""

from __future__ import annotations

from torch import Tensor

from upsamplers.primitive.eager import accumulator
from upsamplers.tracing import is_exporting


def softmax(x: Tensor, dim: int) -> Tensor:
    """Softmax along an axis. A program that is exported holds its five operations, each of which goes along rows."""
    if not is_exporting():
        return x.softmax(dim)
    high = x.to(accumulator(x.dtype))
    powers = (high - high.amax(dim, keepdim=True)).exp()
    return (powers / powers.sum(dim, keepdim=True)).to(x.dtype)

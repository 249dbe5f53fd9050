"""wᵀz as released code without a kernel of its own computes it: every window written out."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def unfolded(w: Tensor, z: Tensor, kernel_size: int) -> Tensor:
    """wᵀz with every window written out, for w [B, G, k², sH, sW] and a zero border."""
    groups, size = w.shape[1], w.shape[3:]
    windows = functional.unfold(z, kernel_size, padding=kernel_size // 2).unflatten(2, z.shape[2:])
    windows = functional.interpolate(windows, size=size).unflatten(1, (groups, -1, kernel_size**2))
    return (windows * w.unsqueeze(2)).sum(3).flatten(1, 2)

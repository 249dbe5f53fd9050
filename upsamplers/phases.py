"""Kernels from position alone: a separable filter's taps for every phase of an integer scale."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def phase_kernel(scale: int, kernel_size: int, taps: Callable[[float], dict[int, float]], like: Tensor) -> Tensor:
    """One phase of w, [1, 1, k², s, s], in the dtype and device of `like`.

    Phase p of scale s samples position (p + ½)/s − ½ relative to its low-resolution pixel (align_corners=False);
    `taps` gives the filter's weight for each integer offset from that pixel.
    """
    axis = torch.zeros(scale, kernel_size, dtype=torch.float64)
    for phase in range(scale):
        for offset, weight in taps((phase + 0.5) / scale - 0.5).items():
            axis[phase, offset + kernel_size // 2] = weight
    kernel = torch.einsum("yi,xj->ijyx", axis, axis).reshape(1, 1, kernel_size**2, scale, scale)
    return kernel.to(dtype=like.dtype, device=like.device)

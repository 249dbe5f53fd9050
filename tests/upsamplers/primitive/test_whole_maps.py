"""The primitives on whole maps, as operators call them, against plain PyTorch in float64 on the same device.

On a GPU the maps are those of the tables, so that the kernels are those that are timed; elsewhere they are small.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import upsamplers

TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 5e-3}
"""Of the norm of the error, as a share of that of the definition."""

WINDOWS = [(5, 1, "zero"), (5, 1, "replicate"), (3, 1, "zero"), (3, 4, "zero"), (1, 256, "zero")]


def draw(device: str, *shape: int) -> Tensor:
    """Standard normal numbers in float64, the same on every device."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64).to(device)


def all_three(w: Tensor, z: Tensor, g: Tensor, **named: Any) -> list[Tensor]:
    """y and both gradients."""
    w, z = w.detach().requires_grad_(), z.detach().requires_grad_()
    y = upsamplers.reassemble(w, z, scale=2, **named)
    return [y.detach(), *torch.autograd.grad(y, (w, z), g)]


def compare(w: Tensor, z: Tensor, g: Tensor, dtype: torch.dtype, channels_last: bool, **named: Any) -> None:
    w, z, g = (t.to(dtype) for t in (w, z, g))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    ours = all_three(w, z.to(memory_format=layout), g.to(memory_format=layout), **named)
    exact = all_three(w.double(), z.double(), g.double(), backend="eager", **named)
    for name, one, other in zip(("y", "gradient in w", "gradient in z"), ours, exact, strict=True):
        error = float((one.double() - other).norm() / other.norm())
        assert error <= TOLERANCE[dtype], f"{name}: {error:.2g}"


@pytest.mark.parametrize("channels_last", [False, True], ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("kernel_size", "groups", "border"), WINDOWS)
def test_a_window_agrees_on_the_whole_map(
    kernel_size: int, groups: int, border: str, dtype: torch.dtype, channels_last: bool, device: str
) -> None:
    channels, side = (256, 120) if device == "cuda" else (256, 6)
    w = draw(device, 1, groups, kernel_size**2, 2 * side, 2 * side).softmax(2)
    z, g = draw(device, 1, channels, side, side), draw(device, 1, channels, 2 * side, 2 * side)
    compare(w, z, g, dtype, channels_last, kernel_size=kernel_size, border=border)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_sampled_points_agree_on_the_whole_map(dtype: torch.dtype, device: str) -> None:
    channels, side = (128, 120) if device == "cuda" else (16, 6)
    grid = torch.stack(torch.meshgrid(torch.arange(2.0 * side), torch.arange(2.0 * side), indexing="xy")) / 2
    points = (grid.to(device) + draw(device, 1, 4, 2, 2 * side, 2 * side)).float()
    w = draw(device, 1, 4, 4, 2 * side, 2 * side).softmax(2)
    z, g = draw(device, 1, channels, side, side), draw(device, 1, channels, 2 * side, 2 * side)
    compare(w, z, g, dtype, False, kernel_size=2, points=points)

"""Launches the kernels that pool a map."""

from __future__ import annotations

from torch import Tensor

from upsamplers.primitive.cuda import launch, tiling
from upsamplers.primitive.cuda.cells import cell_means, cell_shares
from upsamplers.primitive.cuda.launch import Launch, arithmetic, blank_map


def forward(x: Tensor, side: int) -> Tensor:
    """[e² + 1, B, C]."""
    batch, channels, height, width = x.shape
    out = x.new_empty(side**2 + 1, batch, channels)
    columns = tiling.power_above(width)
    plan = Launch(
        cell_means,
        batch * channels,
        min(max(columns, 32), 256),
        (x.stride(), channels, batch * channels, height, width, side),
        {"COLUMNS": columns, "ACC": arithmetic(x.dtype)},
    )
    launch.launch(plan, x.device, x, out)
    return out


def backward(g: Tensor, x: Tensor, side: int, needs: list[bool]) -> list[Tensor]:
    """The gradient in the map."""
    batch, channels, height, width = x.shape
    out = blank_map(x, channels, height, width, x.dtype)
    columns = tiling.power_above(width)
    plan = Launch(
        cell_shares,
        batch * channels * height,
        min(max(columns, 32), 256),
        (out.stride(), channels, batch * channels, height, width, side),
        {"COLUMNS": columns, "ACC": arithmetic(x.dtype)},
    )
    launch.launch(plan, x.device, g.contiguous(), out)
    return [out]

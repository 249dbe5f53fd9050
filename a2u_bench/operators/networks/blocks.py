"""What the matting network is made of: residual blocks, the pyramid of dilated convolutions, and their convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from a2u_bench.operators.networks.matting import DecoderLevel

DILATIONS = (6, 12, 18)

Seen = tuple[Tensor | None, Tensor | None]
"""The feature before a halving, where the way up reads it, and the kernels that were made from it, if any."""


class ConvBlock(nn.Module):
    """A basic residual block; of stride 2 it is halved by a level after its first convolution, or by that itself."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, strided: bool = False) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride=stride if strided else 1)
        self.second = conv(outputs, outputs, 3, active=False)
        narrow = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if narrow else conv(inputs, outputs, 1, stride=stride, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W]."""
        return self._add(self.first(x), x)

    def halved(self, x: Tensor, level: DecoderLevel) -> tuple[Tensor, Seen]:
        """[B, inputs, 2H, 2W] to [B, outputs, H, W], and what the way up needs of the feature that was halved."""
        half, seen = level.down(self.first(x))
        return self._add(half, x), seen

    def _add(self, feature: Tensor, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.second(feature) + self.shortcut(x), 0.01)


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling, C to C channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.point = conv(channels, channels, 1)
        self.dilated = nn.ModuleList(
            nn.Sequential(conv(channels, channels, 3, d, groups=channels), conv(channels, channels, 1))
            for d in DILATIONS
        )
        self.pooled = conv(channels, channels, 1)
        self.join = conv((2 + len(DILATIONS)) * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C, H, W]."""
        pooled = self.pooled(x.mean((2, 3), keepdim=True)).expand_as(x)
        parts = [self.point(x), *(branch(x) for branch in self.dilated), pooled]
        joined: Tensor = self.join(torch.cat(parts, 1))
        return joined


def conv(
    inputs: int,
    outputs: int,
    side: int,
    dilation: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    active: bool = True,
) -> nn.Sequential:
    """A convolution without bias that keeps the size but for its stride, batch normalisation and, if active, ReLU."""
    padding = dilation * (side // 2)
    convolution = nn.Conv2d(inputs, outputs, side, stride, padding, dilation, groups, bias=False)
    layers = [convolution, nn.BatchNorm2d(outputs), *([nn.LeakyReLU(0.01)] if active else [])]
    return nn.Sequential(*layers)

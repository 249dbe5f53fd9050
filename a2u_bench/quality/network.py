"""The toy reconstruction network: three levels down, three up, with any pair in the loop.

Hao Lu, Yutong Dai, Chunhua Shen, Songcen Xu, "Index Networks", IEEE TPAMI 44(1), 2022, arXiv 1908.09895; Yutong Dai,
Hao Lu, Chunhua Shen, "Learning Affinity-Aware Upsampling for Deep Image Matting", CVPR 2021, arXiv 2011.14288.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from a2u_bench import operators
from a2u_bench.quality.pairs import Pair

WIDTHS = (32, 64, 128)
"""Channels before each downsampling, and after the upsampling of the same level."""

BOTTOM = 256


class Level(nn.Module):
    """One halving and the doubling that undoes it; guided operators see the feature from before the halving.

    Args:
        pair: the way down and the operator that goes up.
        channels: C of the feature before, and of the map after.

    Raises:
        Impossible: an operator that cannot serve these channels.
    """

    def __init__(self, pair: Pair, channels: int) -> None:
        super().__init__()
        self.how = pair.down
        self.up = operators.module(pair.operator.text, channels, twin=pair.down == "twin")
        self.guided = self.up.facts.guide != "none"
        self.strided = nn.Conv2d(channels, channels, 3, 2, 1) if pair.down == "conv" else None
        self.widens = 4 if pair.down == "s2d" else 1

    def down(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """[B, C, 2H, 2W] to [B, C, H, W], by space to depth [B, 4C, H, W]; a twin makes the way up's kernels too."""
        if self.how == "twin":
            halved: tuple[Tensor, Tensor | None] = self.up.halve(x)
            return halved
        if self.strided is not None:
            return self.strided(x), None
        return functional.pixel_unshuffle(x, 2) if self.how == "s2d" else functional.max_pool2d(x, 2), None

    def forward(self, z: Tensor, guide: Tensor, w: Tensor | None) -> Tensor:
        """z [B, C, H, W], the feature from before `down` and the kernels of `down`, if any, give [B, C, 2H, 2W]."""
        guide_or_none = guide if self.guided else None
        up: Tensor = self.up(z, guide_or_none) if w is None else self.up.assemble(w, z, guide_or_none)
        return up


class Reconstruction(nn.Module):
    """conv 1→32, down, →64, down, →128, down, →256, →128, up, →64, up, →32, up, →1; no feature skips the bottom.

    Convolutions are 3×3, followed by batch normalisation and ReLU, but the last. Their weights begin as N(0, 0.02),
    strided ones too, those of the normalisations as N(1, 0.02), biases as zero; operators begin as they are published.
    """

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        levels = [Level(pair, channels) for channels in WIDTHS]
        inputs = [1, *(level.widens * channels for level, channels in zip(levels, WIDTHS, strict=True))]
        self.levels = nn.ModuleList(levels)
        self.encode = nn.ModuleList(_block(*widths) for widths in zip(inputs, (*WIDTHS, BOTTOM), strict=True))
        self.turn = _block(BOTTOM, WIDTHS[2])
        last = nn.Conv2d(WIDTHS[0], 1, 3, padding=1)
        self.decode = nn.ModuleList([_block(WIDTHS[2], WIDTHS[1]), _block(WIDTHS[1], WIDTHS[0]), last])
        for own in (self.encode, self.turn, self.decode):
            own.apply(_begin)
        for level in levels:
            if level.strided is not None:
                _begin(level.strided)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, H, W] to [B, 1, H, W], H and W divisible by 8."""
        kept = []
        for encode, level in zip(list(self.encode)[:-1], self.levels, strict=True):
            guide = encode(x)  # [B, 32, H, W], [B, 64, H/2, W/2], [B, 128, H/4, W/4]
            x, w = cast(Level, level).down(guide)  # half the size
            kept.append((guide, w))
        x = self.turn(self.encode[-1](x))  # [B, 128, H/8, W/8]
        for decode, level in zip(self.decode, reversed(self.levels), strict=True):
            x = decode(level(x, *kept.pop()))  # twice the size: 64, 32, 1 channels
        return x


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _begin(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
    if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)) and layer.bias is not None:
        nn.init.zeros_(layer.bias)

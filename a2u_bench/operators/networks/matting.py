"""The UNet-like matting network of A2U: ResNet-34's blocks, output stride 16, with any operator in its four levels.

From RGB and trimap [B, 4, H, W] to alpha [B, 1, H, W]; H and W are multiples of 16.

* Stem: convolution 7×7, stride 1, 4→64; halved at full and at half resolution.
* Encoder: basic residual blocks, 3 of width 64, 4 of 128, 4 of 256. Stages two and three are halved after the first
  convolution of their first block, whose shortcut is a 1×1 convolution of stride 2 with batch normalisation.
* ASPP: 1×1, depthwise-separable 3×3 at dilation 6, 12, 18, image pooling, all of width 256; together 5·256→256.
* Decoder: four levels, each an upsampling, an added skip (convolution 3×3, batch normalisation) and two residual
  blocks: widths 256→128→64→64→32, a 1×1 projection where the width changes.
* Head: convolution 3×3 32→1, normalised, and 3×3 1→1.

A level's kernels come from the feature just before its halving, of width 64, 64, 128, 256: as many channels as its
decoder has. How a level is halved, `down`:

* `twin`: by the operator's own downsampling, with the parameters that both directions share;
* `pool`: by max pooling, for operators that read that feature and have no twin. Max-unpooling's twin is the same;
* `conv`: by the stride of the convolution itself, and by max pooling at half resolution, as in ResNet. There is no
  feature before the halving, so it is for operators that need none.

The published 8.61 GiMAC (1024³; convolutions, bilinear, 4×224×224) are those of `conv`, 8.608; with stem and first
convolutions at stride 1 they would be 9.370. Parameters are the same.

A normalisation is batch normalisation and leaky ReLU (0.01), without the latter at the end of a residual branch and in
skips. No convolution has a bias: with that, projections and shortcuts normalised, and both parts of each separable
convolution too, parameters are 8,049,003 with bilinear, as counted in the published network.

Yutong Dai, Hao Lu, Chunhua Shen, "Learning Affinity-Aware Upsampling for Deep Image Matting", CVPR 2021,
arXiv 2011.14288.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from a2u_bench import operators
from a2u_bench.errors import unknown
from a2u_bench.operators.networks.blocks import ConvBlock, Pyramid, Seen, conv

STRIDE = 16
"""Sides of the input are multiples of this."""

INPUTS = 4
"""Channels of the input: RGB and the trimap."""

WIDTHS = (64, 64, 128, 256)
"""Of the feature before each halving, and of what is upsampled at the same level."""

DECODED = (32, 64, 64, 128)
"""Channels that the decoder's blocks leave at each level."""

SKIPPED = (INPUTS, 64, 64, 128)
"""Channels of what is skipped to each level: the input, the halved stem, the stages of width 64 and 128."""

DOWNS = ("twin", "pool", "conv")


def usual_down(operator: str) -> str:
    """How the network is halved for an operator: by its twin, by pooling, or strided where it reads no guide."""
    facts = operators.facts(operators.operator(operator).name)
    if facts.guide == "none":
        return "conv"
    return "twin" if facts.twin else "pool"


class DecoderLevel(nn.Module):
    """One halving and the doubling that undoes it.

    Args:
        operator: an operator string.
        channels: of the feature before the halving, and of the map that is doubled.
        how: one of DOWNS.

    Raises:
        Impossible: an operator that cannot serve these channels, or be halved so.
    """

    def __init__(self, operator: str, channels: int, how: str) -> None:
        super().__init__()
        self.up = operators.module(operator, channels, twin=how == "twin")
        self.twin = how == "twin"
        self.guided = self.up.facts.guide != "none" and how != "conv"
        if how == "conv" and self.up.facts.guide == "required":
            raise operators.Impossible(
                f"{self.up.facts.name} reads the feature before a halving: pool or twin, not conv"
            )

    def down(self, x: Tensor) -> tuple[Tensor, Seen]:
        """[B, C, 2H, 2W] to [B, C, H, W], and what `forward` needs of x; a twin may have made the kernels already."""
        half, w = self.up.halve(x) if self.twin else (functional.max_pool2d(x, 2), None)
        return half, (x if self.guided else None, w)

    def forward(self, z: Tensor, seen: Seen) -> Tensor:
        """z [B, C, H, W] and what `down` saw give [B, C, 2H, 2W]."""
        guide, w = seen
        up: Tensor = self.up(z, guide) if w is None else self.up.assemble(w, z, guide)
        return up


class MattingNetwork(nn.Module):
    """Alpha [B, 1, H, W] of RGB and trimap [B, 4, H, W], with an operator in each of four levels.

    Args:
        operator: an operator string.
        down: one of DOWNS; by default what `usual_down` says.

    Raises:
        Impossible: an operator that cannot serve the channels of a level, or be halved so.
        UsageError: an operator that does not exist; another `down`.
    """

    def __init__(self, operator: str, down: str | None = None) -> None:
        super().__init__()
        how = usual_down(operator) if down is None else down
        if how not in DOWNS:
            raise unknown("way down", how, DOWNS)
        self.strided = how == "conv"
        self.levels = nn.ModuleList(DecoderLevel(operator, channels, how) for channels in WIDTHS)
        self.stem = conv(INPUTS, 64, 7, stride=2 if self.strided else 1)
        self.stages = nn.ModuleList([_stage(64, 64, 3), *(_stage(c // 2, c, 4, 2, self.strided) for c in (128, 256))])
        self.pyramid = Pyramid(256)
        self.skips = nn.ModuleList(conv(a, b, 3, active=False) for a, b in zip(SKIPPED, WIDTHS, strict=True))
        self.decode = nn.ModuleList(
            nn.Sequential(ConvBlock(a, b), ConvBlock(b, b)) for a, b in zip(WIDTHS, DECODED, strict=True)
        )
        last = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        # After an activation of one channel, nine weights whose sum is negative make no alpha: their network would stay
        # dead, which every other seed would give it.
        nn.init.constant_(last.weight, 1 / 9)
        self.head = nn.Sequential(conv(32, 1, 3), last)

    def forward(self, image: Tensor, guide: None = None) -> Tensor:
        """[B, 4, H, W] to [B, 1, H, W], which is not clamped to [0, 1]. No guide: so it is called as an operator is."""
        levels = cast(Sequence[DecoderLevel], self.levels)
        x = self.stem(image)
        seen: list[Seen] = [(None, None)] * len(levels)  # of each level, at its halving
        if not self.strided:
            x, seen[0] = levels[0].down(x)
        skipped = [image, x]
        x, seen[1] = levels[1].down(x)
        for index, stage in enumerate(self.stages):
            first, *rest = cast(Sequence[ConvBlock], stage)
            if index == 0 or self.strided:
                x = first(x)
            else:
                x, seen[index + 1] = first.halved(x, levels[index + 1])
            for block in rest:
                x = block(x)
            skipped.append(x)
        x = self.pyramid(x)
        for index in (3, 2, 1, 0):
            x = levels[index](x, seen[index]) + self.skips[index](skipped[index])
            x = self.decode[index](x)
        alpha: Tensor = self.head(x)
        return alpha

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds of one 4×height×width image: `convolutions`, and each upsampling by its operator's formula.

        What an operator spends on its own downsampling is not in it, as it is not in published tables.
        """
        sides = [(height >> depth, width >> depth) for depth in range(1, 5)]
        ups = (level.up.macs(*side) for level, side in zip(self.levels, sides, strict=True))  # type: ignore[union-attr,operator]
        return self.convolutions(height, width) + sum(ups)

    def convolutions(self, height: int, width: int) -> int:
        """Multiply-adds of the network's own convolutions for one 4×height×width image, without its operators'."""
        full = height * width
        total = _dense(self.stem) * (full >> 2 if self.strided else full)
        for index, stage in enumerate(self.stages):
            points = full >> (4 + 2 * index)
            total += _dense(stage) * points
            if index and not self.strided:  # the first convolution comes before the halving
                total += 3 * _dense(stage[0].first) * points  # type: ignore[index]
        total += (_dense(self.pyramid) - _dense(self.pyramid.pooled)) * (full >> 8) + _dense(self.pyramid.pooled)
        for depth, (skip, blocks) in enumerate(zip(self.skips, self.decode, strict=True)):
            total += (_dense(skip) + _dense(blocks)) * (full >> 2 * depth)
        return total + _dense(self.head) * full


def _stage(inputs: int, outputs: int, depth: int, stride: int = 1, strided: bool = False) -> nn.ModuleList:
    return nn.ModuleList(
        [ConvBlock(inputs, outputs, stride, strided), *(ConvBlock(outputs, outputs) for _ in range(1, depth))]
    )


def _dense(module: nn.Module) -> int:
    """Weights of a module's convolutions: multiply-adds per output point."""
    return sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Conv2d))

"""UPLiFT: z at twice the size, as often as it takes; each time wᵀz, by the attender of a guide that a decoder makes.

Encoder of the image, once: E₁ … E₅ = blocks of one 3×3 convolution to 16, 32, 64, 128, 128 channels. Step, the same
weights each time: d = block([z, E₅]) at z's size, u = conv2×2ᵀ(d) + bilinear₂(d) with corners aligned, guide =
block([u, E₄]) at u's size, each of two 3×3 convolutions to 64 channels; z ← wᵀz of `uplift`. A block is (conv3×3, norm,
ReLU) once or twice, conv1×1, plus the first channels of its input; maps of the image are taken at the nearest pixel.
Walmer et al., CVPR 2026.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.attender import SIDE, Attender, leading
from upsamplers.attender import Taps as Count
from upsamplers.convolution import Conv2d, ConvTranspose2d
from upsamplers.image_guided import ImageGuided, Size
from upsamplers.operator import Facts, Paper, Variant
from upsamplers.primitive import Taps, reassemble
from upsamplers.tracing import sides, sizes

ENCODED = (16, 32, 64, 128, 128)
"""Channels of the image's maps."""

WIDTH = 64
"""Channels of the guide."""

BORDER = "replicate"


class Block(nn.Module):
    """Convolutions of 3×3, each normalised, then one of 1×1, beside the first channels of the input."""

    def __init__(self, inputs: int, outputs: int, count: int) -> None:
        super().__init__()
        self.outputs = outputs
        layers: list[nn.Module] = []
        for number in range(count):
            convolution = Conv2d(outputs if number else inputs, outputs, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, Conv2d(outputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C′, H, W]."""
        return torch.add(self.layers(x), leading(x, self.outputs))

    @staticmethod
    def macs(inputs: int, outputs: int, count: int) -> int:
        """Multiply-adds a pixel."""
        return 9 * outputs * (inputs + (count - 1) * outputs) + outputs**2


class UpliftNet(ImageGuided):
    """UPLiFT as released for DINO, from its published description: its parameters are as many, 789,521 at C = 384; the
    values of the authors' weights were not compared. In training mode norms take statistics of the batch.

    The output is 2, 4, 8, … times as large as z, by one step for each 2: the released networks take four. `weights` are
    those of the last step, and what they read is what the steps before it gave.

    Parameters, C = channels, D = taps, by default 17, for an RGB image: 567,232 + 576·C + 65·D.

    Args:
        channels: C of z.
        guide_channels: Cg of the image, by default 3, ImageNet-normalised.
        scale: of the output whose size is not given: 2, 4, 8, 16 or 32.
        taps: D, offsets that an output reads.

    Raises:
        Unsupported: another scale.
    """

    facts = Facts(
        name="uplift_net",
        title="UPLiFT",
        family="first order",
        paper=Paper(
            "Matthew Walmer, Saksham Suri, Anirud Aggarwal, Abhinav Shrivastava",
            "UPLiFT: Efficient Pixel-Dense Feature Upsampling with Local Attenders",
            "CVPR",
            2026,
            "2601.17950",
        ),
        kernel_size=5,
        groups="1",
        taps="25 (D nonzero)",
        border="replicate",
        call="up(image, features) is op(features, image), with scale=16",
        guide="required",
        guide_size="any",
        scales=(2, 4, 8, 16, 32),
        variants=(Variant("default"),),
    )

    def __init__(
        self, channels: int | None, guide_channels: int | None = None, scale: int = 2, *, taps: Count = 17
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        self.count = int(taps)
        self.encoder = nn.ModuleList(Block(a, b, 1) for a, b in pairwise((self.guide_channels, *ENCODED)))
        self.before = Block(self.channels + ENCODED[-1], WIDTH, 2)
        self.enlarge = ConvTranspose2d(WIDTH, WIDTH, 2, 2)
        self.after = Block(WIDTH + ENCODED[-2], WIDTH, 2)
        self.attender = Attender(WIDTH, taps, residual=True)

    def check(self, z: Tensor, guide: Tensor | None, size: Size | None = None) -> None:
        """As every operator that an image guides, and the size must be z's, doubled."""
        super().check(z, guide, size)
        if size is not None and not steps(sides(z), self.size(z, size)):
            height, width = sizes(z)[2:]
            raise ValueError(
                f"uplift_net: size must be 2, 4, 8, … times that of z, ({height}, {width}); got {tuple(size)}"
            )

    def encoded(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """E₄ and E₅ [B, 128, H, W]."""
        x = image
        for block in self.encoder[:-1]:
            x = block(x)
        return x, self.encoder[-1](x)

    def guide(self, z: Tensor, shallow: Tensor, deep: Tensor) -> Tensor:
        """The attender's guide [B, 64, 2h, 2w] for z [B, C, h, w]."""
        height, width = sides(z)
        x = self.before(torch.cat([z, nearest(deep, (height, width))], 1))
        large = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = torch.cat([self.enlarge(x) + large, nearest(shallow, (2 * height, 2 * width))], 1)
        del large
        out: Tensor = self.after(x)
        return out

    def _last(self, z: Tensor, image: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """The last step's kernels and what they read."""
        maps = self.encoded(image)
        w = self.attender(self.guide(z, *maps))
        for _ in range(steps(sides(z), size) - 1):
            z = reassemble(w, z, scale=2, kernel_size=SIDE, border=BORDER)
            w = self.attender(self.guide(z, *maps))
        return w, z

    def weights(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> Tensor:
        """The kernels w [B, 1, 25, Ho, Wo] of the last step."""
        self.check(z, guide, size)
        assert guide is not None
        return self._last(z, guide, self.size(z, size))[0]

    def reads(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> tuple[Tensor, dict[str, Any]]:
        """What the last step reads, and its window."""
        assert guide is not None
        return self._last(z, guide, self.size(z, size))[1], {"scale": 2, "kernel_size": SIDE, "border": BORDER}

    def table(self, z_size: Size, size: Size) -> Taps:
        """The window in what the last step reads, which has half the output's size."""
        return Taps.window((size[0] // 2, size[1] // 2), 2, SIDE, BORDER)

    def forward(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> Tensor:
        """The upsampled features [B, C, *size] of z [B, C, h, w] by an image [B, Cg, H, W] of any size."""
        self.check(z, guide, size)
        assert guide is not None
        w, source = self._last(z, guide, self.size(z, size))
        return reassemble(w, source, scale=2, kernel_size=SIDE, border=BORDER)

    def macs(self, height: int, width: int) -> int:
        """The encoder of an image of the output's size and each step, D taps an output."""
        return self._macs(height, width, self.count)

    def computed_macs(self, height: int, width: int) -> int:
        """The window's zeros are multiplied too."""
        return self._macs(height, width, SIDE**2)

    def _macs(self, height: int, width: int, taps: int) -> int:
        pixels = self.scale**2 * height * width
        total = pixels * sum(Block.macs(a, b, 1) for a, b in pairwise((self.guide_channels, *ENCODED)))
        cells = height * width
        low = ENCODED[-1] + Block.macs(self.channels + ENCODED[-1], WIDTH, 2) + 4 * WIDTH**2
        high = 4 * WIDTH + Block.macs(WIDTH + ENCODED[-2], WIDTH, 2) + WIDTH * self.count + taps * self.channels
        while cells < pixels:
            copies = ENCODED[-2] if 4 * cells < pixels else 0  # the last step has the image's size
            total += cells * low + 4 * cells * (high + copies)
            cells *= 4
        return total


def nearest(x: Tensor, size: Size) -> Tensor:
    """A map at the nearest pixels of this size."""
    return x if sides(x) == size else functional.interpolate(x, size, mode="nearest")


def steps(z_size: Size, size: Size) -> int:
    """How often z is doubled to have this size; 0 where it never has."""
    for count in range(1, 32):
        if size == (z_size[0] << count, z_size[1] << count):
            return count
    return 0

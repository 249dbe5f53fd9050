"""JAFAR: w = mean over heads of a softmax over all cells of z, with keys that z modulates.

As `head_mean` says, with pooled maps normalised by groups (GN8, no affine) and keys k = γ(f)·GN8(AAP(Enc_1(e), h×w)) +
β(f), f = Enc_1(z/‖z‖). Every cell is read by every pixel: K = h·w. Couairon et al., NeurIPS 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d
from upsamplers.head_mean import HeadMean
from upsamplers.image_encoder import encoder
from upsamplers.image_guided import Size
from upsamplers.operator import Facts, Paper
from upsamplers.primitive import Taps
from upsamplers.primitive.taps import Table, constant

NAMES = ("norm1", "conv1", "norm2", "conv2")


class Modulation(nn.Module):
    """γ(f)·x + β(f)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = Conv2d(width, width, 1, bias=False)
        self.beta = Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """[B, d, h, w] of two maps of that shape."""
        out: Tensor = self.gamma(features) * x + self.beta(features)
        return out


class Jafar(HeadMean):
    """JAFAR. w has h·w taps: it is made in blocks of rows, and nothing of its size is ever held.

    Parameters, d = width: 31d² + dC + 41d, 562,304 at C = 384; the authors' module has d² + dC + 2d + C more that have
    no effect.

    Args:
        channels: C of z, which the parameters depend on.
        guide_channels: Cg of the image, by default 3, ImageNet-normalised.
        scale: of the output whose size is not given.
        heads: whose softmax is averaged; divides width.
        width: d, a multiple of 8.
        image_kernel_size: side of the first convolution of the image, odd.

    Raises:
        OptionError: an option out of its range.
        Unsupported: a width that does not divide, or no channels.
    """

    facts = Facts(
        name="jafar",
        title="JAFAR",
        family="second order",
        paper=Paper(
            "Paul Couairon, Loick Chambon, Louis Serrano, Jean-Emmanuel Haugeard, Matthieu Cord, Nicolas Thome",
            "JAFAR: Jack up Any Feature at Any Resolution",
            "NeurIPS",
            2025,
            "2506.11136",
        ),
        kernel_size=0,
        groups="1",
        taps="h·w",
        call="jafar(image, features, output_size) is op(features, image, output_size)",
        guide="required",
        border="table",
        guide_size="any",
    )
    normalised = True

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        heads: int = 4,
        width: int = 128,
        image_kernel_size: int = 1,
    ) -> None:
        super().__init__(channels, guide_channels, scale, heads, width, image_kernel_size, NAMES)
        self.key_features_encoder = encoder(self.channels, width, 1, NAMES)
        self.sft_key = Modulation(width)

    def table(self, z_size: Size, size: Size) -> Taps:
        return Taps(*every(*z_size, *size))

    def from_z(self, z: Tensor) -> Tensor:
        features: Tensor = self.key_features_encoder(functional.normalize(z, dim=1))
        return features

    def keys(self, from_z: Tensor, from_image: Tensor) -> Tensor:
        keys: Tensor = self.sft_key(from_image, from_z)
        return keys

    def cell_macs(self) -> int:
        return self.channels * self.width + 6 * self.width**2

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Channels and widths follow; heads are not in the weights."""
        arguments = cls.shared_layout(state)
        arguments["channels"] = state["key_features_encoder.0.weight"].shape[1]
        shape = {"width": arguments["width"], "image_kernel_size": arguments["image_kernel_size"]}
        with torch.device("meta"):  # our layers have the authors' names
            own = cls(arguments["channels"], arguments["guide_channels"], heads=1, **shape)
        return arguments, {key: key for key in own.state_dict()}


@constant
def every(height: int, width: int, rows: int, columns: int) -> tuple[Table, Table]:
    """Tables of windows that are all of z."""
    cells = range(height * width)
    return (tuple(n // width for n in cells),) * rows, (tuple(n % width for n in cells),) * columns

"""NAF: w = softmax of the inner products of a pixel's code with those of the k×k low-resolution cells around it.

x = AAP([E₁(I), E₃(I)], Ho×Wo), turned by position; q = x, key = AAP(x, h×w); w = softmax(⟨q_g, key_g⟩/√e) for each of
G heads, [B, G, k², Ho, Wo], over a window that is shifted inside at the border. E_k: a k×k convolution and two blocks
(GN8, SiLU, conv k×k)², biased, mirrored, no residual. z never enters w. Chambon et al., CVPR 2026.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.errors import Unsupported
from upsamplers.image_encoder import GROUPS, Reflected, pooled, turned
from upsamplers.image_guided import Size
from upsamplers.neighbourhood import Block, NeighbourhoodAttention
from upsamplers.operator import Facts, Paper, check_option
from upsamplers.tracing import sides

SHRUNK = 4
"""An image more than so many times as large as the output along an axis is shrunk first."""


class Rotation(nn.Module):
    """Turns each head's pairs of channels by angles that grow with the position; periods are stored."""

    periods: Tensor

    def __init__(self, width: int, heads: int, base: float = 100.0) -> None:
        super().__init__()
        self.heads, quarter = heads, width // heads // 4
        self.register_buffer("periods", base ** (torch.arange(quarter) / max(quarter, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, H, W] of the same shape."""
        periods = self.periods.to(torch.promote_types(x.dtype, torch.float32))
        places = [(2 * torch.arange(n, device=x.device) + 1).to(periods.dtype) / n - 1 for n in sides(x)]
        rows, columns = (2 * math.pi * place / periods[:, None] for place in places)  # [e/4, H], [e/4, W]
        height, width = sides(x)
        both = [rows[:, :, None].expand(-1, -1, width), columns[:, None].expand(-1, height, -1)]
        return turned(x, self.heads, torch.cat(both))


class ImageEncoder(nn.Module):
    """Codes of every pixel of an image, by its own colour and by its neighbourhood."""

    def __init__(self, inputs: int, width: int, rope_heads: int) -> None:
        super().__init__()
        half = width // 2
        for name, side in (("encoder", 1), ("sem_encoder", 3)):
            layers = (Reflected(inputs, half, side), Block(half, side), Block(half, side))
            self.add_module(name, nn.Sequential(*layers))
        self.rope = Rotation(width, rope_heads)

    def forward(self, image: Tensor, size: Size) -> Tensor:
        """[B, D, *size] of an image [B, Cg, H, W]."""
        out: Tensor = self.rope(self._codes(image, size))
        return out

    def _codes(self, image: Tensor, size: Size) -> Tensor:
        return torch.cat([pooled(self.get_submodule(name)(image), size) for name in ("encoder", "sem_encoder")], 1)


class Naf(NeighbourhoodAttention):
    """Neighbourhood attention filtering: one module for every encoder, since z has no part in its kernels.

    Parameters, c = width/2: 40c² + 56c, 662,528 at width 256 and three channels of the image. No build step and no
    NATTEN: its shifted windows are a tap table.

    Args:
        channels: C of z, a multiple of heads; None for any.
        guide_channels: Cg of the image, by default 3, ImageNet-normalised.
        scale: of the output whose size is not given.
        heads: G, parts of the channels of z with weights of their own.
        rope_heads: heads of the rotation.
        kernel_size: k, cells of z along a side of the window; z must have as many.
        width: D, channels of the codes; width/2 is a multiple of 8, width of heads and of 4·rope_heads.

    Raises:
        OptionError: an option below 1.
        Unsupported: channels or a width that do not divide.
    """

    facts = Facts(
        name="naf",
        title="NAF",
        family="second order",
        paper=Paper(
            "Loick Chambon, Paul Couairon, Eloi Zablocki, Alexandre Boulch, Nicolas Thome, Matthieu Cord",
            "NAF: Zero-Shot Feature Upsampling via Neighborhood Attention Filtering",
            "CVPR",
            2026,
            "2511.18452",
        ),
        kernel_size=9,
        groups="heads",
        taps="k²",
        call="naf(image, features, output_size) is op(features, image, output_size)",
        guide="required",
        border="table",
        guide_size="any",
        any_channels=True,
    )

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        heads: int = 4,
        rope_heads: int = 4,
        kernel_size: int = 9,
        width: int = 256,
    ) -> None:
        super().__init__(channels, guide_channels, scale, heads, kernel_size, width)
        check_option(rope_heads >= 1, "naf", "rope_heads", rope_heads, "an integer >= 1")
        if width % (2 * GROUPS) or width % heads or width % (4 * rope_heads):
            given = f"width={width}, heads={heads}, rope_heads={rope_heads}"
            raise Unsupported(f"naf: width must be a multiple of 16, heads and 4·rope_heads; got {given}")
        self.rope_heads = rope_heads
        self.image_encoder = ImageEncoder(self.guide_channels, width, rope_heads)

    def prepare(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Tensor, ...]:
        """Codes of the pixels of the output [B, D, Ho, Wo] and of the cells of z [B, D, h, w]."""
        height, width = sides(guide)
        most = [SHRUNK * side for side in size]
        if height > most[0] or width > most[1]:  # both sides by the smaller bound, as the released weights know it
            shrunk = (min(height, *most), min(width, *most))
            guide = functional.interpolate(guide, shrunk, mode="bilinear", align_corners=False)
        codes = self.image_encoder(guide, size)
        return codes, pooled(codes, sides(z))

    def pixel_macs(self) -> int:
        """Of both branches."""
        half = self.width // 2
        return 10 * self.guide_channels * half + 40 * half**2

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Width and the rotation's heads follow; heads and the window's side are not in the weights."""
        half, inputs = state["image_encoder.encoder.0.weight"].shape[:2]
        quarter = state["image_encoder.rope.periods"].shape[0]
        arguments = {
            "channels": options.get("channels"),
            "guide_channels": inputs,
            "width": 2 * half,
            "rope_heads": 2 * half // (4 * quarter),
        }
        norms = [f"{one}.{part}" for one in ("norm1", "conv1", "norm2", "conv2") for part in ("weight", "bias")]
        layers = ["0.weight", "0.bias", *(f"{block}.{name}" for block in (1, 2) for name in norms)]
        keys = [f"image_encoder.{side}.{layer}" for side in ("encoder", "sem_encoder") for layer in layers]
        return arguments, {key: key for key in (*keys, "image_encoder.rope.periods")}

"""RaysUp: NAF's attention with codes that are turned by the rays of a camera instead of by positions.

x = four encoders of D/4 channels side by side: 1×1 with two blocks, 1×3, 3×1 and 2×2 dilated by 2, with one each. q =
AAP(x, Ho×Wo) and key = AAP(x, h×w), each turned back by the rays of its own size: ray (u, v, 1)/‖·‖, u = (j + ½)/W − ½,
v = (i + ½)/H − ½; angles 2π/8·3^f·(0, 0, 0, ray) for each frequency f < e/12, the rest 0. w = softmax(⟨q_g, key_g⟩/√e)
over 6×6 cells, shifted inside at the border. ECCV 2026.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from upsamplers.errors import Unsupported
from upsamplers.image_encoder import GROUPS, Reflected, pooled, turned
from upsamplers.image_guided import Size
from upsamplers.neighbourhood import Block, NeighbourhoodAttention
from upsamplers.operator import Facts, Paper
from upsamplers.tracing import sides

BRANCHES: dict[str, tuple[tuple[int, int], int, int]] = {
    "enc_center": ((1, 1), 1, 2),
    "enc_horiz": ((1, 3), 1, 1),
    "enc_vert": ((3, 1), 1, 1),
    "enc_corners": ((2, 2), 2, 1),
}
"""Each encoder: its kernel, its dilation and its blocks, in the order of their channels."""


class RaysUp(NeighbourhoodAttention):
    """RaysUp with the poses of its release: the camera at the origin, its focal length the size of the image.

    No weights are released. Parameters, c = width/4: 24c² + 67c, 102,592 at width 256; the paper prints 0.14 M.

    Args:
        channels: C of z, a multiple of heads; None for any.
        guide_channels: Cg of the image, by default 3.
        scale: of the output whose size is not given.
        heads: G, parts of the channels of z with weights of their own.
        kernel_size: k, cells of z along a side of the window; z must have as many.
        width: D; width/4 is a multiple of 8.

    Raises:
        OptionError: an option below 1.
        Unsupported: channels or a width that do not divide.
    """

    facts = Facts(
        name="raysup",
        title="RaysUp",
        family="second order",
        paper=Paper(
            "Linfei Li, Lin Zhang, Ying Shen",
            "RaysUp: Ultra-light Universal Feature Upsampling via Geometry-Aware Ray Representation",
            "ECCV",
            2026,
            "2606.22749",
        ),
        kernel_size=6,
        groups="heads",
        taps="k²",
        guide="required",
        border="table",
        guide_size="any",
        call="raysup(image, features, poses, output_size) is op(features, image, output_size)",
        any_channels=True,
    )

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        heads: int = 4,
        kernel_size: int = 6,
        width: int = 256,
    ) -> None:
        super().__init__(channels, guide_channels, scale, heads, kernel_size, width)
        if width % (4 * GROUPS) or width % (2 * heads):
            raise Unsupported(f"raysup: width must be a multiple of 32 and 2·heads; got width={width}, heads={heads}")
        quarter = width // 4
        encoders = nn.Module()
        for name, (side, dilation, blocks) in BRANCHES.items():
            first = Reflected(self.guide_channels, quarter, side, dilation=dilation)
            encoders.add_module(name, nn.Sequential(first, *(Block(quarter, side, dilation) for _ in range(blocks))))
        self.image_tokenizer = nn.Module()
        self.image_tokenizer.img_encoder = encoders

    def prepare(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Tensor, ...]:
        """Codes of the pixels of the output [B, D, Ho, Wo] and of the cells of z [B, D, h, w]."""
        encoders = [self.get_submodule(f"image_tokenizer.img_encoder.{name}") for name in BRANCHES]
        codes = torch.cat([encoder(guide) for encoder in encoders], 1)
        return self._turned(pooled(codes, size)), self._turned(pooled(codes, sides(z)))

    def _turned(self, x: Tensor) -> Tensor:
        """Codes [B, D, H, W] of each head turned back by the angles of their rays."""
        half = self.width // self.heads // 2
        return turned(x, self.heads, -ray_angles(*sides(x), half, x))

    def pixel_macs(self) -> int:
        """Of the four branches."""
        quarter = self.width // 4
        taps = {name: math.prod(side) for name, (side, _, _) in BRANCHES.items()}
        first = sum(taps.values()) * self.guide_channels * quarter
        return first + sum(2 * blocks * taps[name] for name, (_, _, blocks) in BRANCHES.items()) * quarter**2

    @classmethod
    def unwrapped(cls, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a checkpoint holds under `raysup`."""
        inner = state.get("raysup")
        return inner if isinstance(inner, Mapping) else state

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The width follows; heads and the window's side are not in the weights."""
        quarter, inputs, _, _ = state["image_tokenizer.img_encoder.enc_center.0.weight"].shape
        arguments = {"channels": options.get("channels"), "guide_channels": inputs, "width": 4 * quarter}
        with torch.device("meta"):  # our layers have the authors' names
            own = cls(None, inputs, heads=1, width=4 * quarter)
        return arguments, {key: key for key in own.state_dict()}


def ray_angles(height: int, width: int, count: int, like: Tensor) -> Tensor:
    """Angles [count, H, W] by frequency, then (camera's centre, which is 0; ray); 0 for what is left over."""
    kind = torch.promote_types(like.dtype, torch.float32)
    v, u = ((torch.arange(n, device=like.device, dtype=kind) + 0.5) / n - 0.5 for n in (height, width))
    rays = torch.stack(
        [u.expand(height, width), v[:, None].expand(height, width), torch.ones_like(u).expand(height, -1)]
    )
    rays = rays / rays.square().sum(0, keepdim=True).sqrt()
    centre = torch.zeros_like(rays)
    parts = [part * (2 * math.pi / 8 * 3**f) for f in range(count // 6) for part in (centre, rays)]
    rest = count - 6 * (count // 6)
    return torch.cat([*parts, centre.new_zeros(rest, height, width)])

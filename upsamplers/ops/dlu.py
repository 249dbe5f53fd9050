"""DLU: a small space of kernels at low resolution, which every output point reads bilinearly where a convolution says.

S = softmax over k² of conv3×3(c₁), [B, k², H, W], and o = pixel_shuffle(conv3×3(c₁)), [B, 2, sH, sW], from the same
c₁ = conv1×1(z); w_i = S read at ⌊i/s⌋ + o_i, clamped to the map: a convex mix of kernels, so its taps sum to one.
w [B, 1, k², sH, sW]; the window is k×k around ⌊i/s⌋, zero outside. Fu et al., 2024.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from upsamplers.convolution import Conv2d
from upsamplers.errors import StateDictError
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive import reassemble
from upsamplers.sampling import clamped, corner_weights, pixels
from upsamplers.shuffle import pixel_shuffle
from upsamplers.softmax import softmax


class DLU(Upsampler):
    """Dynamic Lightweight Upsampling: CARAFE whose kernels are generated at low resolution and resampled.

    With zero offsets, as it starts, all s² phases of a pixel share its kernel. On a map of one row or column every
    position along that side is the one there is. Coordinates are computed in at least float32.

    Parameters: m(C + 1) + (9m + 1)(k² + 2s²), 35,489 at C = 256 and scale 2.

    Args:
        channels: C of z.
        guide_channels: of no effect.
        scale: s >= 1.
        kernel_size: k, odd.
        compressed_channels: m, the width of c₁.
        encoder_kernel_size: side of the two convolutions that read c₁, odd.
        encoder_dilation: their dilation.

    Raises:
        OptionError: an even kernel, or a size below 1.
    """

    facts = Facts(
        name="dlu",
        title="DLU",
        family="first order",
        paper=Paper(
            "Ruigang Fu, Qingyong Hu, Xiaohu Dong, Yinghui Gao, Biao Li, Ping Zhong",
            "Lighten CARAFE: Dynamic Lightweight Upsampling with Guided Reassemble Kernels",
            "arXiv",
            2024,
            "2410.22139",
        ),
        kernel_size=5,
        groups="1",
        taps="k²",
        variants=(Variant("default"), Variant("k 3", {"kernel_size": 3})),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 5,
        compressed_channels: int = 64,
        encoder_kernel_size: int = 3,
        encoder_dilation: int = 1,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        for name, side in (("kernel_size", kernel_size), ("encoder_kernel_size", encoder_kernel_size)):
            check_option(side >= 1 and side % 2 == 1, "dlu", name, side, "an odd integer >= 1")
        for name, value in (("compressed_channels", compressed_channels), ("encoder_dilation", encoder_dilation)):
            check_option(value >= 1, "dlu", name, value, "an integer >= 1")
        self.kernel_size = kernel_size
        margin = encoder_dilation * (encoder_kernel_size - 1) // 2
        self.compressor = Conv2d(channels, compressed_channels, 1)
        self.space, self.offset = (
            Conv2d(compressed_channels, made, encoder_kernel_size, padding=margin, dilation=encoder_dilation)
            for made in (kernel_size**2, 2 * scale**2)
        )
        nn.init.xavier_uniform_(self.compressor.weight)
        nn.init.normal_(self.space.weight, std=0.001)
        nn.init.zeros_(self.offset.weight)
        for layer in (self.compressor, self.space, self.offset):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, k², sH, sW]; the taps sum to one."""
        compressed = self.compressor(z)
        space = softmax(self.space(compressed), 1)  # [B, k², H, W]
        precise = torch.promote_types(z.dtype, torch.float32)
        offset = pixel_shuffle(self.offset(compressed), self.scale).to(precise)  # [B, 2, sH, sW]
        (rows, columns), (height, width) = pixels(z, self.scale), z.shape[-2:]
        x, y = clamped(offset[:, :1] + columns, width - 1), clamped(offset[:, 1:] + rows, height - 1)
        points, corners = torch.stack([x, y], 2).detach(), corner_weights(x, y).to(space.dtype)
        w = reassemble(corners, space, scale=self.scale, kernel_size=2, border="replicate", points=points)
        return w.unsqueeze(1)

    def macs(self, height: int, width: int) -> int:
        """Per low-resolution point: m·C + 9m(k² + 2s²) + 4k²s² + k²s²·C."""
        taps, area = self.kernel_size**2, self.scale**2
        compressed, side = self.compressor.out_channels, self.space.kernel_size[0]
        generator = compressed * (self.channels + side**2 * (taps + 2 * area))
        return (generator + (4 + self.channels) * taps * area) * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """All but the dilation follows: s from the two offsets of each phase, k from the space of kernels."""
        compressed, channels = state["channel_compressor.weight"].shape[:2]
        taps, _, side, _ = state["kernel_space_generator.weight"].shape
        offsets = state["conv_offset.weight"].shape[0]
        scale, kernel_size = math.isqrt(offsets // 2), math.isqrt(taps)
        for key, count, whole in (
            ("conv_offset.weight", offsets, 2 * scale**2),
            ("kernel_space_generator.weight", taps, kernel_size**2),
        ):
            if count != whole or not count:
                raise StateDictError(f"{key!r} is {list(state[key].shape)}: {count} outputs are of no scale and kernel")
        arguments = {
            "channels": channels,
            "guide_channels": channels,
            "scale": scale,
            "kernel_size": kernel_size,
            "compressed_channels": compressed,
            "encoder_kernel_size": side,
        }
        names = {"channel_compressor": "compressor", "kernel_space_generator": "space", "conv_offset": "offset"}
        return arguments, {f"{theirs}.{p}": f"{own}.{p}" for theirs, own in names.items() for p in ("weight", "bias")}

"""What FADE and FADE-Lite share: kernels by semi-shift convolution, and a gate between the guide and wᵀz.

logits = conv3×3(E) + nearest↑(conv3×3(D)), E = conv1×1(guide) with bias, D = conv1×1(z) without: one 3×3 convolution
reads both maps, each at its own resolution, so its bias enters twice. w = softmax of the logits over the k² taps, and
out = gate·guide + (1 − gate)·wᵀz with gate = sigmoid(nearest↑(conv1×1(z))).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from upsamplers.convolution import Conv2d
from upsamplers.errors import Unsupported
from upsamplers.fused import gated, normalised_kernels
from upsamplers.operator import Upsampler, check_option
from upsamplers.repeat import repeated


class SemiShiftUpsampler(Upsampler):
    """Base of both operators; they differ in the width of E and D and in the 3×3 convolution's groups.

    Args:
        channels: C of z.
        guide_channels: C of the guide; must be `channels`, for the gate mixes the two.
        scale: 2.
        kernel_size: k, odd.
        compressed: channels of E and D.
        encoder_groups: groups of the 3×3 convolution.
    """

    def __init__(
        self,
        channels: int,
        guide_channels: int | None,
        scale: int,
        kernel_size: int,
        compressed: int,
        encoder_groups: int,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        name = self.facts.name
        check_option(kernel_size >= 1 and kernel_size % 2 == 1, name, "kernel_size", kernel_size, "odd, >= 1")
        if self.guide_channels != channels:
            raise Unsupported(f"{name}: guide and z must be equally wide; got {self.guide_channels} and {channels}")
        self.kernel_size = kernel_size
        self.compress_guide = Conv2d(channels, compressed, 1)
        self.compress_z = Conv2d(channels, compressed, 1, bias=False)
        self.encode = Conv2d(compressed, kernel_size**2, 3, padding=1, groups=encoder_groups)
        self.gate = Conv2d(channels, 1, 1)
        for convolution in (self.compress_guide, self.compress_z, self.encode, self.gate):
            nn.init.xavier_uniform_(convolution.weight)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, k², sH, sW], each kernel summing to one."""
        assert guide is not None
        of_guide = self.encode(self.compress_guide(guide))  # [B, k², sH, sW]
        of_z = self.encode(self.compress_z(z))  # [B, k², H, W]
        return normalised_kernels(of_guide, of_z, 1, self.scale, 1, False, 1.0, False, True)

    def gates(self, z: Tensor) -> Tensor:
        """How much of the guide each output point takes, [B, 1, sH, sW] in (0, 1)."""
        return repeated(self.gate(z).sigmoid(), self.scale)

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """gate·guide + (1 − gate)·up."""
        assert guide is not None
        return gated(up, guide, self.gate(z), self.scale)

    def macs(self, height: int, width: int) -> int:
        """1×1 convolutions, the 3×3 one at both resolutions, reassembly, and the gate at 2 per output element."""
        c, h, taps, area = self.channels, self.encode.in_channels, self.kernel_size**2, self.scale**2
        encoder = 9 * taps * (h // self.encode.groups)
        return ((area + 1) * (c * h + encoder) + c + area * c * (taps + 2)) * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Widths and k follow from the shapes of the compressors and the content encoder."""
        compressor, encoder = state["ker_generator.compressor_en.weight"], state["ker_generator.content_encoder.weight"]
        arguments = {
            "channels": state["ker_generator.compressor_de.weight"].shape[1],
            "guide_channels": compressor.shape[1],
            "kernel_size": math.isqrt(encoder.shape[0]),
        }
        keys = {
            "ker_generator.compressor_en.weight": "compress_guide.weight",
            "ker_generator.compressor_en.bias": "compress_guide.bias",
            "ker_generator.compressor_de.weight": "compress_z.weight",
            "ker_generator.content_encoder.weight": "encode.weight",
            "ker_generator.content_encoder.bias": "encode.bias",
            "gate_generator.conv.weight": "gate.weight",
            "gate_generator.conv.bias": "gate.bias",
        }
        return arguments, keys

"""Convex upsampling (RAFT): w = softmax over 9 of a small head on z: every output point is a convex combination.

logits = 0.25·conv1×1(ReLU(conv3×3(z))), C → 2C → 9s², as 9 taps for each of the s² phases; w [B, 1, 9, sH, sW];
outside the map is zero. Teed and Deng, ECCV 2020.
"""

from __future__ import annotations

from torch import Tensor

from upsamplers.convolution import Conv2d
from upsamplers.fused import normalised_kernels
from upsamplers.operator import Facts, Paper, Upsampler

LOGIT_SCALE = 0.25
"""RAFT's factor on the logits, there to balance gradients."""


class Convex(Upsampler):
    """RAFT's convex upsampling at any integer scale, its mask head reading z itself.

    18C² + 2C + 9s²(2C + 1) parameters; 18C² + 27s²C multiply-adds per low-resolution point.
    """

    facts = Facts(
        name="convex",
        title="Convex upsampling (RAFT)",
        label="convex (RAFT)",
        family="first order",
        paper=Paper(
            "Zachary Teed, Jia Deng",
            "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow",
            "ECCV",
            2020,
            "2003.12039",
        ),
        kernel_size=3,
        groups="1",
        taps="9",
    )

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2) -> None:
        super().__init__(channels, guide_channels, scale)
        self.hidden = Conv2d(channels, 2 * channels, 3, padding=1)
        self.mask = Conv2d(2 * channels, self.kernel_size**2 * scale**2, 1)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, 9, sH, sW], each kernel summing to one; mask channel t·s² + y·s + x is tap t of phase (y, x)."""
        logits = self.mask(self.hidden(z).relu())
        return normalised_kernels(logits, None, self.scale, 1, 1, False, LOGIT_SCALE, False, True)

    def macs(self, height: int, width: int) -> int:
        """The head's two convolutions, and 9 per output element."""
        c, phases = self.channels, self.scale**2
        return (18 * c**2 + 18 * phases * c + 9 * phases * c) * height * width

"""Bilinear interpolation: w = max(0, 1 − |d|) along each axis, in the 3×3 window at ⌊i/s⌋."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from upsamplers.operator import Facts, Paper, Upsampler
from upsamplers.phases import phase_kernel


def linear_taps(position: float) -> dict[int, float]:
    """Weights of the two pixels around a position."""
    left = math.floor(position)
    return {left: 1 - (position - left), left + 1: position - left}


class Bilinear(Upsampler):
    """Bilinear interpolation, align_corners=False: w [1, 1, 9, s, s]; the border is replicated."""

    facts = Facts(
        name="bilinear",
        title="Bilinear interpolation",
        label="bilinear",
        family="distance-based",
        paper=Paper("Rafael C. Gonzalez, Richard E. Woods", "Digital Image Processing, 4th edition", "Pearson", 2018),
        kernel_size=3,
        groups="1",
        taps="9 (4 nonzero)",
        border="replicate",
    )

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, 1, 9, s, s]."""
        return phase_kernel(self.scale, self.kernel_size, linear_taps, z)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """torch's own kernel; equals `reassemble(weights(z), z)`."""
        self.check(z, guide)
        return functional.interpolate(z, scale_factor=self.scale, mode="bilinear", align_corners=False)

    def macs(self, height: int, width: int) -> int:
        """4 per output element."""
        return 4 * self.channels * height * width * self.scale**2

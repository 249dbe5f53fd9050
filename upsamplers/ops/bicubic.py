"""Bicubic interpolation: Keys' cubic convolution with a = −0.75 along each axis, in the 5×5 window at ⌊i/s⌋."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from upsamplers.operator import Facts, Paper, Upsampler
from upsamplers.phases import phase_kernel

A = -0.75
"""Keys' free parameter, as torch and OpenCV have it."""


def keys_cubic(distance: float) -> float:
    """Keys' kernel at a distance from the sampled position."""
    d = abs(distance)
    if d <= 1:
        return (A + 2) * d**3 - (A + 3) * d**2 + 1
    return A * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def cubic_taps(position: float) -> dict[int, float]:
    """Weights of the four pixels around a position."""
    left = math.floor(position)
    return {offset: keys_cubic(position - offset) for offset in range(left - 1, left + 3)}


class Bicubic(Upsampler):
    """Bicubic interpolation, align_corners=False: w [1, 1, 25, s, s] with negative lobes; the border is replicated."""

    facts = Facts(
        name="bicubic",
        title="Bicubic interpolation",
        label="bicubic",
        family="distance-based",
        paper=Paper(
            "Robert G. Keys",
            "Cubic convolution interpolation for digital image processing",
            "IEEE Trans. ASSP 29(6)",
            1981,
        ),
        kernel_size=5,
        groups="1",
        taps="25 (16 nonzero)",
        border="replicate",
    )

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, 1, 25, s, s]."""
        return phase_kernel(self.scale, self.kernel_size, cubic_taps, z)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """torch's own kernel; equals `reassemble(weights(z), z)`."""
        self.check(z, guide)
        return functional.interpolate(z, scale_factor=self.scale, mode="bicubic", align_corners=False)

    def macs(self, height: int, width: int) -> int:
        """16 per output element."""
        return 16 * self.channels * height * width * self.scale**2

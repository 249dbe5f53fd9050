"""Nearest neighbour: w = 1, one tap at the low-resolution pixel that covers the output point."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from upsamplers.operator import Facts, Paper, Upsampler


class Nearest(Upsampler):
    """Nearest-neighbour interpolation: w [1, 1, 1, s, s] of ones."""

    facts = Facts(
        name="nearest",
        title="Nearest-neighbour interpolation",
        label="nearest",
        family="distance-based",
        paper=Paper("Rafael C. Gonzalez, Richard E. Woods", "Digital Image Processing, 4th edition", "Pearson", 2018),
        kernel_size=1,
        groups="1",
        taps="1",
        border="replicate",
    )

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, 1, 1, s, s]."""
        return z.new_ones(1, 1, 1, self.scale, self.scale)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """torch's own kernel; equals `reassemble(weights(z), z)`."""
        self.check(z, guide)
        return functional.interpolate(z, scale_factor=self.scale, mode="nearest")

    def macs(self, height: int, width: int) -> int:
        """1 per output element."""
        return self.channels * height * width * self.scale**2

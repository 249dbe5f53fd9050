"""Deconvolution: w is a learned parameter, one 3×3 kernel per phase, contracting over input channels.

ConvTranspose2d(C, C, 2s − 1, stride s, padding s − 1, output_padding s − 1) puts output y = s·i + (t − s + 1) for
input i and tap t: every output lies between two input pixels, so its phase reads taps of the 3×3 window at ⌊y/s⌋:
phase p reads pixel ⌊y/s⌋ + d with tap t = p − s·d + s − 1, where 0 ≤ t ≤ 2s − 2: d = 0 always,
and d = 1 but for phase 0.
"""

from __future__ import annotations

from torch import Tensor

from upsamplers.convolution import ConvTranspose2d
from upsamplers.operator import Facts, Paper, Upsampler


class Deconv(Upsampler):
    """Deconvolution (transposed convolution) with bias: w [1, C, C·9, s, s].

    At scale 2 this is ConvTranspose2d(C, C, 3, stride=2, padding=1, output_padding=1), as published baselines have
    it; at any scale s the kernel is 2s − 1 with padding and output padding s − 1.
    """

    facts = Facts(
        name="deconv",
        title="Deconvolution",
        label="deconvolution",
        family="learned static",
        paper=Paper(
            "Hyeonwoo Noh, Seunghoon Hong, Bohyung Han",
            "Learning Deconvolution Network for Semantic Segmentation",
            "ICCV",
            2015,
            "1505.04366",
        ),
        kernel_size=3,
        groups="C",
        taps="C·k²",
        mixes_channels=True,
    )

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2) -> None:
        super().__init__(channels, guide_channels, scale)
        side = 2 * scale - 1
        self.transposed = ConvTranspose2d(
            channels, channels, side, stride=scale, padding=scale - 1, output_padding=scale - 1
        )

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, C, C·9, s, s]: for each phase, which tap of the transposed kernel falls on each pixel of the window."""
        kernel = self.transposed.weight  # [C_in, C_out, 2s−1, 2s−1]
        window = kernel.new_zeros(self.channels, self.channels, 3, 3, self.scale, self.scale)
        for (row, y, v), (column, x, u) in ((a, b) for a in self._reads() for b in self._reads()):
            window[:, :, row, column, y, x] = kernel[:, :, v, u]
        return window.transpose(0, 1).reshape(1, self.channels, -1, self.scale, self.scale)

    def _reads(self) -> list[tuple[int, int, int]]:
        """(row of the window, phase, tap) for every tap that a phase reads along one axis."""
        s = self.scale
        taps = ((d + 1, p, p - s * d + s - 1) for p in range(s) for d in (-1, 0, 1))
        return [(row, p, tap) for row, p, tap in taps if 0 <= tap <= 2 * s - 2]

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """Adds the bias."""
        bias = self.transposed.bias
        return up if bias is None else up + bias[:, None, None]

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """torch's own kernel; equals the reassembly plus the bias."""
        self.check(z, guide)
        up: Tensor = self.transposed(z)
        return up

    def macs(self, height: int, width: int) -> int:
        """(2s − 1)²·C² per low-resolution point; 9·C² at scale 2."""
        return (2 * self.scale - 1) ** 2 * self.channels**2 * height * width

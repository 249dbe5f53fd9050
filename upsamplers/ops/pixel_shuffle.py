"""Pixel shuffle (sub-pixel convolution): w is a learned parameter, one 3×3 kernel per output phase and channel."""

from __future__ import annotations

from torch import Tensor

from upsamplers.convolution import Conv2d
from upsamplers.operator import Facts, Paper, Upsampler
from upsamplers.shuffle import pixel_shuffle


class PixelShuffle(Upsampler):
    """Convolution C → s²·C with bias, then pixel shuffle: w [1, C, C·9, s, s], contracting over input channels."""

    facts = Facts(
        name="pixel_shuffle",
        title="Pixel shuffle",
        label="pixel shuffle",
        family="learned static",
        paper=Paper(
            "Wenzhe Shi, Jose Caballero, Ferenc Huszár, Johannes Totz, Andrew P. Aitken, Rob Bishop, "
            "Daniel Rueckert, Zehan Wang",
            "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural "
            "Network",
            "CVPR",
            2016,
            "1609.05158",
        ),
        kernel_size=3,
        groups="C",
        taps="C·k²",
        mixes_channels=True,
    )

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2) -> None:
        super().__init__(channels, guide_channels, scale)
        self.convolution = Conv2d(channels, scale**2 * channels, self.kernel_size, padding=1)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, C, C·9, s, s]: convolution channel c·s² + y·s + x is phase (y, x) of output channel c."""
        kernel = self.convolution.weight.unflatten(0, (self.channels, self.scale, self.scale))  # [C, s, s, C_in, 3, 3]
        return kernel.permute(0, 3, 4, 5, 1, 2).reshape(1, self.channels, -1, self.scale, self.scale)

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """Adds the bias of each channel and phase."""
        bias = self.convolution.bias
        if bias is None:
            return up
        phases = bias.view(self.channels, self.scale, self.scale)
        return up + phases.repeat(1, *z.shape[-2:])

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """torch's own kernels; equals the reassembly plus the bias."""
        self.check(z, guide)
        return pixel_shuffle(self.convolution(z), self.scale)

    def macs(self, height: int, width: int) -> int:
        """9·s²·C² per low-resolution point; 36·C² at scale 2."""
        return 9 * self.scale**2 * self.channels**2 * height * width

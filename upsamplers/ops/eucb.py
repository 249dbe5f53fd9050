"""EUCB: nearest upsampling, a depthwise 3×3 convolution, batch normalisation, ReLU and a 1×1 convolution.

The first two are linear and one static w, [1, C, 9, s, s]: of a tap that falls on the same pixel of z as another, the
weights add up. At scale 2 phase 0 has k₀ and k₁ + k₂ along each axis, phase 1 has k₀ + k₁ and k₂. Zero outside. The
rest is the epilogue, which may change the width. Rahman et al., CVPR 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option


class EUCB(Upsampler):
    """Efficient up-convolution block of EMCAD, from its published formula; its code's licence forbids copies.

    The paper shuffles channels in C groups before the last convolution, which leaves them where they are, and
    upsamples by 2; any scale is possible here. In training mode the normalisation takes statistics of the batch.

    Parameters: 11C + CC′ + C′, C′ the output's width; 68,608 at 256.

    Args:
        channels: C of z.
        guide_channels: of no effect.
        scale: s >= 1.
        out_channels: C′, channels of the output; C unless given.
    """

    facts = Facts(
        name="eucb",
        title="EUCB",
        family="learned static",
        paper=Paper(
            "Md Mostafijur Rahman, Mustafa Munir, Radu Marculescu",
            "EMCAD: Efficient Multi-scale Convolutional Attention Decoding for Medical Image Segmentation",
            "CVPR",
            2024,
            "2405.06880",
        ),
        kernel_size=3,
        groups="C",
        taps="k²",
        variants=(Variant("default"),),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        out_channels: int | None = None,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        width = channels if out_channels is None else out_channels
        check_option(width >= 1, "eucb", "out_channels", width, "an integer >= 1")
        self.out_channels = width
        self.depthwise = Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.pointwise = Conv2d(channels, width, 1)
        for layer in (self.depthwise, self.pointwise):
            nn.init.normal_(layer.weight, std=0.02)
        nn.init.zeros_(self.pointwise.bias)  # type: ignore[arg-type]  # there is one

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, C, 9, s, s]: the depthwise kernel's taps, added up where they read the same pixel of z."""
        kernel = self.depthwise.weight[:, 0]  # [C, 3, 3]
        rows = by_phase(kernel.movedim(-2, -1), self.scale)  # [C, 3 columns, s, 3]
        both = by_phase(rows.movedim(1, -1), self.scale)  # [C, s, 3 rows, s, 3 columns]
        return both.permute(0, 2, 4, 1, 3).flatten(1, 2)[None]

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map [B, C′, sH, sW], by torch's own kernels; stored statistics go into the convolution."""
        self.check(z, guide)
        nearest = functional.interpolate(z, scale_factor=self.scale)
        if self.norm.training:
            return self.epilogue(self.depthwise(nearest), z, guide)
        share, shift = affine(self.norm)
        up = self.depthwise._conv_forward(nearest, self.depthwise.weight * share.view(-1, 1, 1, 1), shift)
        activated: Tensor = self.pointwise(up.relu())
        return activated

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """conv1×1(ReLU(norm(up))), [B, C′, sH, sW]."""
        activated: Tensor = self.pointwise(self.norm(up).relu())
        return activated

    def macs(self, height: int, width: int) -> int:
        """Per output element of z's width: 9 for wᵀz, and C′ for the last convolution."""
        return self.scale**2 * self.channels * (9 + self.out_channels) * height * width

    def computed_macs(self, height: int, width: int) -> int:
        """Counters take the copies of nearest upsampling for one each."""
        return self.macs(height, width) + self.scale**2 * self.channels * height * width


def affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a normalisation by stored statistics multiplies each channel by, and then adds."""
    assert norm.running_mean is not None and norm.running_var is not None
    share = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return share, norm.bias - norm.running_mean * share


def by_phase(kernel: Tensor, scale: int) -> Tensor:
    """Three taps [..., 3] on an upsampled axis as taps on z's, for each phase: [..., s, 3]."""
    phases = []
    for phase in range(scale):
        taps = [torch.zeros_like(kernel[..., 0])] * 3
        for place in range(3):
            pixel = (phase + place - 1) // scale + 1
            taps[pixel] = taps[pixel] + kernel[..., place]
        phases.append(torch.stack(taps, -1))
    return torch.stack(phases, -2)

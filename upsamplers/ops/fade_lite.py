"""FADE-Lite: FADE whose compressors give k² channels at once, so that its 3×3 convolution is depthwise.

E = conv1×1(guide) → 25, D = conv1×1(z) → 25; logits = dwconv3×3(E) + nearest↑2(dwconv3×3(D)) with the same weights.
w [B, 1, 25, 2H, 2W]; out = gate·guide + (1 − gate)·wᵀz. Lu et al., IJCV 2024.
"""

from __future__ import annotations

from upsamplers.operator import Facts, Paper
from upsamplers.semi_shift import SemiShiftUpsampler


class FadeLite(SemiShiftUpsampler):
    """FADE-Lite, ×2, with its gate; guide and z must be equally wide.

    At the default 51C + 276 parameters and 234C + 1,125 multiply-adds per low-resolution point.

    Args:
        channels: C of z and of the guide.
        guide_channels: the same.
        scale: 2.
        kernel_size: k, odd.
    """

    facts = Facts(
        name="fade_lite",
        title="FADE-Lite",
        family="first order",
        paper=Paper(
            "Hao Lu, Wenze Liu, Hongtao Fu, Zhiguo Cao",
            "FADE: A Task-Agnostic Upsampling Operator for Encoder-Decoder Architectures",
            "IJCV",
            2024,
            "2407.13500",
        ),
        kernel_size=5,
        groups="1",
        taps="k²",
        guide="required",
        scales=(2,),
    )

    def __init__(
        self, channels: int, guide_channels: int | None = None, scale: int = 2, *, kernel_size: int = 5
    ) -> None:
        taps = kernel_size**2
        super().__init__(channels, guide_channels, scale, kernel_size, compressed=taps, encoder_groups=taps)

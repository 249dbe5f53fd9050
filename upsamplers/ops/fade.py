"""FADE: w = softmax over k² of a semi-shift convolution of guide and z, then a gate between the guide and wᵀz.

E = conv1×1(guide) → 64, D = conv1×1(z) → 64; logits = conv3×3(E) + nearest↑2(conv3×3(D)) with the same 3×3 weights.
w [B, 1, 25, 2H, 2W]; out = gate·guide + (1 − gate)·wᵀz. Lu et al., ECCV 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from upsamplers.operator import Facts, Paper, check_option
from upsamplers.semi_shift import SemiShiftUpsampler


class Fade(SemiShiftUpsampler):
    """FADE, ×2, with its gate; guide and z must be equally wide.

    At the defaults 129C + 14,490 parameters and 429C + 72,000 multiply-adds per low-resolution point.

    Args:
        channels: C of z and of the guide.
        guide_channels: the same.
        scale: 2.
        kernel_size: k, odd.
        compressed_channels: width of E and D.
    """

    facts = Facts(
        name="fade",
        title="FADE",
        family="first order",
        paper=Paper(
            "Hao Lu, Wenze Liu, Hongtao Fu, Zhiguo Cao",
            "FADE: Fusing the Assets of Decoder and Encoder for Task-Agnostic Upsampling",
            "ECCV",
            2022,
            "2207.10392",
        ),
        kernel_size=5,
        groups="1",
        taps="k²",
        guide="required",
        scales=(2,),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 5,
        compressed_channels: int = 64,
    ) -> None:
        check_option(compressed_channels >= 1, "fade", "compressed_channels", compressed_channels, ">= 1")
        super().__init__(channels, guide_channels, scale, kernel_size, compressed_channels, encoder_groups=1)

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Widths and k follow from the shapes of the compressors and the content encoder."""
        arguments, keys = super().official(state, options)
        return {**arguments, "compressed_channels": state["ker_generator.compressor_en.weight"].shape[0]}, keys

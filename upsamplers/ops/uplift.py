"""UPLiFT's local attender: w = softmax over D offsets of a 1×1 convolution of the guide, plus its first D channels.

w [B, 1, 25, sH, sW]: the offsets lie in the 5×5 window at ⌊i/s⌋, zero elsewhere; the border is replicated. D is 5
(|dy| + |dx| ≤ 1), 9 (3×3), 13 (|dy| + |dx| ≤ 2), 17 (those and the four (±2, ±2)) or 25. Walmer et al., CVPR 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from upsamplers.attender import SIDE, Attender, Taps
from upsamplers.operator import Facts, Paper, Upsampler, Variant


class Uplift(Upsampler):
    """The step of UPLiFT that upsamples. Its guide is a feature map of the output's size, which in `uplift_net` a
    network makes of the image.

    Parameters: (Cg + 1)·D, 1,105 for a guide of 64 channels.

    Args:
        channels: C of z.
        guide_channels: Cg; defaults to `channels`.
        scale: s >= 1; in the released networks 2, four times.
        taps: D.
        residual: whether the guide's first D channels are added to the logits, as many as there are.
    """

    facts = Facts(
        name="uplift",
        title="UPLiFT's attender",
        family="first order",
        paper=Paper(
            "Matthew Walmer, Saksham Suri, Anirud Aggarwal, Abhinav Shrivastava",
            "UPLiFT: Efficient Pixel-Dense Feature Upsampling with Local Attenders",
            "CVPR",
            2026,
            "2601.17950",
        ),
        kernel_size=5,
        groups="1",
        taps="25 (D nonzero)",
        border="replicate",
        call="attender(guide, value) is op(value, guide)",
        guide="required",
        variants=(
            Variant("default"),
            Variant("5 taps", {"taps": 5}),
            Variant("25 taps", {"taps": 25}),
            Variant("no residual", {"residual": False}),
        ),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        taps: Taps = 17,
        residual: bool = True,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        self.count = int(taps)
        self.attender = Attender(self.guide_channels, taps, residual)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, 25, sH, sW]."""
        assert guide is not None
        w: Tensor = self.attender(guide)
        return w

    def macs(self, height: int, width: int) -> int:
        """D·(Cg + C) an output."""
        return self.count * (self.guide_channels + self.channels) * self.scale**2 * height * width

    def computed_macs(self, height: int, width: int) -> int:
        """The window's zeros are multiplied too."""
        return (self.count * self.guide_channels + SIDE**2 * self.channels) * self.scale**2 * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Taps and the guide's channels follow; z's channels, the scale and the residual are not in the weights."""
        taps, guide_channels = state["conv1.weight"].shape[:2]
        arguments = {"channels": options.get("channels", guide_channels), "guide_channels": guide_channels}
        return arguments | {"taps": taps}, {f"conv1.{part}": f"attender.conv1.{part}" for part in ("weight", "bias")}

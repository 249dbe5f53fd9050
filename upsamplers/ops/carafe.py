"""CARAFE: w = softmax over k² of what two convolutions read in z itself; every output phase has its own logits.

logits = pixel_shuffle(conv3×3(conv1×1(z))), [B, G·k², sH, sW] from s²·G·k² channels; w = softmax over the k² of each
group, **after** the shuffle. The window is k×k around ⌊i/s⌋, and the border is zero: kernels lose mass there (a
constant 1 gives 0.36 = 9/25 in the corner of a box filter), which is true to the paper.

The twin is CARAFE++'s downsampling: logits = conv3×3 of stride s (conv1×1(x)), [B, G·k², H, W]; w = softmax over k².
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d
from upsamplers.errors import StateDictError, Unsupported
from upsamplers.fused import normalised_kernels
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option


class Carafe(Upsampler):
    """CARAFE: w [B, G, k², sH, sW] from z alone; its twin (CARAFE++) [B, G, k², H, W] from the map to downsample.

    The twin follows Wang et al., "CARAFE++: Unified Content-Aware ReAssembly of FEatures", IEEE TPAMI 44(9), 2022,
    arXiv 2012.04733: the same generator with parameters of its own, the encoder at stride s, no shuffle. The paper
    compresses to 16 channels there and to 64 for upsampling; here `compressed_channels` holds for both. The paper
    centres the window of point p on pixel s·p; here encoder and reassembly both follow the downsampling primitive: a
    window of k starts at s·p − ⌊(k − s)/2⌋, so that it is centred on the s×s block (for even s, half a pixel after).

    Args:
        channels: C of z.
        guide_channels: C of the map that the twin downsamples; upsampling takes no guide.
        scale: s >= 1.
        kernel_size: k, odd.
        groups: G; divides C, and with the twin also `guide_channels`.
        compressed_channels: width after the 1×1 convolution.
        encoder_kernel_size: side of the second convolution, odd.
        encoder_dilation: its dilation.
        border: what lies outside z, in both directions. The convolutions pad with zeros whatever it is.
        twin: build the downsampling generator too.

    Raises:
        OptionError: an even kernel, or a size below 1.
        Unsupported: channels that the groups do not divide.
    """

    facts = Facts(
        name="carafe",
        title="CARAFE",
        family="first order",
        paper=Paper(
            "Jiaqi Wang, Kai Chen, Rui Xu, Ziwei Liu, Chen Change Loy, Dahua Lin",
            "CARAFE: Content-Aware ReAssembly of FEatures",
            "ICCV",
            2019,
            "1905.02188",
        ),
        kernel_size=5,
        groups="groups",
        taps="k²",
        twin=True,
        variants=(
            Variant("default"),
            Variant("k 3", {"kernel_size": 3}),
            Variant("replicate", {"border": "replicate"}),
        ),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 5,
        groups: int = 1,
        compressed_channels: int = 64,
        encoder_kernel_size: int = 3,
        encoder_dilation: int = 1,
        border: Literal["zero", "replicate", "reflect"] = "zero",
        twin: bool = False,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        for name, side in (("kernel_size", kernel_size), ("encoder_kernel_size", encoder_kernel_size)):
            check_option(side >= 1 and side % 2 == 1, "carafe", name, side, "an odd integer >= 1")
        positive = {"groups": groups, "compressed_channels": compressed_channels, "encoder_dilation": encoder_dilation}
        for name, value in positive.items():
            check_option(value >= 1, "carafe", name, value, "an integer >= 1")
        for width in (channels, self.guide_channels) if twin else (channels,):
            if width % groups:
                raise Unsupported(f"carafe: groups={groups} does not divide {width} channels")
        self.kernel_size, self.groups, self.border, self.twin = kernel_size, groups, border, twin
        taps, side, dilation = groups * kernel_size**2, encoder_kernel_size, encoder_dilation
        self.compressor = Conv2d(channels, compressed_channels, 1)
        self.encoder = Conv2d(
            compressed_channels, scale**2 * taps, side, padding=dilation * (side - 1) // 2, dilation=dilation
        )
        if twin:
            self.down_compressor = Conv2d(self.guide_channels, compressed_channels, 1)
            self.down_encoder = Conv2d(compressed_channels, taps, side, stride=scale, dilation=dilation)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier for the compressors; encoders N(0, 0.001), so that every kernel starts close to a box filter."""
        for name, layer in self.named_children():
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            if name.endswith("encoder"):
                nn.init.normal_(layer.weight, std=0.001)
            else:
                nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, G, k², sH, sW]; the taps of each group sum to one."""
        logits = self.encoder(self.compressor(z))  # [B, G·k²·s², H, W]
        return normalised_kernels(logits, None, self.scale, 1, self.groups, False, 1.0, False, True)

    @property
    def down_kernel_size(self) -> int:
        """k, as in upsampling."""
        return self.kernel_size

    def down_weights(self, guide: Tensor) -> Tensor:
        """w [B, G, k², H, W] for the map that is downsampled, [B, Cg, sH, sW]."""
        if not self.twin:
            return super().down_weights(guide)
        extent = self.down_encoder.dilation[0] * (self.down_encoder.kernel_size[0] - 1) + 1
        before = (extent - self.scale) // 2  # negative where the window is smaller than the block: cropped
        after = extent - self.scale - before
        compressed = functional.pad(self.down_compressor(guide), (before, after, before, after))
        logits = self.down_encoder(compressed)  # [B, G·k², H, W]
        return normalised_kernels(logits, None, 1, 1, self.groups, False, 1.0, False, True)

    def macs(self, height: int, width: int) -> int:
        """Per low-resolution point at scale 2 with the defaults: 64·C + 57,600 + 100·C."""
        taps = self.scale**2 * self.kernel_size**2
        compressed, side = self.compressor.out_channels, self.encoder.kernel_size[0]
        generator = self.channels * compressed + compressed * side**2 * self.groups * taps
        return (generator + self.channels * taps) * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """`channel_compressor` and `content_encoder`; of kernel_size and groups one tells the other, groups being 1."""
        compressed, channels = state["channel_compressor.weight"].shape[:2]
        outputs, _, side, _ = state["content_encoder.weight"].shape
        taps = outputs // options["scale"] ** 2  # G·k²
        if "kernel_size" in options:
            kernel_size = options["kernel_size"]
            groups = options.get("groups", max(taps // max(kernel_size, 1) ** 2, 1))
        else:
            groups = options.get("groups", 1)
            kernel_size = math.isqrt(taps // max(groups, 1))
            if groups * kernel_size**2 * options["scale"] ** 2 != outputs or kernel_size % 2 == 0:
                raise StateDictError(
                    f"'content_encoder.weight' is {list(state['content_encoder.weight'].shape)}: {outputs} is not "
                    f"scale²·groups·kernel_size² for scale={options['scale']}, groups={groups} and an odd kernel_size; "
                    "give those that it was trained with"
                )
        arguments = {
            "channels": channels,
            "guide_channels": channels,
            "compressed_channels": compressed,
            "encoder_kernel_size": side,
            "kernel_size": kernel_size,
            "groups": groups,
            "twin": False,
        }
        names = {"channel_compressor": "compressor", "content_encoder": "encoder"}
        return arguments, {f"{theirs}.{p}": f"{own}.{p}" for theirs, own in names.items() for p in ("weight", "bias")}

"""DDF-Up: in each of the s² output phases, w is a filter a point times (or plus) a filter a channel, both normalised.

f_s = N(conv1×1(dw3×3(z)))/k, [B, h, k², sH, sW]; f_c = N(conv1×1(ReLU(conv1×1(mean of z))))·σ, [B, C, k², s, s], σ
learned; N takes the mean from the k² taps and divides by their standard deviation. w = f_s·f_c or f_s + f_c,
[B, C, k², sH, sW]: never normalised, zero outside. Zhou et al., CVPR 2021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from upsamplers.convolution import Conv2d
from upsamplers.errors import StateDictError, Unsupported
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive.products import reassemble_product

SIDE, TAPS = 3, 9
"""The released code fails for any other kernel than 3×3."""


class DDFUp(Upsampler):
    """Decoupled dynamic filters as an upsampler. With C channels, w has C·k² values a point and is never built whole.

    The released module always fails, for it passes the heads where the combination is expected; this is its formula.

    Parameters, μ = ⌊C/5⌋: s²(10C + hk²(C + 1) + Cμ + μ + (μ + 2)Ck²), 560,368 at C = 256 and scale 2; 10C less for
    each phase with a joint map.

    Args:
        channels: C of z, at least 5.
        guide_channels: channels of the joint map.
        scale: s >= 1.
        combine: product or sum of the two filters.
        heads: h, filters a point, each for its share of the channels; divides C.
        dilation: d, pixels of z from one tap to the next.
        joint: whether the filters a point are made of a second map, which takes the guide's place. It has z's size.
    """

    facts = Facts(
        name="ddf_up",
        title="DDF-Up",
        family="first order",
        paper=Paper(
            "Jingkai Zhou, Varun Jampani, Zhixiong Pi, Qiong Liu, Ming-Hsuan Yang",
            "Decoupled Dynamic Filter Networks",
            "CVPR",
            2021,
            "2104.14107",
        ),
        kernel_size=SIDE,
        groups="C",
        taps="k²",
        variants=(
            Variant("mul"),
            Variant("add", {"combine": "add"}),
            Variant("4 heads", {"heads": 4}),
            Variant("dilation 2", {"dilation": 2}),
        ),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        combine: Literal["mul", "add"] = "mul",
        heads: int = 1,
        dilation: int = 1,
        joint: bool = False,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(heads >= 1, "ddf_up", "heads", heads, "an integer >= 1")
        check_option(dilation >= 1, "ddf_up", "dilation", dilation, "an integer >= 1")
        if channels < 5 or channels % heads:
            raise Unsupported(f"ddf_up: channels must be >= 5 and a multiple of heads; got {channels} and {heads}")
        self.combine, self.heads, self.dilation, self.joint = combine, heads, dilation, joint
        self.kernel_size = dilation * (SIDE - 1) + 1  # of the window that has all taps
        read, squeezed, phases = self.guide_channels if joint else channels, channels // 5, range(scale**2)
        self.spatial = nn.ModuleList(nn.Sequential(Conv2d(read, heads * TAPS, 1)) for _ in phases)
        if not joint:
            for phase in self.spatial:
                phase.insert(0, Conv2d(channels, channels, SIDE, padding=1, groups=channels))  # type: ignore[operator]
        self.channel = nn.ModuleList(
            nn.Sequential(Conv2d(channels, squeezed, 1), nn.ReLU(), Conv2d(squeezed, channels * TAPS, 1))
            for _ in phases
        )
        self.std = nn.ParameterList(torch.randn(channels * TAPS) / SIDE for _ in phases)

    @property
    def needs_guide(self) -> Literal["none", "optional", "required"]:
        """A joint map is required where the filters were built for one."""
        return "required" if self.joint else "none"

    def guide_size(self, height: int, width: int) -> tuple[int, int]:
        """The joint map is as large as z."""
        return (height, width) if self.joint else super().guide_size(height, width)

    def filters(self, z: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """f_s [B, h, k², sH, sW] and f_c [B, C, k², s, s]."""
        source = guide if self.joint and guide is not None else z
        by_point = torch.stack([normalised(phase(source).unflatten(1, (-1, TAPS))) for phase in self.spatial], -1)
        mean = z.mean((-2, -1), keepdim=True)
        by_channel = [
            normalised(phase(mean).flatten(1).unflatten(1, (-1, TAPS))) * std.view(-1, TAPS)
            for phase, std in zip(self.channel, self.std, strict=True)
        ]
        square = by_point.unflatten(-1, (self.scale, self.scale)).movedim(-2, -3)  # [B, h, k², H, s, W, s]
        spatial = square.flatten(-2).flatten(-3, -2) / SIDE
        return spatial, torch.stack(by_channel, -1).unflatten(-1, (self.scale, self.scale))

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, C, K, sH, sW], K = (2d + 1)² of which k² taps are not zero. For a figure or a test: it is large."""
        spatial, channel = self.filters(z, guide)
        spatial = spatial.repeat_interleave(self.channels // self.heads, 1)
        channel = channel.repeat(1, 1, 1, *z.shape[-2:])
        w = spatial * channel if self.combine == "mul" else spatial + channel
        if self.dilation == 1:
            return w
        apart = w.new_zeros(*w.shape[:2], self.kernel_size, self.kernel_size, *w.shape[-2:])
        apart[:, :, :: self.dilation, :: self.dilation] = w.unflatten(2, (SIDE, SIDE))
        return apart.flatten(2, 3)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map [B, C, sH, sW], from the two filters as they are."""
        self.check(z, guide)
        spatial, channel = self.filters(z, guide)
        options = {"scale": self.scale, "kernel_size": SIDE, "dilation": self.dilation}
        return reassemble_product(spatial, channel, z, **options, added=self.combine == "add")

    def macs(self, height: int, width: int) -> int:
        """The convolutions of each phase, and for each output element k² for combining the filters and k² for wᵀz."""
        c, squeezed, area = self.channels, self.channels // 5, self.scale**2
        convolutions = self.heads * TAPS * self.guide_channels if self.joint else (1 + self.heads) * TAPS * c
        full = (height + -height % self.dilation) * (width + -width % self.dilation)
        return area * (convolutions * height * width + 2 * TAPS * c * full + (1 + TAPS) * c * squeezed)

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Scale, heads and whether there is a joint map follow; how filters combine and the dilation do not."""
        phases = len({key.split(".")[1] for key in state if key.startswith("channel_branch.")})
        channels = state["channel_branch.0.1.weight"].shape[1]
        joint = not any(key.startswith("spatial_branch.0.1.") for key in state)
        outputs, read = state["spatial_branch.0.0.weight" if joint else "spatial_branch.0.1.0.weight"].shape[:2]
        scale = max(math.isqrt(phases), 1)
        if scale**2 != phases:
            raise StateDictError(f"{phases} phases in the keys 'channel_branch.…': a whole number squared was expected")
        arguments = {
            "channels": channels,
            "guide_channels": read,
            "scale": scale,
            "heads": outputs // TAPS,
            "joint": joint,
        }
        own = {"channel_branch.{}.1": "channel.{}.0", "channel_branch.{}.3": "channel.{}.2"}
        own |= {"spatial_branch.{}.0": "spatial.{}.0"} | ({} if joint else {"spatial_branch.{}.1.0": "spatial.{}.1"})
        keys = {f"channel_branch.{p}.4.std": f"std.{p}" for p in range(phases)}
        for theirs, ours in own.items():
            for p in range(phases):
                keys |= {f"{theirs.format(p)}.{part}": f"{ours.format(p)}.{part}" for part in ("weight", "bias")}
        return arguments, keys


def normalised(taps: Tensor) -> Tensor:
    """[B, n, k², …] with mean 0 and (unbiased) standard deviation 1 over the taps, calculated in at least float32."""
    precise = taps.to(torch.promote_types(taps.dtype, torch.float32))
    centred = precise - precise.mean(2, keepdim=True)
    # the norm, because torch warns of the standard deviation of an empty batch
    deviation = torch.linalg.vector_norm(centred, dim=2, keepdim=True) / math.sqrt(TAPS - 1)
    return (centred / (deviation + 1e-10)).to(taps.dtype)

"""FreqFusion: low-pass w from the guide and z together, and beside the upsampled map a sharpened guide.

h = conv1×1(guide), l = conv1×1(z), to m channels; E1, E2 = conv3×3 to k² and k_h², each applied to both maps; N =
softmax over taps, times a Hamming window, made to sum to one; R(x, w, k, s) = wᵀx on the window at ⌊i/s⌋, zero outside.
  h′ = 2h − R(h, N(E2(h)), k_h, 1); a = E1(h′); w = N(a + R(E1(l), N(a), k, 2)), [B, 1, k², 2H, 2W]; up = R(z, w, k, 2)
  skip = 2·guide − R(guide, N(E2(h) + R(E2(l), w, k, 2)), k_h, 1)
Epilogue: up is read bilinearly where offsets say, row 2(⌊i/2⌋ + ½ + o) − ½, clamped, one offset a group of channels:
  o = (S(conv(A_l)) + conv(A_h))·sigmoid(S(conv(B_l)) + conv(B_h)) + start, 3×3, S = pixel shuffle; A and B are h′
  and l, normalised, and their cosines with the 8 neighbours at distance 2. Chen et al., TPAMI 2024.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from upsamplers.convolution import Conv2d
from upsamplers.cosines import cosines
from upsamplers.errors import StateDictError, Unsupported
from upsamplers.normal import group_normalised
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive import reassemble
from upsamplers.sampling import clamped, corner_weights, pixels
from upsamplers.shuffle import pixel_shuffle
from upsamplers.softmax import softmax
from upsamplers.tracing import sizes

CONVOLUTIONS = ("offset", "direct_scale", "hr_offset", "hr_direct_scale")
NORMS = ("norm_hr", "norm_lr")


class FreqFusion(Upsampler):
    """FreqFusion. `op(z, guide)` is the upsampled map, `skip` the sharpened guide, and `fuse` both at once.

    As released, every convolution but E1 and E2 starts xavier-uniform, the offsets' too: they start away from zero.
    With zero offsets the resampling is the identity. Parameters: m(C_g + C + 2) + (9m + 1)(k² + k_h²), and with the
    resampling 20g(9(m + 8) + 1), similarity only: 10g(9m + 74); 4m for its norms. At 256 channels 52,514, 104,690.

    Args:
        channels: C of z; a multiple of resample_groups where there is a resampling.
        guide_channels: C_g of the guide, which is exactly twice as large as z.
        scale: 2.
        compressed_channels: m; with norms, ⌊m/8⌋ groups of it.
        kernel_size, high_kernel_size: k of w and k_h of the high-pass kernels, odd.
        hamming: whether kernels are weighted by a Hamming window.
        resample: whether the upsampled map is resampled.
        resample_groups: g, groups of channels that are resampled alike.
        similarity: concat: A = B = map and cosines; only: A = cosines, B = map.
        resample_norm: whether the maps that make the offsets are normalised.

    Raises:
        OptionError: an even kernel, or a size below 1.
        Unsupported: another scale, groups that do not divide.
    """

    facts = Facts(
        name="freqfusion",
        title="FreqFusion",
        family="first order",
        paper=Paper(
            "Linwei Chen, Ying Fu, Lin Gu, Chenggang Yan, Tatsuya Harada, Gao Huang",
            "Frequency-Aware Feature Fusion for Dense Image Prediction",
            "IEEE TPAMI",
            2024,
            "2408.12879",
        ),
        kernel_size=5,
        groups="1",
        taps="k²",
        guide="required",
        scales=(2,),
        variants=(
            Variant("resampled"),
            Variant("low-pass", {"resample": False}),
            Variant("similarity only", {"similarity": "only"}),
            Variant("no Hamming", {"hamming": False}),
        ),
    )
    low_window: Tensor
    high_window: Tensor
    start: Tensor

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        compressed_channels: int = 64,
        kernel_size: int = 5,
        high_kernel_size: int = 3,
        hamming: bool = True,
        resample: bool = True,
        resample_groups: int = 4,
        similarity: Literal["concat", "only"] = "concat",
        resample_norm: bool = True,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        for name, side in (("kernel_size", kernel_size), ("high_kernel_size", high_kernel_size)):
            check_option(side >= 1 and side % 2 == 1, "freqfusion", name, side, "an odd integer >= 1")
        for name, value in (("compressed_channels", compressed_channels), ("resample_groups", resample_groups)):
            check_option(value >= 1, "freqfusion", name, value, "an integer >= 1")
        self.kernel_size, self.high_kernel_size, self.similarity = kernel_size, high_kernel_size, similarity
        m, self.resample_groups = compressed_channels, resample_groups if resample else 0
        self.compress_guide, self.compress_z = Conv2d(self.guide_channels, m, 1), Conv2d(channels, m, 1)
        self.low, self.high = (Conv2d(m, side**2, 3, padding=1) for side in (kernel_size, high_kernel_size))
        for name, side in (("low_window", kernel_size), ("high_window", high_kernel_size)):
            axis = torch.hamming_window(side, periodic=False)
            self.register_buffer(name, torch.outer(axis, axis)[None, None] if hamming else torch.ones(1))
        if resample:
            if channels % resample_groups:
                raise Unsupported(f"freqfusion: resample_groups={resample_groups} does not divide {channels} channels")
            for name, read in zip(
                CONVOLUTIONS, {"concat": (m + 8, m + 8), "only": (8, m)}[similarity] * 2, strict=True
            ):
                made = resample_groups * (2 if name.startswith("hr") else 8)
                self.add_module(name, Conv2d(read, made, 3, padding=1))
            start = torch.tensor([[-0.25, 0.25, -0.25, 0.25], [-0.25, -0.25, 0.25, 0.25]])  # exact in every type
            self.register_buffer("start", start.repeat_interleave(resample_groups, 0).view(1, -1, 1, 1))
            if resample_norm:
                if m < 8 or m % (m // 8):
                    raise Unsupported(f"freqfusion: compressed_channels={m} makes no ⌊m/8⌋ equal groups to normalise")
                for name in NORMS:
                    self.add_module(name, nn.GroupNorm(m // 8, m))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one
        for layer in (self.low, self.high):
            nn.init.normal_(layer.weight, std=0.001)

    def _generated(self, z: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """w, the sharpened h′, l, and the logits E2(h): what up, skip and the resampling share."""
        self.check(z, guide)
        assert guide is not None
        h, compressed = self.compress_guide(guide), self.compress_z(z)
        high = self.high(h)
        sharp = 2 * h - window(normalised(high, self.high_window), h, 1)
        of_guide = self.low(sharp)
        of_z = window(normalised(of_guide, self.low_window), self.low(compressed), 2)
        return normalised(of_guide + of_z, self.low_window), sharp, compressed, high

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, k², 2H, 2W], each kernel summing to one."""
        return self._generated(z, guide)[0]

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map [B, C, 2H, 2W], resampled where the module resamples."""
        w, sharp, compressed, _ = self._generated(z, guide)
        return self._resampled(window(w, z, 2), sharp, compressed)

    def skip(self, z: Tensor, guide: Tensor) -> Tensor:
        """The sharpened guide [B, C_g, 2H, 2W]."""
        w, _, compressed, high = self._generated(z, guide)
        return self._sharpened(guide, w, compressed, high)

    def fuse(self, z: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        """The upsampled map and the sharpened guide, [B, C, 2H, 2W] and [B, C_g, 2H, 2W], from one set of kernels."""
        w, sharp, compressed, high = self._generated(z, guide)
        return self._resampled(window(w, z, 2), sharp, compressed), self._sharpened(guide, w, compressed, high)

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The resampling, where there is one."""
        return self._resampled(up, *self._generated(z, guide)[1:3]) if self.resample_groups else up

    def _sharpened(self, guide: Tensor, w: Tensor, compressed: Tensor, high: Tensor) -> Tensor:
        logits = high + window(w, self.high(compressed), 2)
        return 2 * guide - window(normalised(logits, self.high_window), guide, 1)

    def _resampled(self, up: Tensor, sharp: Tensor, compressed: Tensor) -> Tensor:
        if not self.resample_groups:
            return up
        precise = torch.promote_types(up.dtype, torch.float32)
        offset = self.offsets(sharp, compressed).to(precise)
        x, y = offset.unflatten(1, (2, -1)).unbind(1)  # [B, g, 2H, 2W], in pixels of z
        (rows, columns), (height, width) = pixels(compressed, 2), up.shape[-2:]
        x, y = clamped(2 * (columns + x) + 0.5, width - 1), clamped(2 * (rows + y) + 0.5, height - 1)
        points, corners = torch.stack([x, y], 2).detach(), corner_weights(x, y).to(up.dtype)
        return reassemble(corners, up, scale=1, kernel_size=2, border="replicate", points=points)

    def offsets(self, sharp: Tensor, compressed: Tensor) -> Tensor:
        """o [B, 2g, 2H, 2W] in pixels of z, channels (axis, x first, group), the start included."""
        layers = dict(self.named_children())
        high, low = (
            group_normalised(layers[name], x) if name in layers else x  # type: ignore[arg-type]
            for name, x in zip(NORMS, (sharp, compressed), strict=True)
        )
        high_a, low_a = cosines(high, 2), cosines(low, 2)
        if self.similarity == "concat":
            high_a, low_a = torch.cat([high, high_a], 1), torch.cat([low, low_a], 1)
            high, low = high_a, low_a
        moved = pixel_shuffle(layers["offset"](low_a), 2) + layers["hr_offset"](high_a)
        scope = pixel_shuffle(layers["direct_scale"](low), 2) + layers["hr_direct_scale"](high)
        return moved * scope.sigmoid() + self.start.view(1, -1, 2, 2).repeat(1, 1, *compressed.shape[-2:])

    def macs(self, height: int, width: int) -> int:
        """Of the upsampled map alone. The shares of both maps' convolutions, of the windows and of the resampling."""
        m, taps, high = self.compress_z.out_channels, self.kernel_size**2, self.high_kernel_size**2
        convolutions = m * (4 * self.guide_channels + self.channels) + 45 * m * taps + 36 * m * high
        windows = 4 * (high * m + taps**2 + taps * self.channels)
        total = (convolutions + windows) * height * width
        if self.resample_groups:
            reads = 2 * (m + 8) if self.similarity == "concat" else m + 8
            full = (height + height % 2) * (width + width % 2)  # every second pixel of z, filled up
            total += (144 * self.resample_groups * reads + 16 * self.channels + 36 * m) * height * width + 9 * m * full
        return total

    def fuse_macs(self, height: int, width: int) -> int:
        """Of `fuse`: the sharpened guide takes its logits from z and one more window."""
        taps, high = self.kernel_size**2, self.high_kernel_size**2
        more = 9 * self.compress_z.out_channels * high + 4 * high * (taps + self.guide_channels)
        return self.macs(height, width) + more * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Everything follows. The released files differ in what makes the offsets, and so do their weights."""
        names = {"hr_channel_compressor": "compress_guide", "lr_channel_compressor": "compress_z"}
        names |= {"content_encoder": "low", "content_encoder2": "high"}
        sizes = {name: state[f"{name}.weight"].shape for name in names}
        arguments: dict[str, Any] = {"scale": 2, "guide_channels": sizes["hr_channel_compressor"][1]}
        arguments["compressed_channels"], arguments["channels"] = sizes["lr_channel_compressor"][:2]
        for key, option in (("content_encoder", "kernel_size"), ("content_encoder2", "high_kernel_size")):
            arguments[option] = side = math.isqrt(sizes[key][0])
            if side**2 != sizes[key][0] or side % 2 == 0:
                raise StateDictError(f"'{key}.weight' is {list(sizes[key])}: {sizes[key][0]} is no odd side squared")
        own = {"hamming_lowpass": "low_window", "hamming_highpass": "high_window"}
        parts = {key.split(".")[1] for key in state if key.startswith("dysampler.")}
        arguments |= {"hamming": state["hamming_lowpass"].ndim > 1, "resample": bool(parts)}
        if parts:
            moved, norms = state["dysampler.offset.weight"].shape, NORMS if parts & {*NORMS} else ()
            arguments |= {"resample_groups": moved[0] // 8, "similarity": "only" if moved[1] == 8 else "concat"}
            arguments["resample_norm"] = bool(norms)
            names |= {f"dysampler.{name}": name for name in (*CONVOLUTIONS, *norms)}
            own["dysampler.init_pos"] = "start"
        return arguments, own | {f"{k}.{p}": f"{v}.{p}" for k, v in names.items() for p in ("weight", "bias")}


def window(w: Tensor, x: Tensor, scale: int) -> Tensor:
    """R(x, w): wᵀx on the window that w has taps for, zero outside."""
    return reassemble(w, x, scale=scale, kernel_size=math.isqrt(sizes(w)[2]))


def normalised(logits: Tensor, hamming: Tensor) -> Tensor:
    """N: the softmax of [B, k², …] over taps, times the window, made to sum to one, [B, 1, k², …]."""
    w = softmax(logits, 1) * hamming.to(logits.dtype).view(-1, 1, 1)
    return (w / w.sum(1, keepdim=True)).unsqueeze(1)

"""AnyUp: w = mean over heads of a softmax over the cells of z near a pixel; one module for every encoder.

As `head_mean` says, with keys k = Enc_3([AAP(Enc_1(e), h×w), f]), f = Res Res LFU(z/‖z‖). LFU: the responses of every
channel to M bases of 5×5, softmax, mean over channels, so that C may be anything. In reach of a pixel are the cells
within ρ of the sides around it: rows ⌊clamp(p − ρ)·h⌋ … ⌈clamp(p + ρ)·h⌉ − 1, p = (i + ½)/Ho. Wimmer et al., ICLR 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import in_float32
from upsamplers.errors import Unsupported
from upsamplers.head_mean import HeadMean
from upsamplers.image_encoder import GROUPS, Residual, encoder
from upsamplers.image_guided import Size
from upsamplers.operator import Facts, Paper, Variant, check_option
from upsamplers.primitive import Taps
from upsamplers.primitive.taps import Table, constant, crossed
from upsamplers.primitive.uploads import integers
from upsamplers.tracing import sizes

NAMES = ("block.0", "block.2", "block.3", "block.5")
SIDE = 5
"""Of the bases."""


class LocalFeatures(nn.Module):
    """Features of z that have M channels, whatever z has."""

    def __init__(self, bases: int, released: bool) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(bases, 1, SIDE, SIDE) / SIDE)
        self.released = released

    def forward(self, z: Tensor) -> Tensor:
        """[B, M, h, w] of z [B, C, h, w], less 1/M: means of shares, which lie so close to it that float32 would keep
        three digits of what tells them apart, and the norm that follows makes that large."""
        return (self._shares(z) - 1 / sizes(self.basis)[0]).mean(2 if self.released else 1)

    def _shares(self, z: Tensor) -> Tensor:
        """Of the bases, [B, M, C, h, w] as released, else [B, C, M, h, w]."""
        (batch, channels, height, width), bases = sizes(z), sizes(self.basis)[0]
        maps = functional.normalize(z, dim=1).flatten(0, 1).unsqueeze(1)

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return functional.conv2d(x, weight, bias, padding=SIDE // 2)

        found = in_float32(layer, maps, self.basis, None)  # [B·C, M, h, w]
        inside = [integers(_inside(side), z.device).to(found.dtype) for side in (height, width)]
        found = (found / (inside[0][:, None] * inside[1])).reshape(batch, channels * bases, height, width)
        if self.released:  # a flat index that counts channels, then bases, read as if it counted bases, then channels
            return found.unflatten(1, (bases, channels)).softmax(1)
        return found.unflatten(1, (channels, bases)).softmax(2)


@constant
def _inside(side: int) -> tuple[int, ...]:
    """How many of a basis's taps along an axis lie inside, at each position."""
    reach = SIDE // 2
    return tuple(min(place + reach, side - 1) - max(place - reach, 0) + 1 for place in range(side))


class AnyUp(HeadMean):
    """AnyUp. The windows' bounds are those of float32 arithmetic, as published.

    The released weights were trained with bases and channels interchanged before the softmax, which depends on the
    order of the channels of z; `lfu="paper"` has the formula of the paper, which does not.

    Parameters, d = width: 51d² + 74d, 845,056 at 128; the authors' module has 2d² + 2d more that have no effect.

    Args:
        channels: of no effect on parameters; None for any.
        guide_channels: Cg of the image, by default 3, ImageNet-normalised.
        scale: of the output whose size is not given.
        heads: whose softmax is averaged; divides width.
        window: ρ, half the window's side as a share of z's; 0: every cell is read.
        width: d, a multiple of 8.
        bases: M; by default d. A multiple of 8.
        image_kernel_size: side of the first convolution of the image, odd.
        lfu: "released" or "paper".

    Raises:
        OptionError: an option out of its range.
        Unsupported: widths that do not divide.
    """

    facts = Facts(
        name="anyup",
        title="AnyUp",
        family="second order",
        paper=Paper(
            "Thomas Wimmer, Prune Truong, Marie-Julie Rakotosaona, Michael Oechsle, Federico Tombari, "
            "Bernt Schiele, Jan Eric Lenssen",
            "AnyUp: Universal Feature Upsampling",
            "ICLR",
            2026,
            "2510.12764",
        ),
        kernel_size=0,
        groups="1",
        taps="(2ρh+1)²",
        call="up(image, features, output_size) is op(features, image, output_size)",
        guide="required",
        border="table",
        guide_size="any",
        any_channels=True,
        variants=(Variant("default"), Variant("as in the paper", {"lfu": "paper"})),
    )

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        heads: int = 4,
        window: float = 0.1,
        width: int = 128,
        bases: int | None = None,
        image_kernel_size: int = 1,
        lfu: Literal["released", "paper"] = "released",
    ) -> None:
        super().__init__(channels, guide_channels, scale, heads, width, image_kernel_size, NAMES)
        check_option(0 <= window <= 1, "anyup", "window", window, "a share of z's side, from 0 (all of it) to 1")
        bases = width if bases is None else bases
        if bases < 1 or bases % GROUPS:
            raise Unsupported(f"anyup: bases must be a multiple of {GROUPS}; got {bases}")
        self.window, self.bases, self.lfu = window, bases, lfu
        blocks = (Residual(bases, width, NAMES), Residual(width, width, NAMES))
        self.key_features_encoder = nn.Sequential(LocalFeatures(bases, lfu == "released"), *blocks)
        self.aggregation = encoder(2 * width, width, 3, NAMES)

    def table(self, z_size: Size, size: Size) -> Taps:
        rows, columns = (ranged(n, out, self.window) for n, out in zip(z_size, size, strict=True))
        return Taps(*crossed(rows, columns))

    def from_z(self, z: Tensor) -> Tensor:
        local, first, second = self.key_features_encoder
        features: Tensor = second(first(local(z), 1 / self.bases))
        return features

    def keys(self, from_z: Tensor, from_image: Tensor) -> Tensor:
        keys: Tensor = self.aggregation(torch.cat([from_image, from_z], 1))
        return keys

    def cell_macs(self) -> int:
        d, bases = self.width, self.bases
        first = bases * d + d**2 + (bases * d if bases != d else 0)
        return SIDE**2 * bases * self.channels + first + 2 * d**2 + 18 * d**2 + 4 * d**2

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Widths follow; heads and the window are not in the weights."""
        arguments = cls.shared_layout(state)
        bases = state["key_features_encoder.0.basis"].shape[0]
        arguments |= {"channels": options.get("channels"), "bases": bases}
        shape = {"width": arguments["width"], "image_kernel_size": arguments["image_kernel_size"], "bases": bases}
        with torch.device("meta"):  # our layers have the authors' names
            own = cls(None, arguments["guide_channels"], heads=1, **shape)
        return arguments, {key: key for key in own.state_dict()}


@constant
def ranged(cells: int, outputs: int, window: float) -> Table:
    """The cells along an axis that each output reads, then −1; all of them where the window is 0."""
    if window == 0:
        return (tuple(range(cells)),) * outputs
    one, width = np.float32(1), np.float32(window)
    places = (np.arange(outputs, dtype=np.float32) + np.float32(0.5)) / np.float32(outputs)
    first = np.floor(np.clip(places - width, np.float32(0), one) * np.float32(cells)).astype(int)
    end = np.ceil(np.clip(places + width, np.float32(0), one) * np.float32(cells)).astype(int)
    longest = int((end - first).max())
    return tuple(tuple(range(int(a), int(b))) + (-1,) * (longest - int(b - a)) for a, b in zip(first, end, strict=True))

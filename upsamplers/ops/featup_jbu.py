"""FeatUp's joint bilateral upsampler: a stack of levels, each wᵀz on a bicubic enlargement to twice the size.

Level, D = 2r + 1: φ = conv1(GELU(conv1(I))); range = softmax_t(τ⟨φ_t, φ⟩), τ = clamp(e^t, 1e-4, 1e4); spatial =
exp(−(u² + v²)/2σ²), u, v in linspace(−1, 1, D); w = range·spatial/Σ + 0.1·conv1(GELU(conv1([w, I]))), [B, 1, D², H, W],
mirrored at the border; Σw is not 1. After the last level x + 0.1·conv1(x). Fu et al., ICLR 2024.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from upsamplers import image_guided
from upsamplers.convolution import Conv2d
from upsamplers.image_encoder import pooled
from upsamplers.image_guided import ImageGuided, Size
from upsamplers.operator import Facts, Paper, Variant, check_option
from upsamplers.primitive import Taps, correlate, reassemble
from upsamplers.primitive.window import border_index
from upsamplers.tracing import sides, sizes

SHARE = 0.1
"""Of what the second network adds to w, and the last layer to the output."""

COPIES = 6
"""Maps of D² taps that are held while w is made."""


class Level(nn.Module):
    """Kernels of one enlargement."""

    def __init__(self, inputs: int, radius: int, width: int) -> None:
        super().__init__()
        self.radius, self.width, taps = radius, width, (2 * radius + 1) ** 2
        self.range_temp = nn.Parameter(torch.tensor(0.0))
        self.sigma_spatial = nn.Parameter(torch.tensor(1.0))
        self.range_proj = nn.Sequential(Conv2d(inputs, width, 1), nn.GELU(), nn.Identity(), Conv2d(width, width, 1))
        self.fixup_proj = nn.Sequential(Conv2d(taps + inputs, taps, 1), nn.GELU(), nn.Identity(), Conv2d(taps, taps, 1))

    def kernels(self, image: Tensor) -> Tensor:
        """w [B, 1, D², H, W] of an image [B, Cg, H, W]."""
        codes = self.range_proj(image)
        return self._weights(correlate(codes, codes, scale=1, kernel_size=2 * self.radius + 1, border="reflect"), image)

    def _weights(self, affinity: Tensor, image: Tensor) -> Tensor:
        side = torch.linspace(-1, 1, 2 * self.radius + 1, device=image.device, dtype=affinity.dtype)
        distance = (side[:, None].square() + side.square()).flatten()[:, None, None]
        spatial = (-distance / (2 * self.sigma_spatial.square())).exp()
        w = (affinity * self.range_temp.exp().clamp(1e-4, 1e4)).softmax(2).squeeze(1) * spatial
        w = w / w.sum(1, keepdim=True).clamp(min=1e-7)
        w = w + SHARE * self.fixup_proj(torch.cat([w, image.to(w.dtype)], 1))
        return w.unsqueeze(1)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """x [B, C, H, W] filtered by an image of its size, in blocks of rows where the kernels are large."""
        (height, width), radius = sides(image), self.radius
        held = COPIES * (2 * radius + 1) ** 2 + sizes(x)[1]
        row = held * sizes(image)[0] * width * image.element_size()
        count = max(1, image_guided.LARGEST // max(row, 1))
        if count >= height:
            return reassemble(self.kernels(image), x, scale=1, kernel_size=2 * radius + 1, border="reflect")
        codes = self.range_proj(image)
        around, columns = (border_index(side, radius, radius, "reflect", x.device) for side in (height, width))

        def block(first: int) -> tuple[Tensor, ...]:
            rows = around[first : first + count + 2 * radius]
            return codes, x, image[:, :, first : first + count], rows, columns

        starts = range(0, height, count)
        if torch.is_grad_enabled():
            return torch.cat([checkpoint(self._rows, *block(first), use_reentrant=False) for first in starts], 2)
        part = self._rows(*block(0))
        up = part.new_empty(*sizes(x)[:2], height, width)
        up[:, :, :count] = part
        del part
        for first in starts[1:]:
            up[:, :, first : first + count] = self._rows(*block(first))
        return up

    def _rows(self, codes: Tensor, x: Tensor, image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Some rows of `forward`: those of the image, and r more of the other maps at each border."""
        radius, side = self.radius, 2 * self.radius + 1
        codes, x = (part.index_select(2, rows).index_select(3, columns) for part in (codes, x))
        affinity = correlate(codes, codes, scale=1, kernel_size=side)[..., radius:-radius, radius:-radius]
        w = functional.pad(self._weights(affinity, image), (radius,) * 4)
        return reassemble(w, x, scale=1, kernel_size=side)[..., radius:-radius, radius:-radius]

    def macs(self, inputs: int, channels: int) -> int:
        """Multiply-adds a pixel of the level, its bicubic enlargement included."""
        taps, width = (2 * self.radius + 1) ** 2, self.width
        own = inputs * width + width**2 + taps * width + taps * (2 * taps + inputs)
        return int(own + (taps + 16) * channels)


class FeatUpJbu(ImageGuided):
    """FeatUp's JBU stack, as released for DINO, DINOv2, CLIP, MaskCLIP, ViT and ResNet-50.

    Each level doubles both sides; the last one goes to the size that is asked for, and levels beyond it are not used:
    at 16 times z this is the published stack. `weights` are those of the last level that is used, and what they read
    is what the levels before it gave, enlarged bicubically.

    Parameters, k = width, D = 2·radius + 1: levels·(k(Cg + 1) + k² + k + D²(D² + Cg + 1) + D⁴ + D² + 2) + C² + C,
    172,772 at C = 384; one level's where it is shared.

    Args:
        channels: C of z.
        guide_channels: Cg of the image, by default 3, ImageNet-normalised.
        scale: of the output whose size is not given.
        radius: r of the window; 5 in SimFeatUp.
        width: k, channels of the codes.
        levels: at most; each doubles the sides.
        shared: one level's parameters for all of them, as in SimFeatUp.

    Raises:
        OptionError: an option below 1.
    """

    facts = Facts(
        name="featup_jbu",
        title="FeatUp JBU",
        family="second order",
        paper=Paper(
            "Stephanie Fu, Mark Hamilton, Laura E. Brandt, Axel Feldman, Zhoutong Zhang, William T. Freeman",
            "FeatUp: A Model-Agnostic Framework for Features at Any Resolution",
            "ICLR",
            2024,
            "2403.10516",
        ),
        kernel_size=7,
        groups="1",
        taps="k²",
        border="reflect",
        call="up(source=features, guidance=image) is op(features, image), with scale=16",
        guide="required",
        guide_size="any",
        variants=(Variant("default"), Variant("shared level", {"shared": True})),
    )

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        radius: int = 3,
        width: int = 32,
        levels: int = 4,
        shared: bool = False,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        for name, value in (("radius", radius), ("width", width), ("levels", levels)):
            check_option(value >= 1, "featup_jbu", name, value, "an integer >= 1")
        self.radius, self.width, self.levels, self.shared = radius, width, levels, shared
        self.kernel_size = 2 * radius + 1
        for name in ["up"] if shared else [f"up{number + 1}" for number in range(levels)]:
            self.add_module(name, Level(self.guide_channels, radius, width))
        self.fixup_proj = nn.Sequential(nn.Identity(), Conv2d(self.channels, self.channels, 1))

    def level(self, number: int) -> Level:
        """The level that goes first (0), second, …"""
        found = self.get_submodule("up" if self.shared else f"up{number + 1}")
        assert isinstance(found, Level)
        return found

    def sizes(self, z_size: Size, size: Size) -> list[Size]:
        """Height and width after each level that is used."""
        found: list[Size] = []
        while not found or (found[-1] != size and len(found) < self.levels):
            height, width = found[-1] if found else z_size
            found.append((min(2 * height, size[0]), min(2 * width, size[1])))
        return [*found[:-1], size]

    def _last(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Level, Tensor, Tensor]:
        """The last level, what it reads and the image at its size."""
        found = self.sizes(sides(z), size)
        for number, one in enumerate(found):
            z = functional.interpolate(z, one, mode="bicubic", align_corners=False)
            image = pooled(guide, one)
            if number + 1 < len(found):
                z = self.level(number)(z, image)
        return self.level(len(found) - 1), z, image

    def weights(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> Tensor:
        """The kernels w [B, 1, D², Ho, Wo] of the last level."""
        self.check(z, guide, size)
        assert guide is not None
        size = self.size(z, size)
        found = self.sizes(sides(z), size)
        return self.level(len(found) - 1).kernels(pooled(guide, size))

    def reads(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> tuple[Tensor, dict[str, Any]]:
        """What the last level reads, and its window."""
        assert guide is not None
        source = self._last(z, guide, self.size(z, size))[1]
        return source, {"scale": 1, "kernel_size": self.kernel_size, "border": "reflect"}

    def table(self, z_size: Size, size: Size) -> Taps:
        """The window in what the last level reads, which has the output's size."""
        return Taps.window(size, 1, self.kernel_size, "reflect")

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """x + 0.1·conv1(x)."""
        return torch.add(up, self.fixup_proj(up), alpha=SHARE)

    def forward(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> Tensor:
        """The upsampled features [B, C, *size] of z [B, C, h, w] by an image [B, Cg, H, W] of any size."""
        self.check(z, guide, size)
        assert guide is not None
        level, source, image = self._last(z, guide, self.size(z, size))
        up = level(source, image)
        del source  # before the last layer makes its map
        return self.epilogue(up, z, guide) if torch.is_grad_enabled() else up.add_(self.fixup_proj(up), alpha=SHARE)

    def macs(self, height: int, width: int) -> int:
        """Each level that is used, and the last layer."""
        found = self.sizes((height, width), (self.scale * height, self.scale * width))
        each = (self.level(n).macs(self.guide_channels, self.channels) * math.prod(one) for n, one in enumerate(found))
        return sum(each) + self.channels**2 * math.prod(found[-1])

    @classmethod
    def unwrapped(cls, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of a whole network's weights, those under `upsampler.`; a norm of z beside them is not the upsampler's."""
        prefix = "upsampler."
        own = {key.removeprefix(prefix): value for key, value in state.items() if str(key).startswith(prefix)}
        return own or state

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """All but the scale follows."""
        shared = "up.range_temp" in state
        first = "up" if shared else "up1"
        width, inputs = state[f"{first}.range_proj.0.weight"].shape[:2]
        side = math.isqrt(state[f"{first}.fixup_proj.3.weight"].shape[0])
        levels = sum(any(key.startswith(f"up{number}.") for key in state) for number in range(1, 17))
        arguments = {"channels": state["fixup_proj.1.weight"].shape[0], "guide_channels": inputs, "width": width}
        arguments |= {"radius": side // 2, "shared": shared, "levels": options.get("levels", 4) if shared else levels}
        names = ["up"] if shared else [f"up{number + 1}" for number in range(levels)]
        layers = [
            f"{net}.{n}.{part}" for net in ("range_proj", "fixup_proj") for n in (0, 3) for part in ("weight", "bias")
        ]
        keys = [f"{name}.{key}" for name in names for key in ("range_temp", "sigma_spatial", *layers)]
        return arguments, {key: key for key in (*keys, "fixup_proj.1.weight", "fixup_proj.1.bias")}

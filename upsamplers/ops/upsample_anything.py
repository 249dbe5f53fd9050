"""Upsample Anything: a Gaussian with a direction, and a range term, at each cell; w = softmax over cells q in reach of

    log w = −x'²/(2σ_x²) − y'²/(2σ_y²) − ‖I_p − Ī_q‖²/(2σ_r²),

(x', y') the way from q's centre to the output p, in pixels of the output, turned by θ; Ī the image at the size of z.
σ_x, σ_y, θ and σ_r are q's own, and are fitted to one image: `fit`. Seo et al., CVPR 2026.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.image_encoder import pooled
from upsamplers.image_guided import ImageGuided, Size
from upsamplers.operator import Facts, Paper, Variant, check_option
from upsamplers.primitive import Taps
from upsamplers.primitive.taps import Table, constant, crossed
from upsamplers.primitive.uploads import integers
from upsamplers.softmax import softmax
from upsamplers.tracing import sides, sizes

SIGMA, SIGMA_COLOR = 16.0, 0.12
"""σ_x and σ_y, pixels of the output, and σ_r, values of an image in [0, 1], before the fit."""

STEPS, RATE, DECAY = 51, 0.1, 1e-8 ** (1 / 5100)
"""Of the fit: Adam's steps, its learning rate, and by how much that falls with each step."""

SMALLEST = 1e-8
"""Added to 2σ²."""


class UpsampleAnything(ImageGuided):
    """Upsample Anything. The image is in [0, 1], not normalised, and is pooled to the output's size.

    σ_x = e^sx_raw, σ_y = e^sy_raw, θ = π·tanh(th_raw), σ_r = e^sr_raw. Until `fit` the four are one number each, the
    authors' initial ones; then they are maps [1, 1, h, w], of one image and one size of z. Cells within
    ρ = ⌈2·max(σ_x, σ_y)⌉ of the output's own, at least 1 and at most `radius`, are in reach; ρ is read bilinearly, and
    has no gradient. Past the border the last cell is read, as often as it occurs.

    Args:
        channels: of no effect; None for any.
        guide_channels: Cg of the image, by default 3.
        scale: of the output whose size is not given.
        radius: the largest ρ, cells of z; the kernel has (2·radius + 1)² taps.
        centre: whether the window is around the nearest cell or around that before.
        height: of the maps, where they are those of one size of z.
        width: of the maps.

    Raises:
        OptionError: a radius below 1.
    """

    facts = Facts(
        name="upsample_anything",
        title="Upsample Anything",
        family="first order",
        paper=Paper(
            "Minseok Seo, Mark Hamilton, Changick Kim",
            "Upsample Anything: A Simple and Hard to Beat Baseline for Feature Upsampling",
            "CVPR",
            2026,
            "2511.16301",
        ),
        kernel_size=17,
        groups="1",
        taps="(2R+1)²",
        guide="required",
        border="table",
        guide_size="any",
        call="LearnablePixelwiseAnisoJBU_NoParent(features, image) is op(features, image), after op.fit(image, z_size)",
        any_channels=True,
        variants=(Variant("default"), Variant("radius 4", {"radius": 4})),
    )

    sx_raw: Tensor

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        radius: int = 8,
        centre: Literal["nearest", "floor"] = "nearest",
        height: int = 1,
        width: int = 1,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(radius >= 1, "upsample_anything", "radius", radius, "an integer >= 1")
        self.radius, self.centre = radius, centre
        self.planes = 8
        self.restart((height, width))

    def restart(self, z_size: Size = (1, 1), like: Tensor | None = None) -> None:
        """The authors' initial numbers, as maps [1, 1, *z_size]; of (1, 1) for any z."""
        like = getattr(self, "sx_raw", torch.empty(0)) if like is None else like
        for name, value in self._initial().items():
            setattr(self, name, nn.Parameter(like.new_full((1, 1, *z_size), value)))

    @staticmethod
    def _initial() -> dict[str, float]:
        sigma = math.log(SIGMA)
        return {"sx_raw": sigma, "sy_raw": sigma, "th_raw": 0.0, "sr_raw": math.log(SIGMA_COLOR)}

    @torch.enable_grad()
    def fit(self, image: Tensor, z_size: Size, steps: int = STEPS) -> list[float]:
        """Fit the maps to an image [1, Cg, H, W], so that its reduction to z_size is upsampled to the image again.

        Adam on the mean absolute difference, from the initial numbers; the reduction is bicubic. Returns the loss
        before each step. It costs as much as `steps` forward and backward passes over Cg channels. ValueError for a
        batch of images.
        """
        if image.dim() != 4 or sizes(image)[:2] != (1, self.guide_channels):
            raise ValueError(
                f"upsample_anything: fit takes one image [1, {self.guide_channels}, H, W]; got {sizes(image)}"
            )
        small = functional.interpolate(image, z_size, mode="bicubic", align_corners=False)
        self.restart(z_size, image)
        adam, losses = torch.optim.Adam(self.parameters(), RATE), []
        for step in range(steps):
            adam.param_groups[0]["lr"] = RATE * DECAY**step
            adam.zero_grad()
            loss = (self(small, image, sides(image)) - image).abs().mean()
            loss.backward()
            adam.step()
            losses.append(float(loss.detach()))
        return losses

    def check(self, z: Tensor, guide: Tensor | None, size: Size | None = None) -> None:
        super().check(z, guide, size)
        fitted = sizes(self.sx_raw)[2:]
        if fitted not in ((1, 1), sizes(z)[2:]):
            raise ValueError(f"upsample_anything: fitted to z of {fitted}; got {sizes(z)}; fit anew, or restart()")

    def table(self, z_size: Size, size: Size) -> Taps:
        """The window around the cell at each output, which repeats the last cells past the border."""
        first, second = (_window(n, out, self.radius, self.centre) for n, out in zip(z_size, size, strict=True))
        return Taps(*crossed(first, second))

    def prepare(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Tensor, ...]:
        """The image at the output's size; at each cell the three terms of the Gaussian, that of the range, and the
        image's colour, [B, 4 + Cg, h, w]; ρ² [B, 1, Ho, Wo]."""
        image, z_size = pooled(guide, size), sides(z)
        kind = torch.promote_types(image.dtype, torch.float32)
        small = functional.interpolate(image.to(kind), z_size, mode="bilinear", align_corners=False)
        sx, sy, theta, sr = (getattr(self, name).to(kind).expand(1, 1, *z_size) for name in self._initial())
        sx, sy, sr, theta = sx.exp(), sy.exp(), sr.exp(), math.pi * theta.tanh()
        along, across = ((2 * one.square() + SMALLEST).reciprocal() for one in (sx, sy))
        cos, sin = theta.cos(), theta.sin()
        terms = (
            along * cos.square() + across * sin.square(),
            2 * (along - across) * cos * sin,
            along * sin.square() + across * cos.square(),
            (2 * sr.square() + SMALLEST).reciprocal(),
        )
        batch = sizes(z)[0]
        cells = torch.cat((torch.cat(terms, 1).expand(batch, -1, -1, -1), small), 1)
        larger = torch.maximum(sx, sy).detach().expand(batch, -1, -1, -1)
        reach = functional.interpolate(larger, size, mode="bilinear", align_corners=False)
        return image, cells, (2 * reach).ceil().clamp(1, self.radius).square()

    def kernels(self, state: tuple[Tensor, ...], taps: Taps, rows: slice) -> Tensor:
        """w [B, 1, (2·radius + 1)², r, Wo]."""
        image, cells, reach = state
        (height, width), size = sides(cells), sides(image)
        kind, image = image.dtype, image.to(cells.dtype)
        y, x = (integers(table, cells.device) for table in taps)  # [r, K], [Wo, K]
        flat = (y[:, None] * width + x[None]).permute(2, 0, 1)  # [K, r, Wo]
        read = cells.flatten(2).index_select(2, flat.flatten()).unflatten(2, sizes(flat))
        terms, colours = read.split((4, self.guide_channels), 1)  # [B, 4, K, r, Wo], [B, Cg, K, r, Wo]
        across, both, along, ranges = terms.unbind(1)
        ways = zip((y, x), (rows.start, 0), (size[0] / height, size[1] / width), strict=True)
        down, right = (_way(at, first, step, cells) for at, first, step in ways)
        down, right = down.t()[:, :, None], right.t()[:, None]  # [K, r, 1], [K, 1, Wo]
        colour = (colours - image[:, :, None, rows]).square().sum(1)
        near = across * right.square() + both * (right * down) + along * down.square()
        side = torch.arange(-self.radius, self.radius + 1, device=cells.device).square()
        apart = (side[:, None] + side[None]).flatten()[:, None, None]
        logits = -near - ranges * colour
        logits = logits.masked_fill(apart > reach[:, :, rows], torch.finfo(logits.dtype).min)
        return softmax(logits.unsqueeze(1), 2).to(kind)

    def macs(self, height: int, width: int) -> int:
        """The reassembly, for each place of the window, and the two bilinear maps: Ī and ρ. The fit is not in it."""
        return self._bilinear(height, width) + self.channels * self.tile_products(height, width)[0]

    def computed_macs(self, height: int, width: int) -> int:
        """With those of tiles that are padded."""
        return self._bilinear(height, width) + self.channels * self.tile_products(height, width)[1]

    def _bilinear(self, height: int, width: int) -> int:
        return 4 * height * width * (self.guide_channels + self.scale**2)

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The four maps; the radius and the centre are not in them."""
        size = dict(zip(("height", "width"), state["sx_raw"].shape[2:], strict=True))
        return {"channels": options.get("channels"), **size}, {name: name for name in cls._initial()}


def _way(at: Tensor, first: int, step: float, like: Tensor) -> Tensor:
    """From the centres of cells `at` [r, K] along an axis to outputs from `first` on, in pixels of the output."""
    outputs = torch.arange(first, first + sizes(at)[0], device=at.device)
    return outputs[:, None].to(like.dtype) - ((at.to(like.dtype) + 0.5) * step - 0.5)


@constant
def _window(cells: int, outputs: int, radius: int, centre: str) -> Table:
    whole = round if centre == "nearest" else math.floor
    middles = [whole((output + 0.5) * cells / outputs - 0.5) for output in range(outputs)]
    return tuple(tuple(min(max(middle + k, 0), cells - 1) for k in range(-radius, radius + 1)) for middle in middles)

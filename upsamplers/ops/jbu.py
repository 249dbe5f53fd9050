"""Joint bilateral upsampling: w ∝ exp(−½(‖I_o − I_q‖²/σ_c² + ‖o − g(q)‖²/σ_s²)) over the samples q in reach.

Sample q of z stands at pixel g(q) = ⌈(q + ½)H/h⌉ − 1 of the image, whose colour there it has; o is the output pixel. In
reach are samples at most (K − 1)/2 pixels away along each axis. Kopf et al., ACM TOG (SIGGRAPH) 2007.
"""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.image_encoder import pooled
from upsamplers.image_guided import ImageGuided, Size
from upsamplers.operator import Facts, Paper, Variant, check_option
from upsamplers.primitive import Taps
from upsamplers.primitive.taps import Table, constant, crossed
from upsamplers.primitive.uploads import integers
from upsamplers.softmax import softmax
from upsamplers.tracing import sides, sizes

REACH = 2
"""Samples of z on each side where no kernel_size is given: 4×4 of them, one fewer along an axis than the paper's, so
that the outputs between two samples read the same ones."""


class Jbu(ImageGuided):
    """Joint bilateral upsampling. No parameters; at each ratio of the sizes a window of its own.

    The image is pooled to the output's size. A pixel that no sample is in reach of is 0.

    Args:
        channels: of no effect; None for any.
        guide_channels: Cg of the image, by default 3.
        scale: of the output whose size is not given.
        kernel_size: K, pixels of the **output** from the first to the last sample in reach, odd; by default so many
            that two samples on each side are.
        sigma_color: σ_c, in values of the image. The paper's 0.1 is for an image in [0, 1], whose values
            normalisation spreads by 4 to 5.
        sigma_space: σ_s, in pixels of the output; by default half a sample's distance, as in the paper.

    Raises:
        OptionError: an even kernel, or a width of 0.
    """

    facts = Facts(
        name="jbu",
        title="Joint bilateral upsampling",
        family="first order",
        paper=Paper(
            "Johannes Kopf, Michael F. Cohen, Dani Lischinski, Matt Uyttendaele",
            "Joint Bilateral Upsampling",
            "ACM TOG",
            2007,
        ),
        kernel_size=5,
        groups="1",
        taps="⌈K/s⌉²",
        guide="required",
        border="table",
        guide_size="any",
        any_channels=True,
        variants=(Variant("default"), Variant("kernel 5", {"kernel_size": 5})),
    )

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int | None = None,
        sigma_color: float = 0.45,
        sigma_space: float | None = None,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        odd = kernel_size is None or (kernel_size >= 1 and kernel_size % 2 == 1)
        check_option(odd, "jbu", "kernel_size", kernel_size, "an odd integer >= 1")
        check_option(sigma_color > 0, "jbu", "sigma_color", sigma_color, "a number above 0")
        check_option(sigma_space is None or sigma_space > 0, "jbu", "sigma_space", sigma_space, "a number above 0")
        self.reach, self.sigma_color, self.sigma_space = kernel_size, sigma_color, sigma_space
        self.planes = 1 + 2 * self.guide_channels

    def _axes(self, z_size: Size, size: Size) -> tuple[Table, Table]:
        """Samples that each output row and column reads."""
        rows, columns = (samples(n, out, self.reach or 0) for n, out in zip(z_size, size, strict=True))
        return rows, columns

    def table(self, z_size: Size, size: Size) -> Taps:
        return Taps(*crossed(*self._axes(z_size, size)))

    def prepare(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Tensor, ...]:
        """The image at the output's size, and at the samples of z [B, Cg, h, w]."""
        image = pooled(guide, size)
        places = [integers(sites(n, out), z.device) for n, out in zip(sides(z), size, strict=True)]
        return image, image.index_select(2, places[0]).index_select(3, places[1])

    def kernels(self, state: tuple[Tensor, ...], taps: Taps, rows: slice) -> Tensor:
        """w [B, 1, K, r, Wo]."""
        image, colours = state
        z_size, size = sides(colours), sides(image)
        y, x = (integers(table, colours.device) for table in taps)  # [r, K], [Wo, K]
        there = ((y >= 0)[:, None] & (x >= 0)[None]).permute(2, 0, 1)  # [K, r, Wo]
        flat = (y.clamp(min=0)[:, None] * z_size[1] + x.clamp(min=0)[None]).permute(2, 0, 1)
        read = colours.flatten(2).index_select(2, flat.flatten()).unflatten(2, sizes(there))
        colour = (read - image[:, :, None, rows]).square().sum(1, keepdim=True)  # [B, 1, K, r, Wo]
        far = [
            _apart(one, first, sites(n, out), out / n if self.sigma_space is None else 2 * self.sigma_space, colour)
            for one, first, n, out in zip((y, x), (rows.start, 0), z_size, size, strict=True)
        ]
        space = (far[0][:, None] + far[1][None]).permute(2, 0, 1)
        logits = (-0.5 / self.sigma_color**2) * colour - 0.5 * space.to(colour.dtype)
        w = softmax(logits.masked_fill(~there, torch.finfo(logits.dtype).min), 2)
        return w * there.to(w.dtype)

    def macs(self, height: int, width: int) -> int:
        """The reassembly, for each sample in reach; squares and exponentials do not count."""
        return self.channels * self.tile_products(height, width)[0]

    def computed_macs(self, height: int, width: int) -> int:
        """With the places in the table where no sample is."""
        return self.channels * self.tile_products(height, width)[1]


def _apart(at: Tensor, first: int, places: tuple[int, ...], width: float, like: Tensor) -> Tensor:
    """(o − g(q))²/σ_s² along an axis for samples `at` [r, K] of outputs from `first` on; `width` is 2·σ_s."""
    kind = torch.promote_types(like.dtype, torch.float32)
    outputs = torch.arange(first, first + sizes(at)[0], device=at.device)
    apart = outputs[:, None] - integers(places, at.device)[at.clamp(min=0)]
    return (apart.to(kind) / (width / 2)).square()


@constant
def sites(samples: int, outputs: int) -> tuple[int, ...]:
    """The pixel g(q) of each sample along an axis: ⌈(q + ½)·H/h⌉ − 1."""
    return tuple(-(-(2 * q + 1) * outputs // (2 * samples)) - 1 for q in range(samples))


@constant
def samples(count: int, outputs: int, kernel_size: int) -> Table:
    """The samples in reach of each output along an axis, then −1; with kernel_size 0 two on each side are."""
    places = sites(count, outputs)
    reach = (kernel_size - 1) / 2 if kernel_size else REACH * outputs / count - 0.5
    found = [tuple(q for q, place in enumerate(places) if abs(output - place) <= reach) for output in range(outputs)]
    longest = max(1, *map(len, found))
    return tuple(line + (-1,) * (longest - len(line)) for line in found)

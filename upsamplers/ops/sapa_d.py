"""SAPA-D: w = softmax over P points of the inner products of a query from the guide with the keys read there.

q = conv1×1(guide), k = conv1×1(z), g·m channels; o = conv1×1(z), 2gP offsets a point, one set for each phase (pixel
shuffle) or one for all; point = ⌊i/s⌋ + o in pixels of z, neither shifted within the pixel nor held in the map. a =
softmax over P of ⟨q_i, k(point)⟩, and out = Σ_p a_p·z(point_p), both read bilinearly, zero outside: w = a_p times the
weights of the four corners, [B, g, 4P, sH, sW] at points [B, g, P, 2, sH, sW]. Liu et al., 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from upsamplers.convolution import Conv2d
from upsamplers.errors import StateDictError, Unsupported
from upsamplers.normal import group_normalised, norm_groups
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive import reassemble
from upsamplers.primitive.similarities import sampled_similarities
from upsamplers.repeat import repeated
from upsamplers.sampling import corner_weights, pixels
from upsamplers.shuffle import pixel_shuffle
from upsamplers.softmax import softmax


class SapaD(Upsampler):
    """SAPA with deformable points. Its groups split the channels of z, queries and keys contiguously.

    A point outside keeps logit 0 and its share. As it starts, all points lie almost on ⌊i/s⌋: nearest, not bilinear.
    Coordinates are computed in at least float32.

    Parameters: gm(C_g + C + 2) + 2gPs²(C + 1), 139,808 at 256 channels and scale 2; s² times fewer offsets without
    `high_offset`, 84,296.

    Args:
        channels: C of z; a multiple of groups.
        guide_channels: C_g of the guide.
        scale: s >= 1.
        points: P, where each output reads.
        groups: g, groups of channels with points and weights of their own.
        embedding: m, channels of query and key in each group.
        high_offset: whether each output has points of its own; else all phases of a pixel share them.
        norm: whether query, key and offsets read the maps normalised in 32 groups, where they divide.

    Raises:
        OptionError: a size below 1.
        Unsupported: groups that do not divide.
    """

    facts = Facts(
        name="sapa_d",
        title="SAPA-D",
        family="second order",
        paper=Paper(
            "Wenze Liu, Hao Lu, Yuliang Liu, Zhiguo Cao",
            "On Point Affiliation in Feature Upsampling",
            "arXiv",
            2023,
            "2307.08198",
        ),
        kernel_size=2,
        groups="groups",
        taps="4·P",
        guide="required",
        samples_points=True,
        variants=(
            Variant("default"),
            Variant("low offsets", {"high_offset": False}),
            Variant("norm", {"norm": True}),
            Variant("4 points", {"points": 4}),
        ),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        points: int = 9,
        groups: int = 4,
        embedding: int = 32,
        high_offset: bool = True,
        norm: bool = False,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        for name, value in (("points", points), ("groups", groups), ("embedding", embedding)):
            check_option(value >= 1, "sapa_d", name, value, "an integer >= 1")
        if channels % groups:
            raise Unsupported(f"sapa_d: groups={groups} does not divide {channels} channels")
        self.samples, self.groups, self.embedding, self.high_offset = points, groups, embedding, high_offset
        self.query = Conv2d(self.guide_channels, groups * embedding, 1)
        self.key = Conv2d(channels, groups * embedding, 1)
        self.offset = Conv2d(channels, 2 * groups * points * (scale**2 if high_offset else 1), 1)
        for layer in (self.query, self.key, self.offset):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one
        self.norm_guide = nn.GroupNorm(norm_groups(self.guide_channels), self.guide_channels) if norm else None
        self.norm_z = nn.GroupNorm(norm_groups(channels), channels) if norm else None

    def offsets(self, z: Tensor) -> Tensor:
        """o [B, g, P, 2, sH, sW], x before y, in pixels of z, at least float32."""
        made = self.offset(z).to(torch.promote_types(z.dtype, torch.float32))
        full = pixel_shuffle(made, self.scale) if self.high_offset else repeated(made, self.scale)
        return full.unflatten(1, (self.groups, self.samples, 2))

    def _sampled(self, z: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [B, g, P, sH, sW], corner weights [B, g, P, 4, sH, sW] and points, of one computation."""
        assert guide is not None
        read = z if self.norm_z is None else group_normalised(self.norm_z, z)
        if self.norm_guide is not None:
            guide = group_normalised(self.norm_guide, guide)
        x, y = self.offsets(read).unbind(3)
        rows, columns = pixels(z, self.scale)
        x, y = x + columns, y + rows
        query, key = self.query(guide), self.key(read)
        points, corners = torch.stack([x, y], 3).detach(), corner_weights(x, y).to(query.dtype)
        return sampled_similarities(query, key, points, corners, scale=self.scale), corners, points

    def similarities(self, z: Tensor, guide: Tensor) -> Tensor:
        """The logits ⟨q_i, k(point)⟩, [B, g, P, sH, sW]."""
        return self._sampled(z, guide)[0]

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, g, 4P, sH, sW]: each point's share times its corners' weights."""
        logits, corners, _ = self._sampled(z, guide)
        return weighted(softmax(logits, 2), corners)

    def points(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """Where z is read, [B, g, P, 2, sH, sW], x before y, in pixels of z."""
        return self._sampled(z, guide)[2]

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map [B, C, sH, sW]; points and shares are computed once."""
        self.check(z, guide)
        logits, corners, points = self._sampled(z, guide)
        w = weighted(softmax(logits, 2), corners)
        return reassemble(w, z, scale=self.scale, kernel_size=2, border=self.border, points=points)

    def macs(self, height: int, width: int) -> int:
        """Convolutions, for each similarity 4 to read a key between pixels and 1, and 4 for each value that is read."""
        area, all_points, m = self.scale**2, self.groups * self.samples, self.embedding
        convolutions = self.groups * m * (area * self.guide_channels + self.channels)
        convolutions += 2 * all_points * (area if self.high_offset else 1) * self.channels
        similarities = 5 * area * all_points * m
        return (convolutions + similarities + 4 * area * self.samples * self.channels) * height * width

    def sampled_values(self, height: int, width: int) -> int:
        """Keys and values at every point."""
        return self.scale**2 * self.samples * (self.groups * self.embedding + self.channels) * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Widths and the norms follow, and from scale, groups and high_offset, which do not, m and P."""
        made, guide_channels = state["q.weight"].shape[:2]
        offsets, channels = state["offset.weight"].shape[:2]
        groups, high_offset = options.get("groups", 4), options.get("high_offset", True)
        sets = 2 * groups * (options["scale"] ** 2 if high_offset else 1)
        if groups < 1 or made % groups or offsets % sets or not offsets:
            shapes = f"{list(state['q.weight'].shape)} and 'offset.weight' {list(state['offset.weight'].shape)}"
            raise StateDictError(
                f"'q.weight' is {shapes}: no sizes for groups={groups}, scale={options['scale']} and "
                f"high_offset={high_offset}; give those that it was trained with"
            )
        norm = any(key.startswith("norm_") for key in state)
        arguments = {"channels": channels, "guide_channels": guide_channels, "points": offsets // sets}
        arguments |= {"groups": groups, "embedding": made // groups, "high_offset": high_offset, "norm": norm}
        names = {"q": "query", "k": "key", "offset": "offset"} | (
            {"norm_y": "norm_guide", "norm_x": "norm_z"} if norm else {}
        )
        return arguments, {f"{theirs}.{p}": f"{own}.{p}" for theirs, own in names.items() for p in ("weight", "bias")}


def weighted(shares: Tensor, corners: Tensor) -> Tensor:
    """w [B, g, 4P, sH, sW] from shares [B, g, P, sH, sW] and corner weights [B, g, P, 4, sH, sW]."""
    return (shares.unsqueeze(3).to(corners.dtype) * corners).flatten(2, 3)

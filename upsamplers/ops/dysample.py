"""DySample: z is sampled bilinearly at points that a 1×1 convolution moves; w are the weights of the four corners.

point = bilinear's own position + 0.25·O, or + 0.5·sigmoid(scope)·O with a dynamic scope ("+"), clamped to the map, for
offsets O = conv1×1 of z (lp) or of pixel-shuffled z (pl), one per group of channels. points [B, G, 2, sH, sW] in pixels
of z, w [B, G, 4, sH, sW]. Liu et al., ICCV 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from upsamplers.convolution import Conv2d
from upsamplers.errors import Unsupported
from upsamplers.fused import moving
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option

GROUPS = {"lp": 4, "pl": 8}
"""The published number of groups of each style."""


def start_position(scale: int, groups: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Bilinear's position in each phase relative to its pixel, [1, 2·G·s², 1, 1], x before y as the released code."""
    axis = (torch.arange(scale, dtype=dtype, device=device) + 0.5) / scale - 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y]).repeat_interleave(groups, 0).reshape(1, -1, 1, 1)


class DySample(Upsampler):
    """DySample and DySample+ in both styles, lp (linear, then pixel shuffle) and pl (the reverse, "S").

    The groups split the channels contiguously. Coordinates are computed in at least float32, and in float64 for
    float64. With zero offsets it is bilinear interpolation.

    Parameters at scale 2 and the default groups: lp 32C + 32, lp+ 64C + 32, pl 4C + 16, pl+ 8C + 16.

    Args:
        channels: C of z; a multiple of groups, and for pl of s².
        guide_channels: of no effect.
        scale: s >= 1.
        style: where the offsets are generated.
        groups: G; 4 for lp and 8 for pl unless given.
        dynamic_scope: whether the range of the offsets is generated too ("+").
    """

    facts = Facts(
        name="dysample",
        title="DySample",
        family="first order",
        paper=Paper(
            "Wenze Liu, Hao Lu, Hongtao Fu, Zhiguo Cao",
            "Learning to Upsample by Learning to Sample",
            "ICCV",
            2023,
            "2308.15085",
        ),
        kernel_size=2,
        groups="groups",
        taps="4",
        border="replicate",
        samples_points=True,
        variants=(
            Variant("lp"),
            Variant("lp+", {"dynamic_scope": True}),
            Variant("pl", {"style": "pl"}),
            Variant("pl+", {"style": "pl", "dynamic_scope": True}),
        ),
    )
    start: Tensor

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        style: Literal["lp", "pl"] = "lp",
        groups: int | None = None,
        dynamic_scope: bool = False,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        groups = GROUPS[style] if groups is None else groups
        check_option(groups >= 1, "dysample", "groups", groups, ">= 1")
        if channels % groups:
            raise Unsupported(f"dysample: channels must be a multiple of groups; got {channels} and {groups}")
        if style == "pl" and channels % scale**2:
            raise Unsupported(f"dysample: style pl needs channels to be a multiple of s² = {scale**2}; got {channels}")
        self.style, self.groups, self.dynamic_scope = style, groups, dynamic_scope
        read, made = (channels, 2 * groups * scale**2) if style == "lp" else (channels // scale**2, 2 * groups)
        self.offset = Conv2d(read, made, 1)
        nn.init.normal_(self.offset.weight, std=0.001)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]  # there is one
        if dynamic_scope:
            self.scope = Conv2d(read, made, 1, bias=False)
            nn.init.zeros_(self.scope.weight)
        self.start_is_loaded = False
        precise = torch.promote_types(torch.get_default_dtype(), torch.float32)
        self.register_buffer("start", start_position(scale, groups, precise, self.offset.weight.device))

    def positions(self, z: Tensor) -> Tensor:
        """Where each output point reads relative to its pixel ⌊i/s⌋, [B, G, 2, sH, sW], x before y, not held in z."""
        return moving.positions(z, *self._offsets(z), self.start, self.scale, self.groups)

    def _offsets(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """The offsets and, where it is generated, their scope, [B, 2·G·s², H, W] each."""
        phases = self.scale**2
        # A 1×1 convolution of the shuffled map: the phases stand one below the other instead, which moves nothing.
        source = z.unflatten(1, (self.channels // phases, phases)).flatten(2, 3) if self.style == "pl" else z
        made = [self.offset(source)] + ([self.scope(source)] if self.dynamic_scope else [])
        if self.style == "pl":
            made = [one.unflatten(2, (phases, z.shape[2])).flatten(1, 2) for one in made]
        return made[0], made[1] if self.dynamic_scope else None

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, G, 4, sH, sW]: bilinear weights of the corners above left, above right, below left, below right."""
        return moving.corners(z, *self._offsets(z), self.start, self.scale, self.groups)[0]

    def points(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """Where z is read, [B, G, 2, sH, sW], x before y, in pixels of z, 0 being the centre of the first."""
        return moving.corners(z, *self._offsets(z), self.start, self.scale, self.groups)[1]

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map [B, C, sH, sW], from the offsets in one pass."""
        self.check(z, guide)
        return moving.sample_moved(z, *self._offsets(z), self.start, self.scale, self.groups)

    def macs(self, height: int, width: int) -> int:
        """The offsets' convolution, the scope's where there is one, and 4 per output element."""
        generated = 2 * self.groups * self.channels * (self.scale**2 if self.style == "lp" else 1)
        return (generated * (1 + self.dynamic_scope) + 4 * self.channels * self.scale**2) * height * width

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> DySample:
        """As every module, but half types must not round the start position, nor float64 keep float32's digits.

        One that was loaded stays as it is: the released code built it in float32, and weights were trained with it.
        """
        before = self.start
        super()._apply(fn, recurse)
        precise, device = torch.promote_types(self.start.dtype, torch.float32), self.start.device
        if self.start_is_loaded:
            self.start = before.to(device, precise)
        else:
            self.start = start_position(self.scale, self.groups, precise, device)
        return self

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self.start_is_loaded = self.start_is_loaded or f"{prefix}start" in state_dict

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Everything follows: the last start position is (s − 1)/2s, and pl has fewer offsets than start positions."""
        start, offset = state["init_pos"], state["offset.weight"]
        last = min(start.flatten().tolist()[-1], 0.49)
        scale = max(1, round(1 / (1 - 2 * last)))
        style = options.get("style") or ("pl" if offset.shape[0] < start.numel() else "lp")
        arguments = {
            "channels": offset.shape[1] * (scale**2 if style == "pl" else 1),
            "scale": scale,
            "style": style,
            "groups": start.numel() // (2 * scale**2),
            "dynamic_scope": "scope.weight" in state,
        }
        keys = {"init_pos": "start", "offset.weight": "offset.weight", "offset.bias": "offset.bias"}
        return arguments, keys | ({"scope.weight": "scope.weight"} if arguments["dynamic_scope"] else {})

"""LDA-AQU: w = softmax over k² deformed points of the inner products of a query with the keys read there.

n = LN(z); q = bilinear↑(conv1×1(n)), k = conv1×1(n), h = C/r channels. For each of g groups of channels, with weights
that they share, o = ρ·tanh(conv(GELU(LN(dw3×3(q))))) + the 3×3 grid, [B, g, k², (row, column), sH, sW], in pixels of
the **output**. Point t of output (i, j): row (i + o_r)(H − 1)/(sH − 1), column likewise (corners aligned). a = softmax
over t of ⟨q, k(point) + bias_t⟩/√(h/heads), for each head; out = Σ_t a_t·z(point_t), read bilinearly, zero outside:
w = a_t times corner weights, [B, G, 4k², sH, sW] at points [B, G, k², 2, sH, sW], G the least common multiple of g and
the heads. Du et al., ACM MM 2024.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d
from upsamplers.errors import Unsupported
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive import reassemble
from upsamplers.primitive.similarities import sampled_similarities
from upsamplers.sampling import corner_weights
from upsamplers.softmax import softmax


class LdaAqu(Upsampler):
    """Local deformable attention as an upsampler. Nothing of k² maps is ever made of keys or values.

    A point outside has the bias alone in its logit and keeps its share. A side of one pixel has its one position
    everywhere; at scale 1, where the released code divides by zero there, a step of the output is one of z, as on any
    other side. The offsets start at the grid (the released module leaves that to its network, and starts at random).

    Parameters, h = C/r: 2Ch + 2C + 11h/g + 2k²(k_e²h/g + 1) + k²h, 39,410 at C = 256.

    Args:
        channels: C of z; a multiple of reduction, and of groups and heads together.
        guide_channels: of no effect.
        scale: s >= 1.
        groups: g, groups of channels with points of their own.
        heads: groups of channels with weights of their own.
        reduction: r; divides C, and h = C/r is a multiple of groups and heads together.
        kernel_size: k, points along a side, odd.
        offset_kernel_size: k_e, side of the convolution that makes offsets, odd.
        offset_range: ρ, pixels of the output that a point may move.
        position_bias: whether each point has a bias of its own.

    Raises:
        OptionError: an even kernel, or a size below 1.
        Unsupported: channels that do not divide.
    """

    facts = Facts(
        name="lda_aqu",
        title="LDA-AQU",
        family="second order",
        paper=Paper(
            "Zewen Du, Zhenjiang Hu, Guiyu Zhao, Ying Jin, Hongbin Ma",
            "LDA-AQU: Adaptive Query-guided Upsampling via Local Deformable Attention",
            "ACM MM",
            2024,
            "2411.19585",
        ),
        kernel_size=2,
        groups="lcm",
        taps="4·k²",
        samples_points=True,
        variants=(
            Variant("default"),
            Variant("2 heads", {"heads": 2}),
            Variant("no bias", {"position_bias": False}),
            Variant("reduction 2", {"reduction": 2}),
        ),
    )
    grid: Tensor

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        groups: int = 2,
        heads: int = 1,
        reduction: int = 4,
        kernel_size: int = 3,
        offset_kernel_size: int = 3,
        offset_range: int = 11,
        position_bias: bool = True,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        for name, side in (("kernel_size", kernel_size), ("offset_kernel_size", offset_kernel_size)):
            check_option(side >= 1 and side % 2 == 1, "lda_aqu", name, side, "an odd integer >= 1")
        positive = {"groups": groups, "heads": heads, "reduction": reduction}
        for name, value in (positive | {"offset_range": offset_range}).items():
            check_option(value >= 1, "lda_aqu", name, value, "an integer >= 1")
        self.groups, self.heads, self.offset_range = groups, heads, offset_range
        self.sets, self.side, self.hidden = math.lcm(groups, heads), kernel_size, channels // reduction
        if channels % reduction or self.hidden % self.sets:
            given = f"{channels} channels, reduction={reduction}, groups={groups}, heads={heads}"
            raise Unsupported(
                f"lda_aqu: channels/reduction must be whole, and a multiple of groups and heads; got {given}"
            )
        per, taps = self.hidden // groups, kernel_size**2
        self.norm = nn.LayerNorm(channels)
        self.query = Conv2d(channels, self.hidden, 1, bias=False)
        self.key = Conv2d(channels, self.hidden, 1, bias=False)
        self.offset_depthwise = Conv2d(per, per, 3, padding=1, groups=per, bias=False)
        self.offset_norm = nn.LayerNorm(per)
        self.offset = Conv2d(per, 2 * taps, offset_kernel_size, padding=offset_kernel_size // 2)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]  # there is one
        if position_bias:
            self.bias_table = nn.Parameter(torch.zeros(1, heads, 1, taps, self.hidden // heads))
            nn.init.trunc_normal_(self.bias_table, std=0.02)
        else:
            self.register_parameter("bias_table", None)
        axis = torch.arange(kernel_size) - kernel_size // 2
        rows, columns = torch.meshgrid(axis, axis, indexing="ij")
        self.register_buffer("grid", torch.stack([rows, columns], -1).view(-1, 2, 1, 1), persistent=False)

    def offsets(self, query: Tensor) -> Tensor:
        """o [B, g, k², 2, sH, sW], row before column, of q [B, h, sH, sW], the grid included; at least float32."""
        folded = self.offset_depthwise(query.unflatten(1, (self.groups, -1)).flatten(0, 1))
        active = functional.gelu(self.offset_norm(folded.movedim(1, -1))).movedim(-1, 1)
        moved = self.offset(active).to(torch.promote_types(query.dtype, torch.float32)).tanh() * self.offset_range
        return moved.unflatten(1, (-1, 2)).unflatten(0, (query.shape[0], self.groups)) + self.grid

    def _generated(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Offsets o, shares a [B, heads, k², sH, sW], corner weights [B, G, k², 4, …] and points [B, G, k², 2, …]."""
        normal = self.norm(z.movedim(1, -1)).movedim(-1, 1)
        (height, width), scale = z.shape[-2:], self.scale
        size = (scale * height, scale * width)
        query = functional.interpolate(self.query(normal), size, mode="bilinear", align_corners=True)
        offsets = self.offsets(query)
        steps = [1.0 if scale == 1 else (side - 1) / (scale * side - 1) for side in (height, width)]  # in pixels of z
        y = (offsets[:, :, :, 0] + torch.arange(size[0], device=z.device)[:, None]) * steps[0]
        x = (offsets[:, :, :, 1] + torch.arange(size[1], device=z.device)) * steps[1]
        points, corners = torch.stack([x, y], 3).detach(), corner_weights(x, y).to(query.dtype)
        bias = None
        if self.bias_table is not None:
            bias = self.bias_table[0, :, 0].unflatten(-1, (self.sets // self.heads, -1)).transpose(1, 2).flatten(0, 1)
        points, corners = (split(of_groups, self.sets // self.groups) for of_groups in (points, corners))
        key = self.key(normal)
        logits = sampled_similarities(query, key, points, corners, scale=scale, bias=bias)  # [B, G, k², sH, sW]
        logits = logits.unflatten(1, (self.heads, -1)).sum(2) / math.sqrt(self.hidden // self.heads)
        return offsets, softmax(logits, 2), corners, points

    def _weighted(self, shares: Tensor, corners: Tensor) -> Tensor:
        return (split(shares, self.sets // self.heads).unsqueeze(3).to(corners.dtype) * corners).flatten(2, 3)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, G, 4k², sH, sW]: each point's share times its corners' weights."""
        return self._weighted(*self._generated(z)[1:3])

    def points(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """Where z is read, [B, G, k², 2, sH, sW], x before y, in pixels of z."""
        return self._generated(z)[3]

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map [B, C, sH, sW]; points and shares are computed once."""
        self.check(z, guide)
        _, shares, corners, points = self._generated(z)
        w = self._weighted(shares, corners)
        return reassemble(w, z, scale=self.scale, kernel_size=2, border=self.border, points=points)

    def macs(self, height: int, width: int) -> int:
        """Convolutions, q's interpolation, 5 for each similarity (4 to read a key), 4 for each value that is read."""
        area, taps, h = self.scale**2, self.side**2, self.hidden
        generated = 2 * self.channels * h + area * h * (9 + 2 * taps * self.offset.kernel_size[0] ** 2 + 4)
        return (generated + area * taps * (5 * h + 4 * self.channels)) * height * width

    def sampled_values(self, height: int, width: int) -> int:
        """Keys and values at every point."""
        return (self.scale * self.side) ** 2 * (self.hidden + self.channels) * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """All but scale and range follow, and the heads where there is a table of biases."""
        hidden, channels = state["proj_q.weight"].shape[:2]
        offsets, per, side, _ = state["conv_offset.3.weight"].shape
        table = "relative_position_bias_table"
        arguments = {
            "channels": channels,
            "guide_channels": channels,
            "groups": hidden // per,
            "heads": state[table].shape[1] if table in state else options.get("heads", 1),
            "reduction": channels // hidden,
            "kernel_size": math.isqrt(offsets // 2),
            "offset_kernel_size": side,
            "position_bias": table in state,
        }
        keys = {"proj_q.weight": "query.weight", "proj_k.weight": "key.weight"}
        keys["conv_offset.0.weight"] = "offset_depthwise.weight"
        names = {"conv_offset.1.norm": "offset_norm", "conv_offset.3": "offset", "layer_norm.norm": "norm"}
        keys |= {f"{theirs}.{p}": f"{own}.{p}" for theirs, own in names.items() for p in ("weight", "bias")}
        return arguments, keys | ({table: "bias_table"} if table in state else {})


def split(of_sets: Tensor, parts: int) -> Tensor:
    """[B, n, …] with each of its n sets of channels as so many sets, [B, n·parts, …]."""
    return of_sets if parts == 1 else of_sets.repeat_interleave(parts, 1)

"""A2U with one part of it changed, for trainings that tell which part does what: docs/a2u-ablation.md.

Built by name, as a user's own operators are: ``a2u-bench quality --pairs twin/a2u_bench.quality.ablated:A2U:rank=4``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.affinity import Factor, scaled_affinity
from upsamplers.operator import Variant
from upsamplers.ops.a2u import A2U as Published
from upsamplers.ops.a2u import Dynamics, Sharing


class A2U(Published):
    """A2U with a guide and self affinity, G = 1; every option at its default is the published operator.

    Args:
        channels: C of z.
        guide_channels: C of the guide.
        scale: s >= 1.
        kernel_size: k.
        rank: d.
        sharing: shared, semi-shared or unshared.
        dynamics: dynamic, hybrid or static.
        order: second: a = Σ_k U_k V_k / √C; weighted: a = Σ_k m_k U_k V_k, with learned m; first: a = Σ_k m_k U_k, with
            learned m and no V; sum: a = Σ_k (U_k + V_k) / √C, all else as published.
        activation: leaky: of U and V, as published; linear: none, they keep their signs.
        gate: what becomes of the logits of one output pixel, over its k² taps: softmax of the sigmoid, softmax alone,
            or the sigmoid alone, whose taps do not sum to one.
        resolution: coarse: one affinity for the s² output pixels of a point; fine: one for each, read at stride 1.
        encoder_kernel_size: e, at stride s.
        gain: what the affinity is multiplied by.
        projection: pooled: P is made from the guide's mean; learned: P is the same for every image.
        down: what becomes of the twin's logits over its s²k² taps: softmax, or softmax of the sigmoid.
        twin: build the downsampling head too.
    """

    facts = replace(
        Published.facts,
        name="a2u_ablated",
        title="A2U with a part changed",
        guide="required",
        variants=(Variant("published"),),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 3,
        rank: int = 1,
        sharing: Sharing = "shared",
        dynamics: Dynamics = "dynamic",
        order: Literal["second", "weighted", "first", "sum"] = "second",
        activation: Literal["leaky", "linear"] = "leaky",
        gate: Literal["both", "softmax", "sigmoid"] = "both",
        resolution: Literal["coarse", "fine"] = "coarse",
        encoder_kernel_size: int = 6,
        gain: int = 1,
        projection: Literal["pooled", "learned"] = "pooled",
        down: Literal["softmax", "both"] = "softmax",
        twin: bool = False,
    ) -> None:
        super().__init__(
            channels,
            guide_channels,
            scale,
            kernel_size=kernel_size,
            rank=rank,
            sharing=sharing,
            dynamics=dynamics,
            encoder_kernel_size=encoder_kernel_size,
            twin=twin,
        )
        self.order, self.gate, self.resolution, self.down = order, gate, resolution, down
        self.projection, self.gain, self.activation = projection, gain, activation
        if order == "first":
            del self.v
        if order in ("weighted", "first"):
            self.mix = nn.Conv2d(self.guide_channels, 1, 1, bias=False)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, k², sH, sW]."""
        assert guide is not None
        self.check(z, guide)
        a, seen = self._affinity_of(guide, self.scale)
        return self._up_kernels(seen, a)

    def _affinity_of(self, x: Tensor, stride: int, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The affinity, and the map itself, of which the heads and the fine resolution see what they need."""
        return self._affinity(x, stride), x

    def _affinity(self, guide: Tensor, stride: int) -> Tensor:
        """[B, d, H, W] at this stride."""
        u = self._projected(self.u, guide, stride)  # [B, d·C, H, W]
        if self.order == "first":
            return self._mixed(u)
        v = self._projected(self.v, guide, stride)
        if self.order == "sum":
            ones = torch.ones_like(u)
            return self.gain * (scaled_affinity(u, ones, self.rank) + scaled_affinity(ones, v, self.rank))
        return self._mixed(u * v) if self.order == "weighted" else self.gain * scaled_affinity(u, v, self.rank)

    def _mixed(self, products: Tensor) -> Tensor:
        """Σ_k m_k of each rank, [B, d, H, W] from [B, d·C, H, W]."""
        return self.gain * torch.cat([self.mix(part) for part in products.chunk(self.rank, 1)], 1)

    def _projected(self, factor: Factor, guide: Tensor, stride: int) -> Tensor:
        """U or V, [B, d·C, H, W]; without its activation the GroupNorm of each rank alone."""
        if self.activation == "leaky":
            projected: Tensor = factor(guide, stride)
            return projected
        slices = factor.project(guide, stride).unflatten(1, (self.rank, -1)).flatten(0, 1)  # [B·d, C, H, W]
        normal: Tensor = factor.norm(slices)
        return normal.unflatten(0, (-1, self.rank)).flatten(1, 2)

    def _seen(self, x: Tensor) -> Tensor:
        """What the heads read of a guide, [B, C, 1, 1]; where P is learned nothing, which leaves their biases."""
        pooled = functional.adaptive_avg_pool2d(x, 1)
        return torch.zeros_like(pooled) if self.projection == "learned" else pooled

    def _logits(self, head: nn.Conv2d, x: Tensor, a: Tensor) -> Tensor:
        return super()._logits(head, self._seen(x).flatten(1), a)

    def _up_kernels(self, x: Tensor, a: Tensor) -> Tensor:
        if self.resolution == "coarse":
            logits = self._logits(self.up_head, x, a)
        else:
            phases = self.scale**2
            fine = functional.pixel_unshuffle(self._affinity(x, 1), self.scale).unflatten(1, (self.rank, phases))
            p = self.up_head(self._seen(x)).view(len(x), self.rank, -1, phases)
            logits = torch.einsum("bdkq,bdqhw->bkqhw", p, fine).flatten(1, 2)
        shuffled = functional.pixel_shuffle(logits, self.scale).unsqueeze(1)  # [B, 1, k², sH, sW]
        gates = shuffled if self.gate == "softmax" and self.kernel_size > 1 else shuffled.sigmoid()
        return gates if self.gate == "sigmoid" or self.kernel_size == 1 else gates.softmax(2)

    def _down_kernels(self, guide: Tensor, a: Tensor) -> Tensor:
        if self.down == "softmax":
            return super()._down_kernels(guide, a)
        assert self.down_head is not None
        return self._logits(self.down_head, guide, a).unsqueeze(1).sigmoid().softmax(2)

    def macs(self, height: int, width: int, guided: bool = True) -> int:
        """Nothing: these are made to be trained, and their costs are nobody's."""
        raise NotImplementedError("a2u_ablated is for trainings alone and states no macs")

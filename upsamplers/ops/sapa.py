"""SAPA: w = softmax over k² of the inner products of a query from the guide with the keys of z's window.

w_i = softmax_j ⟨q_i, k_j⟩ for the k×k window of keys around ⌊i/s⌋, without 1/√m; a key outside the map is zero, so its
logit is 0 and still takes its share. The values are z itself. w [B, 1, k², sH, sW]. Lu et al., NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from upsamplers.convolution import Linear
from upsamplers.errors import Unsupported
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive import correlate, reassemble
from upsamplers.repeat import plus_repeated, repeated
from upsamplers.softmax import softmax


class Sapa(Upsampler):
    """SAPA with one of its three similarities, LN being layer normalisation over channels.

    base (SAPA-B): q = Linear(LN(guide)), k = Linear(LN(z)), both to m channels.
    gated (SAPA-G): q = g·Linear(LN(guide)) + (1 − g)·Linear(z)↑ with g = sigmoid(Linear(LN(z)))↑; its second term
        reads z as it is, and ↑ (nearest) follows the linear layer, which is the same and s² times cheaper.
    inner (SAPA-I): q = guide, k = z; no parameters.

    Parameters at m = 32 and equal widths: 68C + 64, 101C + 97, 0. Multiply-adds per low-resolution point at scale 2
    and k = 5: 260C + 3,200, 293C + 3,360 (the gate's products counted), 200C.

    Args:
        channels: C of z.
        guide_channels: C of the guide; `inner` needs it to be `channels`.
        scale: s >= 1.
        mode: the similarity.
        embedding: m, channels of query and key; without effect on `inner`. The released code's own default is 64.
        kernel_size: k, odd.
    """

    facts = Facts(
        name="sapa",
        title="SAPA",
        family="second order",
        paper=Paper(
            "Hao Lu, Wenze Liu, Zixuan Ye, Hongtao Fu, Yuliang Liu, Zhiguo Cao",
            "SAPA: Similarity-Aware Point Affiliation for Feature Upsampling",
            "NeurIPS",
            2022,
            "2209.12866",
        ),
        kernel_size=5,
        groups="1",
        taps="k²",
        guide="required",
        variants=(Variant("base"), Variant("gated", {"mode": "gated"}), Variant("inner", {"mode": "inner"})),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        mode: Literal["base", "gated", "inner"] = "base",
        embedding: int = 32,
        kernel_size: int = 5,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(embedding >= 1, "sapa", "embedding", embedding, ">= 1")
        check_option(kernel_size >= 1 and kernel_size % 2 == 1, "sapa", "kernel_size", kernel_size, "odd, >= 1")
        self.mode, self.embedding, self.kernel_size = mode, embedding, kernel_size
        if mode == "inner":
            if self.guide_channels != channels:
                given = f"{self.guide_channels} and {channels}"
                raise Unsupported(f"sapa: mode inner needs guide and z to be equally wide; got {given}")
            return
        self.norm_guide, self.norm_z = nn.LayerNorm(self.guide_channels), nn.LayerNorm(channels)
        self.query, self.key = Linear(self.guide_channels, embedding), Linear(channels, embedding)
        if mode == "gated":
            self.query_z, self.gate = Linear(channels, embedding), Linear(channels, 1)
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def similarities(self, z: Tensor, guide: Tensor) -> Tensor:
        """The logits ⟨q_i, k_j⟩, [B, 1, k², sH, sW]."""
        query, key = (guide, z) if self.mode == "inner" else self._embedded(z, guide)
        return correlate(query, key, scale=self.scale, kernel_size=self.kernel_size)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, k², sH, sW], each kernel summing to one, keys outside the map included."""
        assert guide is not None
        return softmax(self.similarities(z, guide), 2)

    def _embedded(self, z: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Query [B, m, sH, sW] and key [B, m, H, W]."""
        raw = z.movedim(1, -1)  # [B, H, W, C], where linear layers and norms read channels
        normal = self.norm_z(raw)
        key = self.key(normal).movedim(-1, 1)
        query = self.query(self.norm_guide(guide.movedim(1, -1))).movedim(-1, 1)
        if self.mode == "gated":
            gate = self.gate(normal).sigmoid().movedim(-1, 1).unsqueeze(2)  # [B, 1, 1, H, W]
            of_z = reassemble(1 - gate, self.query_z(raw).movedim(-1, 1), scale=1, kernel_size=1)
            of_guide = reassemble(repeated(gate, self.scale), query, scale=1, kernel_size=1)
            query = plus_repeated(of_guide, of_z, self.scale)
        return query, key

    def macs(self, height: int, width: int) -> int:
        """Linear layers, the gate's products, similarities and reassembly."""
        area, taps, m = self.scale**2, self.kernel_size**2, self.embedding
        window = area * taps * self.channels
        if self.mode == "inner":
            return 2 * window * height * width
        point = area * m * self.guide_channels + m * self.channels + area * taps * m + window
        if self.mode == "gated":
            point += (m + 1) * self.channels + (area + 1) * m
        return point * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Mode, widths and m follow from the keys and shapes; scale and k are the caller's."""
        layers = {"norm_y": "norm_guide", "norm_x": "norm_z", "k": "key"}
        if any(key.partition(".")[0] in ("qy", "qx", "gate") for key in state):
            mode, layers = "gated", {**layers, "qy": "query", "qx": "query_z", "gate": "gate"}
        else:
            mode, layers = "base", {**layers, "q": "query"}
        embedding, channels = state["k.weight"].shape
        arguments = {
            "channels": channels,
            "guide_channels": state["norm_y.weight"].shape[0],
            "mode": mode,
            "embedding": embedding,
        }
        keys = {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in layers.items() for part in ("weight", "bias")}
        return arguments, keys

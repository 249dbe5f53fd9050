"""Affinity-aware upsampling (A2U): w from second-order features, a low-rank bilinear form of two local maps.

**The bilinear form.** One low-resolution point sees a window of X and one of Y. With channel k of them vectorised as
x_k ∈ R^N and y_k ∈ R^M, entry l of its kernels is a sum over channels of bilinear forms,

    w_l = Σ_k x_kᵀ A_kl y_k .

Full matrices A_kl are far too many, so each is held to rank d, with factors that all entries share and a diagonal of
their own: A_kl ≈ U_k diag(p_l) V_kᵀ, U_k ∈ R^{N×d}, V_k ∈ R^{M×d}, p_l ∈ R^d, 1 ≤ d ≤ min(N, M). Then

    w_l = Σ_r p_lr a_r ,    a_r = Σ_k (u_krᵀ x_k)(v_krᵀ y_k) ,    or  w = Pᵀ cat_r a_r .

**As convolutions.** u_krᵀ x_k at every point is a depthwise convolution of X, so that for a map, with e×e windows,

    U = conv(X, u)  [B, d·C, H, W]        V = conv(Y, v)  [B, d·C, H, W]      stride s, padding ⌊(e−1)/2⌋
    a = Σ_k U_k ⊙ V_k / √C                [B, d, H, W]
    logits = conv1×1(a, P)                [B, s²k²G, H, W], pixel shuffle → [B, k²G, sH, sW]
    w = softmax over k² of sigmoid        [B, G, k², sH, sW];  for k = 1, where softmax is 1, the sigmoid alone.

U and V each pass GroupNorm and LeakyReLU before they meet. Without the two (`A2U.bilinear`) a is the form above.
X is the encoder's feature at high resolution: s² more detail than z has.

**Where u, v, P come from.** *dynamics*: dynamic: 1×1 convolutions of X (Y) pooled to e×e; hybrid: u a parameter, v
dynamic; static: both parameters. P is always a 1×1 convolution of the mean of X. *sharing*: shared: one u, v for all
channels; unshared: one per channel; semi-shared: one per group of channels. No published code defines semi-shared;
channel groups are our reading of it, of which 1 group is shared and C groups are unshared. *affinity*: self: X = Y =
guide; cross: X = guide, Y = z, read at stride 1. Without a guide X = Y = z, at stride 1. At stride 1 an even e is one
less, so that sizes keep. Generators have d times as many rows, rank by rank.

**The twin** downsamples by kernels of side s_d = s·k, as large as those of s² phases together (s_d² = s²k²), from the
same U and V with a P of its own: softmax over s_d², no sigmoid. It comes before any z, so that X = Y = guide even
where the affinity is cross.

**Cost** of one sample, c channels of the guide, C of z, g sets of kernels (1, share_groups or c). Multiply-adds per
low-resolution point: U and V e²cd each, a cd, P s²k²Gd, wᵀz s²k²C; on pooled maps e²cdg for each of U and V that is
dynamic, and s²k²Gcd for P. By default, with c = C, 109c + 36 per point and 108c per sample. The twin costs the same,
but c for C. Parameters (s²k²Gd + 2dg)(c + 1) + 4c: 42c + 38 by default, 78c + 74 with the twin, and 2c² + 78c + 72
with the twin unshared. A static u or v has dge² instead of dg(c + 1).

Authors' weights with G > 1: their generator orders rows (tap, group) and normalises so, but their reassembly reads
(group, tap). Here rows are ordered as theirs and read as they are normalised; at G = 1 there is no difference.

Yutong Dai, Hao Lu, Chunhua Shen, "Learning Affinity-Aware Upsampling for Deep Image Matting", CVPR 2021,
arXiv 2011.14288.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from upsamplers.affinity import Factor, contract, kernel_side
from upsamplers.convolution import linear, product
from upsamplers.errors import StateDictError, Unsupported
from upsamplers.fused import affinity, normalised_kernels, pooled
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive import downassemble
from upsamplers.tracing import sizes

Sharing = Literal["shared", "semi-shared", "unshared"]
Dynamics = Literal["dynamic", "hybrid", "static"]
Affinity = Literal["self", "cross"]

VARIANTS = (
    Variant("rank 1, shared"),
    Variant("rank 1, semi-shared", {"sharing": "semi-shared"}),
    Variant("rank 1, unshared", {"sharing": "unshared"}),
    Variant("rank 2, shared", {"rank": 2}),
    Variant("rank 2, semi-shared", {"rank": 2, "sharing": "semi-shared"}),
    Variant("rank 2, unshared", {"rank": 2, "sharing": "unshared"}),
    Variant("rank 4, shared", {"rank": 4}),
    Variant("rank 4, semi-shared", {"rank": 4, "sharing": "semi-shared"}),
    Variant("rank 4, unshared", {"rank": 4, "sharing": "unshared"}),
    Variant("hybrid", {"dynamics": "hybrid"}),
    Variant("static", {"dynamics": "static"}),
    Variant("cross", {"affinity": "cross"}),
    Variant("k = 1", {"kernel_size": 1}),
)

OFFICIAL_KEYS = {
    "bconv_U.1": "u.generator",
    "bconv_V.1": "v.generator",
    "bnu.0": "u.norm",
    "bnv.0": "v.norm",
    "bconv_UP.1": "up_head",
    "bconv_DP.1": "down_head",
}


class A2U(Upsampler):
    """Affinity-aware upsampling: w [B, G, k², sH, sW] from second-order features of the guide, or of z without one.

    Softmax of a sigmoid keeps each of the nine weights of k = 3 in [0.044, 0.254]. At rank 1 a sample's logits are one
    vector times one number per point.

    Args:
        channels: C of z.
        guide_channels: C of the guide; defaults to `channels`.
        scale: s >= 1.
        kernel_size: k, odd.
        groups: G, divides `channels` (with the twin `guide_channels` too).
        border: what lies outside z (with the twin: outside the guide) in wᵀz.
        rank: d, from 1 to the number of entries of an encoder window, e².
        sharing: which channels share u and v.
        share_groups: groups of channels for semi-shared; divides `guide_channels`.
        dynamics: which of u and v are made from features.
        affinity: self: X = Y = guide; cross: X = guide, Y = z, which must be equally wide.
        encoder_kernel_size: e, at stride s.
        twin: build the downsampling head too.

    Raises:
        OptionError: an option out of its range.
        Unsupported: groups that do not divide the channels; cross affinity of unequal widths.
    """

    facts = Facts(
        name="a2u",
        title="Affinity-aware upsampling",
        label="A2U",
        family="second order",
        paper=Paper(
            "Yutong Dai, Hao Lu, Chunhua Shen",
            "Learning Affinity-Aware Upsampling for Deep Image Matting",
            "CVPR",
            2021,
            "2011.14288",
        ),
        kernel_size=3,
        groups="groups",
        taps="k²",
        guide="optional",
        twin=True,
        variants=VARIANTS,
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 3,
        groups: int = 1,
        border: Literal["zero", "replicate", "reflect"] = "zero",
        rank: int = 1,
        sharing: Sharing = "shared",
        share_groups: int = 4,
        dynamics: Dynamics = "dynamic",
        affinity: Affinity = "self",
        encoder_kernel_size: int = 6,
        twin: bool = False,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        width = self.guide_channels
        check_option(
            kernel_size >= 1 and kernel_size % 2 == 1, "a2u", "kernel_size", kernel_size, "an odd integer >= 1"
        )
        check_option(groups >= 1, "a2u", "groups", groups, "an integer >= 1 that divides channels")
        check_option(share_groups >= 1, "a2u", "share_groups", share_groups, "an integer >= 1 that divides the guide's")
        check_option(encoder_kernel_size >= 1, "a2u", "encoder_kernel_size", encoder_kernel_size, "an integer >= 1")
        _check_divides("groups", groups, "channels", channels)
        if twin:
            _check_divides("groups", groups, "guide_channels", width)
        if sharing == "semi-shared":
            _check_divides("share_groups", share_groups, "guide_channels", width)
        if affinity == "cross" and width != channels:
            raise Unsupported(f"a2u: cross affinity needs guide and z equally wide; got {width} and {channels}")
        u_side = kernel_side(encoder_kernel_size, scale)
        v_side = kernel_side(encoder_kernel_size, 1 if affinity == "cross" else scale)
        check_option(1 <= rank <= v_side**2, "a2u", "rank", rank, f"1 to {v_side**2}, the entries of an encoder window")
        self.kernel_size, self.border, self.groups, self.rank = kernel_size, border, groups, rank
        self.affinity, self.twin = affinity, twin
        sets = {"shared": 1, "semi-shared": share_groups, "unshared": width}[sharing]
        self.u = Factor(width, rank, sets, u_side, dynamic=dynamics == "dynamic")
        self.v = Factor(width, rank, sets, v_side, dynamic=dynamics != "static")
        entries = scale**2 * kernel_size**2 * groups
        self.up_head = nn.Conv2d(width, rank * entries, 1)
        self.down_head = nn.Conv2d(width, rank * entries, 1) if twin else None

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, G, k², sH, sW], positive, summing to one over the taps; in (0, 1) for k = 1."""
        x, y, stride, _ = self._maps(z, guide)
        a, mean = self._affinity_of(x, stride, None if y is x else y)
        return self._up_kernels(mean, a)

    def _up_kernels(self, mean: Tensor, a: Tensor) -> Tensor:
        logits = self._logits(self.up_head, mean, a)
        return normalised_kernels(logits, None, self.scale, 1, self.groups, True, 1.0, True, self.kernel_size > 1)

    def bilinear(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The form itself, Σ_k (u_krᵀ x_k)(v_krᵀ y_k) [B, d, H, W]: no GroupNorm, no LeakyReLU, no 1/√C.

        Its sum over r is Σ_k x_kᵀ A_k y_k with A_k = U_k V_kᵀ.
        """
        x, y, stride, y_stride = self._maps(z, guide)
        return contract(self.u.project(x, stride), self.v.project(y, y_stride), self.rank)

    def _maps(self, z: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor, int, int]:
        """X and Y, and the stride at which each is read."""
        self.check(z, guide)
        if guide is None:
            return z, z, 1, 1
        return (guide, z, self.scale, 1) if self.affinity == "cross" else (guide, guide, self.scale, self.scale)

    def check(self, z: Tensor, guide: Tensor | None) -> None:
        """Raise ValueError, with the shapes, when z or the guide does not fit; without a guide z takes its place."""
        super().check(z, guide)
        if guide is None and self.guide_channels != self.channels:
            raise ValueError(
                f"a2u: without a guide z takes its place, which must have {self.guide_channels} channels; "
                f"got z {tuple(z.shape)}; give the guide or create with guide_channels={self.channels}"
            )

    def _affinity_of(self, x: Tensor, stride: int, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The affinity of x with y [B, d, H, W], or with itself, and the mean of x [B, C]: each map is pooled once."""
        side = y_side = kernel_side(self.u.kernel_size, stride)
        made = self.u.generator or (y is None and self.v.generator)
        means = cells = pooled(x, side) if made else x.mean((2, 3)).unsqueeze(0)
        if y is not None:
            y_side = kernel_side(self.v.kernel_size, 1)
            cells = pooled(y, y_side) if self.v.generator else cells
        u, v = self.u.kernels_of(means[:-1], side), self.v.kernels_of(cells[:-1], y_side)
        affine = (one for factor in (self.u, self.v) for one in (factor.norm.weight, factor.norm.bias))
        return affinity(x, y, u, v, *affine, stride, self.u.norm.num_groups, self.u.norm.eps), means[-1]

    def _logits(self, head: nn.Conv2d, mean: Tensor, a: Tensor) -> Tensor:
        """P, made of the map's mean [B, C], applied to the affinity of every point: [B, s²k²G, H, W]."""
        p = linear(mean, head.weight.flatten(1), head.bias)
        p = p.unflatten(1, (self.rank, head.out_channels // self.rank)).transpose(1, 2)  # [B, s²k²G, d]
        return product(p, a.flatten(2)).unflatten(2, a.shape[2:])

    @property
    def down_kernel_size(self) -> int:
        """s·k: as many taps as the s² phases of upsampling have together."""
        return self.scale * self.kernel_size

    def down_weights(self, guide: Tensor) -> Tensor:
        """The twin's w [B, G, s²k², H, W], summing to one over the taps, for a guide [B, Cg, sH, sW]."""
        self._check_down(guide)
        a, mean = self._affinity_of(guide, self.scale)
        return self._down_kernels(mean, a)

    def halve(self, guide: Tensor) -> tuple[Tensor, Tensor | None]:
        """Both directions from one affinity, where it is that of the guide with itself."""
        if self.affinity == "cross":
            return super().halve(guide)
        self._check_down(guide)
        a, mean = self._affinity_of(guide, self.scale)
        w = self._down_kernels(mean, a)
        return downassemble(w, guide, self.scale, self.down_kernel_size, self.border), self._up_kernels(mean, a)

    def _down_kernels(self, mean: Tensor, a: Tensor) -> Tensor:
        assert self.down_head is not None
        logits = self._logits(self.down_head, mean, a)
        return normalised_kernels(logits, None, 1, 1, self.groups, True, 1.0, False, True)

    def _check_down(self, guide: Tensor) -> None:
        """Raise Unsupported without the twin's head, ValueError, with the shapes, for a guide that does not fit."""
        if self.down_head is None:
            super().down_weights(guide)
        s, shape = self.scale, sizes(guide)
        if len(shape) != 4 or shape[1] != self.guide_channels or shape[2] % s or shape[3] % s:
            raise ValueError(
                f"a2u: guide must be [B, {self.guide_channels}, {s}·H, {s}·W] to be downsampled; got {shape}"
            )

    def macs(self, height: int, width: int, guided: bool = True) -> int:
        """The cost in the module's docstring, with a guide or without one."""
        points, stride, c = height * width, self.scale if guided else 1, self.guide_channels
        entries = self.scale**2 * self.kernel_size**2 * self.groups
        v_stride = 1 if self.affinity == "cross" else stride
        factors = self.u.macs(c, points, stride) + self.v.macs(c, points, v_stride)
        projection = entries * self.rank * (c + points)
        reassembly = self.scale**2 * self.kernel_size**2 * self.channels * points
        return factors + c * self.rank * points + projection + reassembly

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The authors' layout: widths, sharing, the twin and k (or, where k is given, G) are read from keys and shapes.

        Neither tells: scale (2), groups (1), encoder_kernel_size (6), and `channels` of z (the guide's).
        """
        for name, only in (("dynamics", "dynamic"), ("affinity", "self")):
            if options.get(name, only) != only:
                raise Unsupported(f"a2u: the published code has {name}={only} alone; got {options[name]}")
        head, rows = state["bconv_UP.1.weight"], state["bconv_U.1.weight"].shape[0]
        width, scale, rank = head.shape[1], options.get("scale", 2), options.get("rank", 1)
        side = options.get("kernel_size")
        groups = options.get("groups", 1 if side is None else max(1, head.shape[0] // (scale**2 * side**2 * rank)))
        side = math.isqrt(head.shape[0] // (scale**2 * groups * rank))
        if side % 2 == 0 or scale**2 * side**2 * groups * rank != head.shape[0]:
            settings = f"scale={scale}, groups={groups}, rank={rank}"
            raise StateDictError(
                f"'bconv_UP.1.weight' has {head.shape[0]} rows, not scale²·k²·groups·rank for an odd k at {settings}; "
                "give those that it was trained with"
            )
        twin = any(key.startswith("bconv_DP.") for key in state)
        arguments = {
            "channels": options.get("channels", width),
            "guide_channels": width,
            "kernel_size": side,
            "groups": groups,
            "sharing": "unshared" if rows == rank * width > rank else "shared",
            "twin": twin,
        }
        own = OFFICIAL_KEYS if twin else {key: value for key, value in OFFICIAL_KEYS.items() if value != "down_head"}
        return arguments, {f"{key}.{name}": f"{own[key]}.{name}" for key in own for name in ("weight", "bias")}


def _check_divides(option: str, given: int, name: str, channels: int) -> None:
    if channels % given:
        raise Unsupported(f"a2u: {option}={given} must divide {name}; got {channels}")

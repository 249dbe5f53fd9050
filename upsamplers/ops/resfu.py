"""ReSFU: w from learned paired differences of a query and its keys at distance s, spread over 25 taps of z.

q = conv1×1(GN(guide)), k = bilinear↑(conv1×1(GN(z))); logits_t = score₁(k, q_f) + score₂(q_s, q) for the 3×3 taps t,
q_s a Gaussian blur of q, q_f the guided filter of k by q; a = softmax over the taps inside the map. Tap t of point i
reads z bilinearly at ⌊i/s⌋ + t + (i mod s + ½)/s − ½: two pixels along each axis, so that a is w on a 5×5 window,
w₂₅ = Σ_t a_t M_t ⊗ M_t, [B, 1, 25, sH, sW], replicate border; it sums to one everywhere. Zhou et al., 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d, in_float32
from upsamplers.errors import StateDictError, Unsupported
from upsamplers.normal import group_normalised, norm_groups
from upsamplers.operator import Facts, Paper, Upsampler, check_option
from upsamplers.sampling import resized
from upsamplers.softmax import softmax
from upsamplers.tracing import sizes

EPSILON = 0.001
"""Of the guided filter: how much variance of the query counts as none."""


class ReSFU(Upsampler):
    """Refreshed similarity-based upsampler, which goes to any scale directly. GN has 32 groups where they divide.

    The guided filter takes its means on every `stride`-th pixel, over boxes of radius ⌊radius/stride⌋ there. The
    released CUDA backward loses derivatives at the last row and column; these are the operator's own.

    Parameters: 2C_g + 2C + e(C_g + C + 2) and 15,049 for each of two scores; 47,570 at C = C_g = 256.

    Args:
        channels: C of z.
        guide_channels: C_g of the guide.
        scale: s >= 1.
        embedding: e, channels of query and key.
        hidden: width inside the scores.
        score_groups: groups of the scores' normalisations; divides e and hidden.
        convolution_groups: groups of the scores' convolutions; divides e and hidden.
        radius: of the guided filter, in pixels of the guide.
        stride: from one pixel that it looks at to the next.

    Raises:
        OptionError: a size below 1.
        Unsupported: groups that do not divide.
    """

    facts = Facts(
        name="resfu",
        title="ReSFU",
        family="second order",
        paper=Paper(
            "Minghao Zhou, Hong Wang, Yefeng Zheng, Deyu Meng",
            "A Refreshed Similarity-based Upsampler for Direct High-Ratio Feature Upsampling",
            "arXiv",
            2024,
            "2407.02283",
        ),
        kernel_size=5,
        groups="1",
        taps="25",
        border="replicate",
        guide="required",
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        embedding: int = 32,
        hidden: int = 128,
        score_groups: int = 8,
        convolution_groups: int = 4,
        radius: int = 8,
        stride: int = 2,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        positive = {"embedding": embedding, "hidden": hidden, "score_groups": score_groups}
        for name, value in (positive | {"convolution_groups": convolution_groups, "stride": stride}).items():
            check_option(value >= 1, "resfu", name, value, "an integer >= 1")
        check_option(radius >= 0, "resfu", "radius", radius, "an integer >= 0")
        for name, value in (("score_groups", score_groups), ("convolution_groups", convolution_groups)):
            if embedding % value or hidden % value:
                raise Unsupported(f"resfu: {name}={value} must divide embedding={embedding} and hidden={hidden}")
        self.radius, self.stride = radius, stride
        self.norm_guide, self.norm_z = _norm(self.guide_channels), _norm(channels)
        self.query, self.key = Conv2d(self.guide_channels, embedding, 1), Conv2d(channels, embedding, 1)
        self.semantic = Score(embedding, hidden, score_groups, convolution_groups)
        self.detail = Score(embedding, hidden, score_groups, convolution_groups)
        self.register_buffer("box", torch.ones(embedding, 1, 1, 2 * (radius // stride) + 1))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one

    def affinities(self, z: Tensor, guide: Tensor) -> Tensor:
        """a [B, 9, sH, sW], summing to one over the taps that lie inside the map."""
        query = self.query(group_normalised(self.norm_guide, guide))
        key = resized(self.key(group_normalised(self.norm_z, z)), *query.shape[-2:])
        filtered = guided(query, key, self.radius // self.stride, self.stride)
        logits = self.semantic(key, filtered, self.scale) + self.detail(blurred(query), query, self.scale)
        rows, columns = (_inside(side, self.scale, z.device) for side in z.shape[-2:])
        inside = (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)  # [9, sH, sW]
        return softmax(logits.masked_fill(~inside, float("-inf")), 1)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, 25, sH, sW]."""
        assert guide is not None
        a = self.affinities(z, guide).unflatten(1, (3, 3))  # [B, 3, 3, sH, sW]
        rows, columns = (split(side, self.scale, a) for side in z.shape[-2:])  # [3, side] each
        wide = functional.pad(a, (0, 0, 0, 0, 2, 2))
        a = reduce(torch.add, [weight * wide[:, :, 2 - n : 7 - n] for n, weight in enumerate(columns.unbind())])
        high = functional.pad(a, (0, 0, 0, 0, 0, 0, 2, 2))
        w = reduce(torch.add, [weight[:, None] * high[:, 2 - n : 7 - n] for n, weight in enumerate(rows.unbind())])
        return w.flatten(1, 2).unsqueeze(1)

    def macs(self, height: int, width: int) -> int:
        """Convolutions and wᵀz. What is interpolated, averaged or spread to make the kernels is left out."""
        e, area, score = self.query.out_channels, self.scale**2, self.semantic
        convolutions = e * (area * self.guide_channels + self.channels) + 9 * area * e
        return (convolutions + 2 * area * score.macs() + 25 * area * self.channels) * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Widths and the convolutions' groups follow; scale, the norms' groups and the filter's stride do not."""
        embedding, channels = state["k.weight"].shape[:2]
        hidden, per = state["semantic_scores.weight"].shape[:2]
        box, stride = state["GF.kernel"], options.get("stride", 2)
        if not bool((box == 1).all()):
            raise StateDictError("'GF.kernel' must be ones")
        arguments = {
            "channels": channels,
            "guide_channels": state["q.weight"].shape[1],
            "embedding": embedding,
            "hidden": hidden,
            "convolution_groups": embedding // per,
            "radius": options.get("radius", (box.shape[-1] // 2) * max(stride, 1)),
        }
        names = {"q": "query", "k": "key", "norm_y": "norm_guide", "norm_x": "norm_z"}
        for theirs, own in (("semantic_scores", "semantic"), ("detail_scores", "detail")):
            names |= {theirs: own, f"{theirs}.norm": f"{own}.norm"}
            names |= {f"{theirs}.channel_compressor.{n}": f"{own}.layers.{n}" for n in (1, 3, 4)}
        keys = {f"{theirs}.{p}": f"{own}.{p}" for theirs, own in names.items() for p in ("weight", "bias")}
        return arguments, {**keys, "GF.kernel": "box"}


class Score(nn.Module):
    """Logits of 3×3 taps from paired differences: Σ_t W_t(κ at distance s in direction t − ϑ), then two layers."""

    def __init__(self, embedding: int, hidden: int, norm_groups: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.norm = nn.GroupNorm(norm_groups, embedding)
        self.weight = nn.Parameter(torch.empty(hidden, embedding // groups, 3, 3))
        self.bias = nn.Parameter(torch.zeros(1, hidden, 1, 1))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.layers = nn.Sequential(
            nn.ReLU(),
            Conv2d(hidden, hidden, 1, groups=groups),
            nn.ReLU(),
            nn.GroupNorm(norm_groups, hidden),
            Conv2d(hidden, 9, 1),
        )

    def forward(self, around: Tensor, at: Tensor, scale: int) -> Tensor:
        """Logits [B, 9, sH, sW] for κ = `around` and ϑ = `at`, both [B, e, sH, sW] and normalised alike."""
        padded = functional.pad(group_normalised(self.norm, around), (scale,) * 4, mode="replicate")
        near = _convolved(padded, self.weight, self.bias.flatten(), dilation=scale, groups=self.groups)
        whole = self.weight.sum((-2, -1), keepdim=True)
        logits = near - _convolved(group_normalised(self.norm, at), whole, groups=self.groups)
        for layer in self.layers:
            logits = group_normalised(layer, logits) if isinstance(layer, nn.GroupNorm) else layer(logits)
        return logits

    def macs(self) -> int:
        """Multiply-adds for a point: nine taps and their sum in groups, a layer in groups, the last layer."""
        hidden, per = self.weight.shape[:2]
        return hidden * (10 * per + hidden // self.groups + 9)


def guided(query: Tensor, key: Tensor, radius: int, stride: int) -> Tensor:
    """The guided filter of key by query, A·query + b: what key is as a local linear map of query, [B, e, sH, sW]."""
    dtype, precise = query.dtype, torch.promote_types(query.dtype, torch.float32)
    height, width = query.shape[-2:]
    query, key = query.to(precise), key.to(precise)
    # of each `stride` pixels the first, as interpolation by nearest finds them; a shorter side has its first
    rows, columns = (slice(None, 1 - stride or None if side >= stride else 1, stride) for side in sizes(query)[-2:])
    q, k = query[..., rows, columns], key[..., rows, columns]

    def mean(x: Tensor) -> Tensor:  # over what of a box lies inside the map
        for side in ((1, 2 * radius + 1), (2 * radius + 1, 1)):
            margin = (side[0] // 2, side[1] // 2)
            x = functional.avg_pool2d(x, side, stride=1, padding=margin, count_include_pad=False)
        return x

    of_q, of_k = mean(q), mean(k)
    slope = (mean(q * k) - of_q * of_k) / (mean(q * q) - of_q * of_q + EPSILON)
    offset = mean(of_k - slope * of_q)
    return (resized(mean(slope), height, width) * query + resized(offset, height, width)).to(dtype)


def blurred(query: Tensor) -> Tensor:
    """A 3×3 Gaussian of σ = 1, replicate border."""
    axis = (-0.5 * torch.arange(-1, 2, dtype=query.dtype, device=query.device).square()).exp()
    axis = axis / axis.sum()
    kernel = (axis[:, None] * axis).expand(query.shape[1], 1, 3, 3)
    return _convolved(functional.pad(query, (1,) * 4, mode="replicate"), kernel, groups=query.shape[1])


def split(size: int, scale: int, like: Tensor) -> Tensor:
    """How a tap is shared by the pixel before its own, its own and the one after, at every output: [3, s·size]."""
    fraction = (torch.arange(scale, dtype=like.dtype, device=like.device) + 0.5) / scale - 0.5
    before, after = (-fraction).clamp(min=0), fraction.clamp(min=0)
    return torch.stack([before, 1 - before - after, after]).repeat(1, size)


def _inside(size: int, scale: int, device: torch.device) -> Tensor:
    """Which of the taps −1, 0, 1 of each output lie inside, [3, s·size]."""
    pixel = torch.arange(size, device=device).repeat_interleave(scale) + torch.arange(-1, 2, device=device)[:, None]
    return (pixel >= 0) & (pixel < size)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(norm_groups(channels), channels)


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None = None, **how: int) -> Tensor:
    return in_float32(partial(functional.conv2d, **how), x, weight, bias)

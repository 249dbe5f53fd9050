"""Attention of pixels to the cells of z, averaged over heads: what AnyUp and JAFAR share.

e = PixelAngles(Enc_k(I)); x = conv3×3(norm(AAP(Enc_1(e), Ho×Wo))), q = W_q RMS(x) + b_q, and likewise k of the keys;
w = mean over heads of softmax(⟨q_h, k_h⟩/√(d/heads)): G = 1, Σw = 1, and the values are z itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d, in_float32
from upsamplers.errors import Unsupported
from upsamplers.image_encoder import GROUPS, PixelAngles, RMSNorm, encoder, pooled
from upsamplers.image_guided import ImageGuided, Size
from upsamplers.operator import check_option
from upsamplers.primitive import Taps, correlate
from upsamplers.primitive.tables import is_there
from upsamplers.softmax import softmax
from upsamplers.tracing import sides


class Projections(nn.Module):
    """The linear layers of queries and keys, one above the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(2 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(2 * width))
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, part: int) -> Tensor:
        """[B, d, H, W] of the same shape; part 0 makes queries, 1 keys."""
        weight, bias = self.in_proj_weight.chunk(2)[part], self.in_proj_bias.chunk(2)[part]
        return in_float32(functional.conv2d, x, weight[:, :, None, None], bias)


class CrossAttention(nn.Module):
    """Norms and projections of queries and keys."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_q, self.norm_k = RMSNorm(width), RMSNorm(width)
        self.attention = Projections(width)

    def queries(self, x: Tensor) -> Tensor:
        """[B, d, H, W] of the same shape."""
        out: Tensor = self.attention(self.norm_q(x), 0)
        return out

    def keys(self, x: Tensor) -> Tensor:
        """[B, d, h, w] of the same shape."""
        out: Tensor = self.attention(self.norm_k(x), 1)
        return out


class CrossDecode(nn.Module):
    """A 3×3 convolution of the queries, and the attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv2d = Conv2d(width, width, 3, padding=1, bias=False)
        self.cross_attn = CrossAttention(width)


class HeadMean(ImageGuided):
    """Base: encoders of the image, queries of its pixels, w from keys that a subclass makes.

    Args:
        heads: whose softmax is averaged; divides width.
        width: d, a multiple of 8 and 4.
        image_kernel_size: k of the first convolution of the image, odd.
        names: of norm, convolution, norm, convolution in a residual block.
    """

    normalised = False
    """Whether pooled maps of the image are normalised by groups before they are used."""

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None,
        scale: int,
        heads: int,
        width: int,
        image_kernel_size: int,
        names: tuple[str, str, str, str],
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        name = self.facts.name
        for label, value in (("heads", heads), ("width", width)):
            check_option(value >= 1, name, label, value, "an integer >= 1")
        odd = image_kernel_size >= 1 and image_kernel_size % 2 == 1
        check_option(odd, name, "image_kernel_size", image_kernel_size, "an odd integer >= 1")
        if width % GROUPS or width % heads:
            raise Unsupported(f"{name}: width must be a multiple of {GROUPS} and of heads; got width={width}, {heads=}")
        self.heads, self.width, self.image_kernel_size, self.planes = heads, width, image_kernel_size, heads
        self.image_encoder = encoder(self.guide_channels, width, image_kernel_size, names)
        self.key_encoder = encoder(width, width, 1, names)
        self.query_encoder = encoder(width, width, 1, names)
        self.rope = PixelAngles(width)
        self.cross_decode = CrossDecode(width)

    def keys(self, from_z: Tensor, from_image: Tensor) -> Tensor:
        """[B, d, h, w], before their norm, of what `from_z` and the image give at the cells of z."""
        raise NotImplementedError

    def from_z(self, z: Tensor) -> Tensor:
        """[B, d, h, w] of z [B, C, h, w]."""
        raise NotImplementedError

    def prepare(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Tensor, ...]:
        """Queries before their norm [B, d, Ho, Wo] and keys [B, d, h, w]."""
        features = self.from_z(z)  # before the image's maps are there, which are larger
        encoded = self.rope(self.image_encoder(guide))
        cells = self._pooled(self.key_encoder(encoded), sides(z))
        pixels = self._pooled(self.query_encoder(encoded), size)
        del encoded
        keys = self.cross_decode.cross_attn.keys(self.keys(features, cells))
        return self.cross_decode.conv2d(pixels), keys

    def _pooled(self, x: Tensor, size: Size) -> Tensor:
        x = pooled(x, size)
        return torch.group_norm(x, GROUPS) if self.normalised else x

    def kernels(self, state: tuple[Tensor, ...], taps: Taps, rows: slice) -> Tensor:
        """w [B, 1, K, r, Wo]."""
        pixels, keys = state
        query = self.cross_decode.cross_attn.queries(pixels[:, :, rows])
        scale = 1 / math.sqrt(self.width // self.heads)
        logits = correlate(query * scale, keys, groups=self.heads, taps=taps)  # [B, heads, K, r, Wo]
        there = is_there(taps, logits.device)
        if there is not None:
            logits = logits.masked_fill(~there, -torch.inf)
        return softmax(logits, 2).mean(1, keepdim=True)

    def macs(self, height: int, width: int) -> int:
        """Convolutions of an image of the output's size and of z, similarities and the reassembly, for each key."""
        return self._macs(height, width, self.tile_products(height, width)[0])

    def computed_macs(self, height: int, width: int) -> int:
        """With the places in the table that have no key, and those of tiles that are padded."""
        return self._macs(height, width, self.tile_products(height, width)[1])

    def cell_macs(self) -> int:
        """Multiply-adds a cell of z, without the keys' projection."""
        raise NotImplementedError

    def _macs(self, height: int, width: int, products: int) -> int:
        cells, d = height * width, self.width
        pixels = self.scale**2 * cells
        image = self.image_kernel_size**2 * self.guide_channels * d + 14 * d**2
        return pixels * (image + 10 * d**2) + cells * (self.cell_macs() + d**2) + products * (d + self.channels)

    @classmethod
    def unwrapped(cls, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a checkpoint holds under the operator's name, without the layers of values and outputs, which have no
        effect, and with those of queries and keys as one."""
        inner = state.get(cls.facts.name)
        state = inner if isinstance(inner, Mapping) else state
        attention = "cross_decode.cross_attn.attention."
        dead = ("out_proj.weight", "out_proj.bias", "v_proj_weight")
        left = {f"{attention}{name}" for name in dead} | {"cross_decode.cross_attn.norm_v.weight"}
        kept = {key: value for key, value in state.items() if key not in left}
        parts = [kept.pop(f"{attention}{part}_proj_weight", None) for part in "qk"]
        if isinstance(parts[0], Tensor) and isinstance(parts[1], Tensor):
            kept[f"{attention}in_proj_weight"] = torch.cat([parts[0], parts[1]])
        for name in ("in_proj_weight", "in_proj_bias"):
            whole = kept.get(f"{attention}{name}")
            if isinstance(whole, Tensor) and whole.ndim and whole.shape[0] % 3 == 0 and _is_of_three(whole, kept):
                kept[f"{attention}{name}"] = whole[: whole.shape[0] // 3 * 2]
        return kept

    @classmethod
    def shared_layout(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """What the shapes of the image's encoder tell."""
        width, inputs, side, _ = state["image_encoder.0.weight"].shape
        return {"guide_channels": inputs, "width": width, "image_kernel_size": side}


def _is_of_three(whole: Tensor, state: Mapping[str, Any]) -> bool:
    """Whether a projection has a third for values, by the width that the norm of queries has."""
    norm = state.get("cross_decode.cross_attn.norm_q.weight")
    return isinstance(norm, Tensor) and whole.shape[0] == 3 * norm.shape[0]

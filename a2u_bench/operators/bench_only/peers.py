"""Each operator as its paper's formula in plain PyTorch: what `a2u-bench run --suite peers` measures ours beside.

A peer has the parameters, options and `weights` of the operator; its `forward` alone is written anew, with the calls
that released code makes: `unfold`, `grid_sample`, `interpolate`. They are built by their names,
`a2u_bench.peers:DySample:style=pl`, as a user's own operators are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from a2u_bench.operators.bench_only.decoder_peers import DLU as DLU
from a2u_bench.operators.bench_only.decoder_peers import EUCB as EUCB
from a2u_bench.operators.bench_only.decoder_peers import DDFUp as DDFUp
from a2u_bench.operators.bench_only.decoder_peers import FreqFusion as FreqFusion
from a2u_bench.operators.bench_only.decoder_peers import LdaAqu as LdaAqu
from a2u_bench.operators.bench_only.decoder_peers import ReSFU as ReSFU
from a2u_bench.operators.bench_only.decoder_peers import SapaD as SapaD
from a2u_bench.operators.bench_only.decoder_peers import Uplift as Uplift
from a2u_bench.operators.bench_only.unfolded import unfolded
from upsamplers.affinity import Factor, kernel_side
from upsamplers.ops import (
    a2u,
    bicubic,
    bilinear,
    carafe,
    convex,
    deconv,
    dysample,
    fade,
    fade_lite,
    index_net,
    max_unpool,
    nearest,
    pixel_shuffle,
    sapa,
)
from upsamplers.semi_shift import SemiShiftUpsampler


class Nearest(nearest.Nearest):
    """`interpolate`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        return functional.interpolate(z, scale_factor=self.scale)


class Bilinear(bilinear.Bilinear):
    """`interpolate`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        return functional.interpolate(z, scale_factor=self.scale, mode="bilinear", align_corners=False)


class Bicubic(bicubic.Bicubic):
    """`interpolate`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        return functional.interpolate(z, scale_factor=self.scale, mode="bicubic", align_corners=False)


class Deconv(deconv.Deconv):
    """`ConvTranspose2d`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        up: Tensor = self.transposed(z)
        return up


class PixelShuffle(pixel_shuffle.PixelShuffle):
    """A convolution and `pixel_shuffle`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        return functional.pixel_shuffle(self.convolution(z), self.scale)


class MaxUnpool(max_unpool.MaxUnpool):
    """`max_pool2d` with indices, and `max_unpool2d`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        _, indices = functional.max_pool2d(guide, self.scale, return_indices=True)
        return functional.max_unpool2d(z, indices, [self.scale] * 2)


class IndexNet(index_net.IndexNet):
    """Index maps times z repeated by `interpolate`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        odd = self.scale % 2 if self.context else 0
        x = functional.pad(guide, (0, odd, 0, odd)) if odd else guide
        logits = [branch(x) for branch in self.branches]
        stacked = logits[0] if self.mode == "holistic" else torch.stack(logits, 2).flatten(1, 2)
        index = functional.pixel_shuffle(stacked.sigmoid(), self.scale)
        return index * functional.interpolate(z, scale_factor=self.scale)


class Carafe(carafe.Carafe):
    """The reassembly by `unfold`; zero border."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        logits = functional.pixel_shuffle(self.encoder(self.compressor(z)), self.scale)
        w = logits.unflatten(1, (self.groups, self.kernel_size**2)).softmax(2)
        return unfolded(w, z, self.kernel_size)


class A2U(a2u.A2U):
    """A loop over the batch, U and V by convolutions with generated kernels, reassembly by `unfold`; zero border."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        x, stride = (z, 1) if guide is None else (guide, self.scale)
        y, y_stride = (z, 1) if self.affinity == "cross" else (x, stride)
        products = projected(self.u, x, stride) * projected(self.v, y, y_stride)  # [B, d, C, H, W]
        a = products.sum(2) / math.sqrt(products.shape[2])
        p = self.up_head(functional.adaptive_avg_pool2d(x, 1)).flatten(1).unflatten(1, (self.rank, -1))
        logits = functional.pixel_shuffle(torch.einsum("bdl,bdhw->blhw", p, a), self.scale)
        gates = logits.sigmoid().unflatten(1, (-1, self.groups)).transpose(1, 2)
        return unfolded(gates if self.kernel_size == 1 else gates.softmax(2), z, self.kernel_size)


def projected(factor: Factor, x: Tensor, stride: int) -> Tensor:
    """One factor's projections, normalised and through LeakyReLU: [B, d, C, H, W]."""
    side = kernel_side(factor.kernel_size, stride)
    channels, sets = x.shape[1], factor.share_groups
    samples = []
    for sample in x:
        if factor.generator is None:
            assert factor.kernel is not None
            kernels = factor.kernel[..., :side, :side]
        else:
            kernels = factor.generator(functional.adaptive_avg_pool2d(sample[None], side))[0].unflatten(0, (-1, sets))
        grouped = sample.unflatten(0, (sets, -1)).transpose(0, 1)  # [C/g, g, sH, sW]
        filters = kernels.transpose(0, 1).flatten(0, 1).unsqueeze(1)  # [g·d, 1, e, e]
        out = functional.conv2d(grouped, filters, stride=stride, padding=(side - 1) // 2, groups=sets)
        samples.append(out.unflatten(1, (sets, -1)).permute(2, 1, 0, 3, 4).flatten(1, 2))  # [d, C, H, W]
    maps = torch.stack(samples)
    norm = factor.norm
    normal = functional.group_norm(
        maps.flatten(0, 1).view(-1, channels, *maps.shape[3:]), norm.num_groups, norm.weight, norm.bias, norm.eps
    )
    return functional.leaky_relu(normal, 0.01).view_as(maps)


def gated(op: SemiShiftUpsampler, z: Tensor, guide: Tensor) -> Tensor:
    """FADE's sum of two convolutions at two resolutions, reassembly by `unfold`, and its gate."""
    of_z = functional.interpolate(op.encode(op.compress_z(z)), scale_factor=op.scale)
    w = (op.encode(op.compress_guide(guide)) + of_z).softmax(1).unsqueeze(1)
    gate = functional.interpolate(op.gate(z), scale_factor=op.scale).sigmoid()
    return gate * guide + (1 - gate) * unfolded(w, z, op.kernel_size)


class Fade(fade.Fade):
    """Convolutions at two resolutions, `unfold`, and the gate."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        return gated(self, z, guide)


class FadeLite(fade_lite.FadeLite):
    """Convolutions at two resolutions, `unfold`, and the gate."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        return gated(self, z, guide)


class Sapa(sapa.Sapa):
    """Queries against the `unfold`ed keys, and the `unfold`ed values."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        query, key = guide, z
        if self.mode != "inner":
            raw = z.permute(0, 2, 3, 1)
            normal = self.norm_z(raw)
            key = self.key(normal).permute(0, 3, 1, 2)
            query = self.query(self.norm_guide(guide.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
            if self.mode == "gated":
                gate = functional.interpolate(self.gate(normal).sigmoid().permute(0, 3, 1, 2), scale_factor=self.scale)
                of_z = functional.interpolate(self.query_z(raw).permute(0, 3, 1, 2), scale_factor=self.scale)
                query = gate * query + (1 - gate) * of_z
        k = self.kernel_size
        keys = functional.unfold(key, k, padding=k // 2).unflatten(2, key.shape[2:])
        keys = functional.interpolate(keys, scale_factor=self.scale).unflatten(1, (-1, k**2))  # [B, m, k², sH, sW]
        return unfolded((query.unsqueeze(2) * keys).sum(1).softmax(1).unsqueeze(1), z, k)


class DySample(dysample.DySample):
    """`grid_sample` at the moved points, in coordinates from −1 to 1."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        batch, _, height, width = z.shape
        s, groups = self.scale, self.groups
        source = z if self.style == "lp" else functional.pixel_shuffle(z, s)
        offset = self.offset(source)
        offset = offset * (self.scope(source).sigmoid() * 0.5 if self.dynamic_scope else 0.25)
        if self.style == "pl":
            offset = functional.pixel_unshuffle(offset, s)
        moved = (offset + self.start.to(offset.dtype)).view(batch, 2, -1, height, width)
        rows, columns = (torch.arange(n, dtype=z.dtype, device=z.device) + 0.5 for n in (height, width))
        centres = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))[None, :, None]
        size = torch.tensor([width, height], dtype=z.dtype, device=z.device).view(1, 2, 1, 1, 1)
        grid = functional.pixel_shuffle((2 * (centres + moved) / size - 1).view(batch, -1, height, width), s)
        grid = grid.view(batch, 2, groups, s * height, s * width).permute(0, 2, 3, 4, 1).flatten(0, 1)
        parts = z.reshape(batch * groups, -1, height, width)
        out = functional.grid_sample(parts, grid, mode="bilinear", align_corners=False, padding_mode="border")
        return out.view(batch, -1, s * height, s * width)


class Convex(convex.Convex):
    """RAFT's mask over the `unfold`ed neighbours, then the phases put in their places."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        batch, channels, height, width = z.shape
        s = self.scale
        mask = (0.25 * self.mask(functional.relu(self.hidden(z)))).view(batch, 1, 9, s, s, height, width).softmax(2)
        neighbours = functional.unfold(z, 3, padding=1).view(batch, channels, 9, 1, 1, height, width)
        phases = (mask * neighbours).sum(2)
        return phases.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels, s * height, s * width)

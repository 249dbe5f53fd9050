"""More operators as their papers' formulas in plain PyTorch, as `peers` has them: decoder upsamplers of 2021 to 2024.

Built by their names, `a2u_bench.peers:DLU`. Where released code has a CUDA kernel of its own, its formula
stands here in `unfold` and `grid_sample`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from a2u_bench.operators.bench_only.unfolded import unfolded
from upsamplers.attender import offsets
from upsamplers.normal import group_normalised
from upsamplers.ops import ddf_up, dlu, eucb, freqfusion, lda_aqu, resfu, sapa_d, uplift


def read_at(x: Tensor, columns: Tensor, rows: Tensor, padding: str) -> Tensor:
    """x [N, C, H, W] read bilinearly at columns and rows [N, oH, oW], in pixels of x, by `grid_sample`."""
    height, width = x.shape[-2:]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1).to(x.dtype)
    return functional.grid_sample(x, grid, padding_mode=padding, align_corners=False)


def pixels(z: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Column and row of the pixel under each output point."""
    rows, columns = (torch.arange(n, device=z.device).repeat_interleave(scale) for n in z.shape[-2:])
    return columns, rows[:, None]


class DLU(dlu.DLU):
    """The space of kernels through `grid_sample`, and `unfold`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        compressed = self.compressor(z)
        offset = functional.pixel_shuffle(self.offset(compressed), self.scale)
        columns, rows = pixels(z, self.scale)
        w = read_at(self.space(compressed).softmax(1), offset[:, 0] + columns, offset[:, 1] + rows, "border")
        return unfolded(w.unsqueeze(1), z, self.kernel_size)


class DDFUp(ddf_up.DDFUp):
    """The `unfold`ed windows under both filters of each phase, and `pixel_shuffle`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        batch, channels, height, width = z.shape
        source, phases = guide if self.joint and guide is not None else z, []
        windows = functional.unfold(z, 3, padding=self.dilation, dilation=self.dilation)
        windows = windows.view(batch, self.heads, -1, 9, height, width)  # [B, h, C/h, 9, H, W]
        for spatial, channel, std in zip(self.spatial, self.channel, self.std, strict=True):
            by_point = ddf_up.normalised(spatial(source).view(batch, self.heads, 9, height, width)).unsqueeze(2) / 3
            filters = ddf_up.normalised(channel(z.mean((2, 3), keepdim=True)).view(batch, channels, 9))
            by_channel = (filters * std.view(channels, 9)).view(batch, self.heads, -1, 9, 1, 1)
            w = by_point * by_channel if self.combine == "mul" else by_point + by_channel
            phases.append((w * windows).sum(3).flatten(1, 2))
        return functional.pixel_shuffle(torch.stack(phases, 2).flatten(1, 2), self.scale)


class EUCB(eucb.EUCB):
    """`interpolate`, convolutions and batch normalisation."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        up: Tensor = self.pointwise(
            self.norm(self.depthwise(functional.interpolate(z, scale_factor=self.scale))).relu()
        )
        return up


class ReSFU(resfu.ReSFU):
    """Box filters by convolution, and 3×3 taps at distance s of the map upsampled by `interpolate`."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        query = self.query(group_normalised(self.norm_guide, guide))
        size, s = query.shape[-2:], self.scale
        key = functional.interpolate(self.key(group_normalised(self.norm_z, z)), size=size, mode="bilinear")
        logits = self.semantic(key, filtered(query, key, self.radius // self.stride, self.stride), s)
        logits = logits + self.detail(resfu.blurred(query), query, s)
        outside = functional.pad(logits.new_zeros(1, 1, *size), (s,) * 4, value=-1e7)
        a = (logits + functional.unfold(outside, 3, dilation=s).view(1, 9, *size)).softmax(1)
        up = functional.interpolate(z, size=size, mode="bilinear")
        taps = functional.unfold(functional.pad(up, (s,) * 4, mode="replicate"), 3, dilation=s)
        return (taps.view(*z.shape[:2], 9, *size) * a.unsqueeze(1)).sum(2)


def filtered(query: Tensor, key: Tensor, radius: int, stride: int) -> Tensor:
    """The guided filter, its means by two convolutions and divided by how many pixels lie inside."""
    q, k = query, key
    if stride > 1:
        small = [max(side // stride, 1) for side in query.shape[-2:]]
        q, k = (x[..., ::stride, ::stride][..., : small[0], : small[1]] for x in (query, key))
    ones = torch.ones(q.shape[1], 1, 1, 2 * radius + 1, dtype=q.dtype, device=q.device)

    def box(x: Tensor) -> Tensor:
        x = functional.conv2d(x, ones, padding=(0, radius), groups=x.shape[1])
        return functional.conv2d(x, ones.transpose(2, 3), padding=(radius, 0), groups=x.shape[1])

    count = box(torch.ones_like(q))
    of_q, of_k = box(q) / count, box(k) / count
    slope = (box(q * k) / count - of_q * of_k) / (box(q * q) / count - of_q**2 + resfu.EPSILON)
    means = [box(x) / count for x in (slope, of_k - slope * of_q)]
    slope, offset = (functional.interpolate(x, size=query.shape[-2:], mode="bilinear") for x in means)
    return slope * query + offset


class FreqFusion(freqfusion.FreqFusion):
    """Every window by `unfold`, and `grid_sample` of the upsampled map."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, 2H, 2W]."""
        assert guide is not None
        h, low = self.compress_guide(guide), self.compress_z(z)
        k = self.kernel_size
        sharp = 2 * h - unfolded(freqfusion.normalised(self.high(h), self.high_window), h, self.high_kernel_size)
        of_guide = self.low(sharp)
        of_z = unfolded(freqfusion.normalised(of_guide, self.low_window), self.low(low), k)
        up = unfolded(freqfusion.normalised(of_guide + of_z, self.low_window), z, k)
        if not self.resample_groups:
            return up
        layers = dict(self.named_modules())
        maps = [sharp, low]
        if "norm_hr" in layers:
            maps = [layers["norm_hr"](sharp), layers["norm_lr"](low)]
        near = [alike(x) for x in maps]
        a = [torch.cat(pair, 1) for pair in zip(maps, near, strict=True)] if self.similarity == "concat" else near
        b = a if self.similarity == "concat" else maps
        moved = layers["offset"](a[1]) + functional.pixel_unshuffle(layers["hr_offset"](a[0]), 2)
        scope = layers["direct_scale"](b[1]) + functional.pixel_unshuffle(layers["hr_direct_scale"](b[0]), 2)
        offset = functional.pixel_shuffle(moved * scope.sigmoid() + self.start, 2).unflatten(1, (2, -1))
        columns, rows = pixels(z, 2)
        x, y = ((2 * (offset[:, n] + at) + 0.5).flatten(0, 1) for n, at in enumerate((columns, rows)))
        parts = up.unflatten(1, (self.resample_groups, -1)).flatten(0, 1)
        return read_at(parts, x, y, "border").view(up.shape)


def alike(x: Tensor) -> Tensor:
    """Cosines with the eight neighbours at distance 2, by `unfold`."""
    near = functional.unfold(x, 3, padding=2, dilation=2).view(*x.shape[:2], 9, *x.shape[2:])
    near = torch.cat([near[:, :, :4], near[:, :, 5:]], 2)
    return functional.cosine_similarity(x.unsqueeze(2), near, dim=1)


class LdaAqu(lda_aqu.LdaAqu):
    """Keys and values at every point by `grid_sample` of one map that is k² times as large."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        height, width = size = [self.scale * n for n in z.shape[2:]]
        normal = self.norm(z.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        query = functional.interpolate(self.query(normal), size, mode="bilinear", align_corners=True)
        offsets, taps = self.offsets(query).flatten(0, 1), self.side**2  # [B·g, k², 2, sH, sW]
        rows = offsets[:, :, 0] + torch.arange(height, device=z.device)[:, None]
        columns = offsets[:, :, 1] + torch.arange(width, device=z.device)
        rows, columns = 2 * rows / max(height - 1, 1) - 1, 2 * columns / max(width - 1, 1) - 1
        grid = torch.stack([columns, rows], -1).flatten(1, 2).to(z.dtype)  # [B·g, k²·sH, sW, 2]

        def read(x: Tensor) -> Tensor:  # [B, heads, C/heads, k², sH, sW]
            parts = x.unflatten(1, (self.groups, -1)).flatten(0, 1)
            found = functional.grid_sample(parts, grid, align_corners=True).unflatten(2, (taps, height))
            return found.unflatten(0, (-1, self.groups)).flatten(1, 2).unflatten(1, (self.heads, -1))

        keys, values = read(self.key(normal)), read(z)
        if self.bias_table is not None:
            keys = keys + self.bias_table[0, :, 0].transpose(1, 2)[..., None, None]
        logits = (query.unflatten(1, (self.heads, -1)).unsqueeze(3) * keys).sum(2) / math.sqrt(keys.shape[2])
        return (logits.softmax(2).unsqueeze(2) * values).sum(3).flatten(1, 2)


class SapaD(sapa_d.SapaD):
    """Keys and values at every point by `grid_sample`, one point after the other."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        read = z if self.norm_z is None else group_normalised(self.norm_z, z)
        query = self.query(guide if self.norm_guide is None else group_normalised(self.norm_guide, guide))
        keys, offsets, (columns, rows) = self.key(read), self.offsets(read), pixels(z, self.scale)
        x, y = (offsets[:, :, :, 0] + columns).flatten(0, 1), (offsets[:, :, :, 1] + rows).flatten(0, 1)
        parts = [one.unflatten(1, (self.groups, -1)).flatten(0, 1) for one in (query, keys, z)]
        at_points = [read_at(parts[1], x[:, p], y[:, p], "zeros") for p in range(self.samples)]
        a = torch.stack([(parts[0] * one).sum(1) for one in at_points], 1).softmax(1)  # [B·g, P, sH, sW]
        values = [read_at(parts[2], x[:, p], y[:, p], "zeros") for p in range(self.samples)]
        out = (torch.stack(values, 2) * a.unsqueeze(1)).sum(2)
        return out.unflatten(0, (-1, self.groups)).flatten(1, 2)


class Uplift(uplift.Uplift):
    """The offsets of a replicated border, read one by one."""

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        assert guide is not None
        shares = self.attender.shares(guide).unsqueeze(2)
        padded = functional.pad(z, (2, 2, 2, 2), "replicate")
        height, width = z.shape[2:]
        reads = [padded[:, :, 2 + y : 2 + y + height, 2 + x : 2 + x + width] for y, x in offsets(self.count)]
        up = torch.stack([functional.interpolate(read, scale_factor=self.scale) for read in reads], 1)
        return (shares * up).sum(1)

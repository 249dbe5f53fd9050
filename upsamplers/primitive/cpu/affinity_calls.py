"""From tensors to kernels, for the affinity of one map with itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from upsamplers.primitive.cpu import affinity as passes
from upsamplers.primitive.cpu import affinity_gradient, packets, threads
from upsamplers.primitive.cpu.calls import row_step
from upsamplers.primitive.cpu.tile import lanes
from upsamplers.primitive.eager import accumulator


@dataclass(frozen=True)
class _Call:
    """What every pass is given."""

    x: Tensor
    kernels: Tensor  # [own, g, 2d, e, e]
    stride: int
    height: int
    width: int
    sizes: packets.Flat
    columns: packets.Flat
    slab: int  # elements of scratch before the planes
    groups: int
    affine: packets.Flat
    eps: packets.Flat

    @property
    def many(self) -> int:
        return self.kernels.shape[2]

    @property
    def row(self) -> int:
        return int(self.sizes[6])

    @property
    def together(self) -> int:
        return int(self.sizes[12])

    def parts(self, items: int) -> int:
        work = self.x.shape[0] * self.x.shape[1] * self.height * self.width * self.kernels[0, 0].numel()
        return threads.parts_for(work, items)

    def dims(self, *more: int) -> packets.Flat:
        own, sets = self.kernels.shape[:2]
        return packets.numbers(*self.x.shape[:2], sets, own, self.height, self.width, self.slab, self.groups, *more)

    def run(self, kernel: Any, parts: int, dims: packets.Flat, room: int, *others: Any) -> None:
        """`room`: elements of scratch for the planes and what follows them."""
        packets.run(
            threads.compiled(kernel, self.x.dtype), parts, dims, self.sizes, self.x, packets.numbers(*self.x.stride()),
            self.kernels, self.columns, torch.empty(parts, self.slab + room, dtype=self.kernels.dtype), *others,
        )  # fmt: skip


def _call(
    x: Tensor, u: Tensor, v: Tensor, u_gain: Tensor, u_bias: Tensor, v_gain: Tensor, v_bias: Tensor, stride: int,
    groups: int, eps: float,
) -> _Call:  # fmt: skip
    real = accumulator(x.dtype)
    own = max(u.shape[0], v.shape[0])
    kernels = torch.cat([one.to(real).expand(own, -1, -1, -1, -1) for one in (u, v)], 2).contiguous()
    side, many, count = u.shape[-1], kernels.shape[2], lanes(torch.finfo(real).bits // 8)
    height, width, pad = x.shape[2] // stride, x.shape[3] // stride, (side - 1) // 2
    vectors, step = -(-width // count), row_step(width, (side - 1) // stride, count)
    position = np.arange(stride * (width - 1) + side, dtype=np.int64) - pad
    columns = np.where((position >= 0) & (position < x.shape[3]), position, -1)
    slab = (stride * (passes.BLOCK - 1) + side) * stride * step
    inside = min(len(columns) - pad, x.shape[3])
    x = packets.readable(x)
    together = packets.together(x)
    spare, rows_step = together * slab, row_step(x.shape[3], 0, count)
    rows = spare + (-(-len(columns) // count) + 1) * count
    sizes = (
        many, side, stride, pad, x.shape[2], count, vectors * count, vectors, step, inside, spare, slab, together,
        rows, rows_step,
    )  # fmt: skip
    affine = torch.cat([one.detach().double() for one in (u_gain, u_bias, v_gain, v_bias)]).numpy()
    return _Call(
        x, kernels.detach(), stride, height, width, packets.numbers(*sizes), columns,
        rows + (together * rows_step if together > 1 else 0), groups, affine, np.array([eps]),
    )  # fmt: skip


def _moments(call: _Call) -> packets.Flat:
    batch, channels = call.x.shape[:2]
    found = np.empty((batch, call.many, channels, 2))
    room = call.many * call.row * (passes.BLOCK + 2 * call.together)
    call.run(passes.moments, call.parts(batch * -(-channels // call.together)), call.dims(), room, found)
    return found


def forward(
    x: Tensor, y: None, u: Tensor, v: Tensor, u_gain: Tensor, u_bias: Tensor, v_gain: Tensor, v_bias: Tensor,
    stride: int, groups: int, eps: float,
) -> Tensor:  # fmt: skip
    """The affinity a [B, d, H, W] of one map: there are no kernels for two."""
    call = _call(x, u, v, u_gain, u_bias, v_gain, v_bias, stride, groups, eps)
    out = torch.empty(x.shape[0], call.many // 2, call.height, call.width, dtype=call.x.dtype)
    plane = passes.BLOCK * call.row
    parts = call.parts(x.shape[0] * -(-call.height // passes.BLOCK))
    room = (call.many + call.many // 2) * plane
    call.run(passes.affinity, parts, call.dims(), room, _moments(call), call.affine, call.eps, out)
    return out.to(x.dtype)


def backward(
    g: Tensor, x: Tensor, y: None, u: Tensor, v: Tensor, u_gain: Tensor, u_bias: Tensor, v_gain: Tensor, v_bias: Tensor,
    stride: int, groups: int, eps: float, needs: list[bool],
) -> list[Tensor]:  # fmt: skip
    """The gradients in each tensor that needs one."""
    call = _call(x, u, v, u_gain, u_bias, v_gain, v_bias, stride, groups, eps)
    (batch, channels), many, side = x.shape[:2], call.many, u.shape[-1]
    g, plane = g.detach().to(call.kernels.dtype).contiguous(), passes.BLOCK * call.row
    found, sums = _moments(call), np.empty((batch, many, channels, 2))
    parts, together = call.parts(batch * -(-channels // call.together)), call.together
    room = many * plane + (2 * many * together + 2) * call.row
    call.run(affinity_gradient.gradient_sums, parts, call.dims(), room, found, call.affine, call.eps, g, sums)
    of_x = packets.map_like(call.x, x.shape)
    of_kernels = torch.empty(batch, many, channels, side, side, dtype=call.kernels.dtype)
    padded = -(-side // stride) * stride
    halo, count, pad = padded // stride - 1, int(call.sizes[5]), (side - 1) // 2
    across, rows = (pad + x.shape[3] - 1) // stride + 1, max((pad + x.shape[2] - 1) // stride + 1, call.height) + halo
    rowp = (-(-max(across, call.row) // count) + -(-halo // count) + 1) * count
    room = many * plane + together * many * (rows * rowp + side**2 * count) + 2 * stride * -(-across // count) * count
    dims = call.dims(halo, rowp, rows, padded, x.shape[3])
    call.run(
        affinity_gradient.gradients, parts, dims, room, found, call.affine, call.eps, g, sums,
        functional.pad(call.kernels, (0, padded - side) * 2), of_x, packets.numbers(*of_x.stride()), of_kernels,
    )  # fmt: skip
    of_sets = of_kernels.unflatten(2, (u.shape[1], -1)).sum(3).transpose(1, 2)  # [B, g, 2d, e, e]
    factors = [
        (part if like.shape[0] == batch else part.sum(0, keepdim=True)).to(like.dtype)
        for part, like in zip(of_sets.split(many // 2, 2), (u, v), strict=True)
    ]
    of_norm = torch.from_numpy(sums).unflatten(1, (2, -1)).sum((0, 2))  # [2, C, (bias, gain)]
    norms = [of_norm[0, :, 1], of_norm[0, :, 0], of_norm[1, :, 1], of_norm[1, :, 0]]
    norms = [one.to(like.dtype) for one, like in zip(norms, (u_gain, u_bias, v_gain, v_bias), strict=True)]
    apart = [one.clone(memory_format=torch.contiguous_format) for one in (*factors, *norms)]  # no views of one tensor
    return [one for one, needed in zip((of_x.to(x.dtype), None, *apart), needs, strict=True) if needed]

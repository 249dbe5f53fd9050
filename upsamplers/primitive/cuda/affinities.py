"""Launches the kernels of A2U's affinity; its gradient is a chain of torch's own adjoints."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.cuda import launch, tiling
from upsamplers.primitive.cuda.affine_products import affine_products, norm_lines, projection_moments
from upsamplers.primitive.cuda.launch import Launch, arithmetic
from upsamplers.primitive.eager import accumulator


def _kernel_strides(kernels: Tensor) -> tuple[int, ...]:
    """Strides with 0 for kernels that every sample shares."""
    return (0 if kernels.shape[0] == 1 else kernels.stride(0), *kernels.stride()[1:])


def forward(
    x: Tensor, y: Tensor | None, u: Tensor, v: Tensor, u_gain: Tensor, u_bias: Tensor, v_gain: Tensor, v_bias: Tensor,
    stride: int, groups: int, eps: float,
) -> Tensor:  # fmt: skip
    """The affinity a [B, d, H, W]."""
    kind, y_side = (x.dtype, 0) if y is None else (torch.promote_types(x.dtype, y.dtype), v.shape[-1])
    y = x if y is None else y
    (batch, channels, high, wide), (sets, ranks, side) = x.shape, u.shape[1:4]
    height, width = high // stride, wide // stride
    real, lanes = accumulator(kind), tiling.THREADS
    shape = (channels, channels // sets, height, width, high, wide)
    maps = (x.stride(), y.stride(), _kernel_strides(u), _kernel_strides(v))
    constants: dict[str, Any] = {
        "RANKS": ranks, "SIDE": side, "Y_SIDE": y_side, "S": stride, "LANES": lanes, "ACC": arithmetic(kind),
    }  # fmt: skip
    moments = torch.empty(batch, 2 * ranks, channels, 2, dtype=real, device=x.device)
    plan = Launch(projection_moments, batch * channels, lanes, (*maps, *shape), constants)
    launch.launch(plan, x.device, x, y, u, v, moments)
    lines = torch.empty_like(moments)
    plan = Launch(
        norm_lines,
        batch * 2 * ranks * groups,
        32,
        (channels, groups, height * width),
        {"EPS": eps, "RANKS": ranks, "ACC": constants["ACC"]},
    )
    launch.launch(plan, moments.device, moments, u_gain, u_bias, v_gain, v_bias, lines)
    tiles = -(-height * width // lanes)
    share = tiling.channel_splits(channels, 1, 1, tiles * batch)
    out = torch.empty(share.splits, batch, ranks, height, width, dtype=real, device=x.device)
    plan = Launch(
        affine_products, tiles * batch * share.splits, lanes, (*maps, *shape, tiles, share.span, batch), constants
    )
    launch.launch(plan, x.device, x, y, u, v, lines, out)
    return out.sum(0, dtype=real).to(kind) if share.splits > 1 else out[0].to(kind)


def backward(
    g: Tensor, x: Tensor, y: Tensor | None, u: Tensor, v: Tensor, u_gain: Tensor, u_bias: Tensor, v_gain: Tensor,
    v_bias: Tensor, stride: int, groups: int, eps: float, needs: list[bool],
) -> list[Tensor]:  # fmt: skip
    """The gradients in each tensor that needs one, in the widest of their types: torch's own adjoints take one type."""
    alone, y, y_stride = (True, x, stride) if y is None else (False, y, 1)
    tensors = (x, y, u, v, u_gain, u_bias, v_gain, v_bias)
    kind = functools.reduce(torch.promote_types, (one.dtype for one in tensors))
    x, y, u, v, u_gain, u_bias, v_gain, v_bias = (one.to(kind) for one in tensors)
    ways = [_Way(x, u, u_gain, u_bias, stride, groups, eps), _Way(y, v, v_gain, v_bias, y_stride, groups, eps)]
    g = (g.to(kind) / math.sqrt(x.shape[1])).unsqueeze(2)  # [B, d, 1, H, W]
    back = [way.back((g * other.active).flatten(0, 1)) for way, other in zip(ways, reversed(ways), strict=True)]
    (of_x, of_u, *norm_u), (of_y, of_v, *norm_v) = back
    maps = (of_x + of_y, None) if alone else (of_x, of_y)
    everything = (*maps, of_u, of_v, *norm_u, *norm_v)
    return [one for one, needed in zip(everything, needs, strict=True) if needed]


class _Way:
    """One factor from the map to LeakyReLU, and back."""

    def __init__(
        self, x: Tensor, kernels: Tensor, gain: Tensor, bias: Tensor, stride: int, groups: int, eps: float
    ) -> None:
        own, sets, rank, side = kernels.shape[:4]
        channels = x.shape[1]
        self.shape, self.stride, self.pad, self.groups = (own, sets, rank), stride, (side - 1) // 2, groups
        per_channel = kernels.unsqueeze(2).expand(-1, -1, channels // sets, -1, -1, -1)
        self.filters = per_channel.flatten(0, 3).unsqueeze(1)  # [own·C·d, 1, e, e]
        self.maps = x.unflatten(0, (-1, own)).flatten(1, 2)  # [B/own, own·C, sH, sW]
        out = torch.nn.functional.conv2d(self.maps, self.filters, None, stride, self.pad, 1, own * channels)
        slices = out.unflatten(1, (own, channels, rank)).flatten(0, 1).transpose(1, 2).flatten(0, 1)
        self.slices, self.gain = slices.contiguous(), gain
        size = (self.slices.shape[0], channels, math.prod(self.slices.shape[2:]), groups)
        self.normal, self.mean, self.scale = torch.native_group_norm(self.slices, gain, bias, *size, eps)
        self.size = size
        self.active = torch.nn.functional.leaky_relu(self.normal, 0.01).unflatten(0, (-1, rank))  # [B, d, C, H, W]

    def back(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """From the gradient [B·d, C, H, W] of the result: those of the map, the kernels, the gain and the bias."""
        own, sets, rank = self.shape
        channels = self.size[1]
        g = torch.ops.aten.leaky_relu_backward(g, self.normal, 0.01, False)
        every = [True, True, True]
        g, of_gain, of_bias = torch.ops.aten.native_group_norm_backward(
            g, self.slices, self.mean, self.scale, self.gain, *self.size, every
        )
        made = g.unflatten(0, (-1, rank)).transpose(1, 2).flatten(1, 2).unflatten(0, (-1, own)).flatten(1, 2)
        of_maps, of_filters, _ = torch.ops.aten.convolution_backward(
            made.contiguous(), self.maps, self.filters, None, [self.stride] * 2, [self.pad] * 2, [1, 1], False, [0, 0],
            own * channels, [True, True, False],
        )  # fmt: skip
        of_x = of_maps.unflatten(1, (own, channels)).flatten(0, 1)
        of_kernels = of_filters.squeeze(1).unflatten(0, (own, sets, -1, rank)).sum(2)
        return of_x, of_kernels, of_gain, of_bias

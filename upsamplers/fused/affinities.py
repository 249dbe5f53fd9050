"""A2U's affinity of two maps: two depthwise convolutions, GroupNorm, LeakyReLU and the sum over channels.

a_r = Σ_k U_k V_k / √C, U = LeakyReLU(GroupNorm(conv(x, u))), V likewise of y: kernels u, v [B or 1, g, d, e, e] of g
sets of channels, the norms' groups, gains and biases over C; x [B, C, sH, sW] at stride s and y [B, C, H, W] at stride
1, each with an e of its own, give a [B, d, H, W]. Without y V is of x too, at stride s: each window is then read once
for both. No projection of all channels is stored, forward or backward: they are made anew instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from upsamplers.affinity import normalised, project, scaled_affinity
from upsamplers.fused.passes import Kernels, Pass, register
from upsamplers.tracing import sizes


def _definition(
    x: Tensor, y: Tensor | None, u: Tensor, v: Tensor, u_gain: Tensor, u_bias: Tensor, v_gain: Tensor, v_bias: Tensor,
    stride: int, groups: int, eps: float,
) -> Tensor:  # fmt: skip
    of_u = normalised(project(x, u, stride), u_gain, u_bias, groups, eps)
    of_v = normalised(project(x, v, stride) if y is None else project(y, v, 1), v_gain, v_bias, groups, eps)
    return scaled_affinity(of_u, of_v, sizes(u)[2])


def _shape(x: Tensor, y: Tensor | None, u: Tensor, *others: Any) -> Tensor:
    stride, kind = others[-3], x.dtype if y is None else torch.promote_types(x.dtype, y.dtype)
    return x.new_empty(x.shape[0], u.shape[2], x.shape[2] // stride, x.shape[3] // stride, dtype=kind)


def _kernels(backend: str) -> Kernels | None:
    if backend == "numba":
        from upsamplers.primitive.cpu import affinity_calls

        return affinity_calls.forward, affinity_calls.backward
    if backend == "triton":
        from upsamplers.primitive.cuda import affinities

        return affinities.forward, affinities.backward
    return None


def _macs(shapes: Sequence[Any], output: Sequence[int]) -> int:
    """e² for each of U and V, and 1 for their product, per channel, rank and point."""
    channels, u_side, v_side = shapes[0][1], shapes[2][-1], shapes[3][-1]
    return (u_side**2 + v_side**2 + 1) * channels * math.prod(output)


MOST_RANKS = 8
"""Ranks whose sums fit the registers of a kernel."""


def _fits(backend: str, x: Tensor, y: Tensor | None, u: Tensor, *others: Any) -> bool:
    return u.shape[2] <= MOST_RANKS and (y is None or backend == "triton")


affinity = register(
    Pass(
        "affinity",
        8,
        "Tensor x, Tensor? y, Tensor u, Tensor v, Tensor u_gain, Tensor u_bias, Tensor v_gain, Tensor v_bias, "
        "SymInt stride, SymInt groups, float eps",
        _definition,
        _shape,
        _kernels,
        _macs,
        _fits,
    )
)
"""affinity(x, y, u, v, u_gain, u_bias, v_gain, v_bias, stride, groups, eps) -> [B, d, H, W]."""

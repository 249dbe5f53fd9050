"""Nearest-neighbour repetition inside kernel generators: views and broadcasts, so that it costs no multiply-adds."""

from __future__ import annotations

from torch import Tensor


def repeated(low: Tensor, scale: int) -> Tensor:
    """[..., H, W] with every pixel repeated s×s times, [..., sH, sW]."""
    phases = low[..., :, None, :, None].expand(*low.shape[:-1], scale, low.shape[-1], scale)
    return phases.flatten(-2).flatten(-3, -2)


def plus_repeated(high: Tensor, low: Tensor, scale: int) -> Tensor:
    """high [..., sH, sW] + repeated(low), low [..., H, W], without building the repeated map."""
    phases = high.unflatten(-1, (low.shape[-1], scale)).unflatten(-3, (low.shape[-2], scale))  # [..., H, s, W, s]
    return (phases + low[..., :, None, :, None]).flatten(-2).flatten(-3, -2)

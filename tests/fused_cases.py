"""Arguments for every fused pass, for whatever compares one with its definition."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def moved(batch: int, per: int, height: int, width: int, scale: int, groups: int, scoped: bool) -> tuple[Any, ...]:
    """Offsets that leave the map here and there."""
    size = (batch, 2 * groups * scale**2, height, width)
    scope = noise(*size) if scoped else None
    return (
        noise(batch, groups * per, height, width),
        6 * noise(*size),
        scope,
        0.3 * noise(1, size[1], 1, 1),
        scale,
        groups,
    )


def factors(
    batch: int, channels: int, height: int, width: int, scale: int, side: int, rank: int, sets: int, own: bool,
    y_side: int | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """The arguments of `affinity`, with as many groups as divide the channels by two; with y where it has a side."""
    kernels = (noise(batch if own else 1, sets, rank, e, e) for e in (side, y_side or side))
    norms = (noise(channels) + shift for shift in range(4))
    x, y = noise(batch, channels, scale * height, scale * width), noise(batch, channels, height, width)
    return x, y + 1 if y_side else None, *kernels, *norms, scale, channels // 2, 1e-5


def hybrid(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of `affinity` with kernels of U that every sample shares."""
    x, y, u, *others = arguments
    return x, y, u[:1], *others


def gate(batch: int, channels: int, height: int, width: int, scale: int) -> tuple[Any, ...]:
    """up, guide, logits and s."""
    size = (batch, channels, scale * height, scale * width)
    return noise(*size), noise(*size).flip(0).flip(1) + 1, noise(batch, 1, height, width), scale


def logits(
    batch: int, groups: int, taps: int, height: int, width: int, phases: int, repeat: int, *options: Any
) -> tuple[Any, ...]:
    """options: taps first, factor, sigmoid, softmax. With a map of lower resolution where `repeat` is above 1."""
    high = noise(batch, groups * taps * phases**2, height, width)
    low = noise(batch, groups * taps, height // repeat, width // repeat) if repeat > 1 else None
    return high, low, phases, repeat, groups, *options


CASES: dict[str, list[tuple[Any, ...]]] = {
    "sample_moved": [
        moved(batch, per, *size, scale, groups, scoped)
        for batch, per, size, scale, groups, scoped in (
            *itertools.product((1, 2), (1, 5), ((1, 1), (4, 3)), (1, 2, 3), (2,), (False, True)),
            (1, 20, (17, 19), 2, 1, True),
        )
    ],
    "affinity": [
        factors(1, 4, 3, 2, 2, 6, 1, 1, True),
        factors(2, 4, 3, 2, 2, 6, 2, 2, True),
        factors(2, 8, 5, 3, 1, 5, 1, 8, False),
        factors(1, 6, 9, 17, 3, 6, 1, 6, True),
        factors(2, 4, 1, 1, 2, 6, 3, 2, True),
        factors(1, 4, 9, 21, 4, 5, 1, 1, True),
        factors(1, 4, 6, 5, 2, 1, 1, 1, True),
        factors(1, 20, 4, 3, 2, 6, 1, 2, True),  # more channels than a line of cache holds
        factors(2, 4, 3, 2, 2, 6, 2, 2, True, 5),
        factors(2, 6, 5, 3, 3, 6, 1, 6, False, 5),
        factors(1, 4, 9, 17, 2, 3, 1, 1, True, 7),
        factors(2, 4, 4, 3, 1, 5, 3, 2, True, 5),
        factors(1, 4, 1, 1, 4, 6, 1, 1, True, 1),
        hybrid(factors(2, 4, 3, 2, 2, 6, 1, 2, True)),
        hybrid(factors(2, 4, 3, 2, 2, 6, 1, 2, True, 5)),
    ],
    "pooled": [
        (noise(batch, channels, *size), side)
        for batch, channels, size, side in (
            *itertools.product((1, 2), (3,), ((1, 1), (7, 40)), (1, 2, 6)),
            (2, 20, (9, 7), 2),
        )
    ],
    "gated": [gate(*case) for case in ((1, 3, 1, 1, 1), (2, 3, 4, 5, 2), (1, 2, 9, 17, 3))],
    "normalised_kernels": [
        logits(2, 1, 9, 2, 3, 2, 1, True, 1.0, True, True),
        logits(1, 2, 4, 2, 3, 3, 1, True, 1.0, True, True),
        logits(1, 2, 9, 2, 3, 2, 1, False, 0.25, False, True),
        logits(1, 3, 1, 2, 2, 2, 1, False, 1.0, True, False),
        logits(2, 1, 25, 4, 6, 1, 2, False, 1.0, False, True),
        logits(2, 2, 4, 3, 5, 1, 1, False, 1.0, True, True),
    ],
}
"""The first tensor of each is differentiated alone where one is enough."""


def differentiated(name: str, arguments: tuple[Any, ...], call: Any) -> list[Tensor]:
    """The result and the gradient in each tensor."""
    fresh = [one.clone() if isinstance(one, Tensor) else one for one in arguments]
    fixed = 3 if name == "sample_moved" else None  # the start position is no parameter
    leaves = [one.requires_grad_() for at, one in enumerate(fresh) if isinstance(one, Tensor) and at != fixed]
    y = call(*fresh)
    return [y.detach(), *torch.autograd.grad(y, leaves, noise(*y.shape))]

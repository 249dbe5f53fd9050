"""Calls of every operator that is registered with torch: small, of each form, and in every layout of their tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from fused_cases import factors, gate, logits, moved, noise
from torch import Tensor
from torch._library.custom_ops import OPDEFS

from upsamplers.fused import PASSES

Call = tuple[Any, ...]

REGISTERED = sorted(name for name in OPDEFS if name.startswith("upsamplers::"))
"""Their names."""

BATCH, CHANNELS, GROUPS, HIGH, WIDE = 2, 4, 2, 6, 4
LOW, BIG = (BATCH, CHANNELS, HIGH // 2, WIDE // 2), (BATCH, CHANNELS, HIGH, WIDE)
W, ONE_PHASE, MIXED = (BATCH, GROUPS, 9, HIGH, WIDE), (1, GROUPS, 9, 2, 2), (BATCH, 3, 9 * CHANNELS, HIGH, WIDE)
DOWN, ONE, MANY = (BATCH, GROUPS, 9, *LOW[2:]), (BATCH, GROUPS, 4, HIGH, WIDE), (BATCH, GROUPS, 12, HIGH, WIDE)
WINDOW, CORNERS = (2, 3, "zero"), (2, 2, "replicate")


def points(*axis: int) -> Tensor:
    return 2 * noise(BATCH, GROUPS, *axis, 2, HIGH, WIDE)


def primitives() -> dict[str, list[Call]]:
    """Windows, a phase that repeats, kernels that mix channels, and one or three points of an output."""
    forms: list[tuple[Any, ...]] = [(W, None, WINDOW), (ONE_PHASE, None, WINDOW), (MIXED, None, WINDOW)]
    forms += [(ONE, points(), CORNERS), (MANY, points(3), CORNERS)]
    w, c, z, g = noise(*W), noise(BATCH, CHANNELS, 9, 2, 2), noise(*LOW), noise(*BIG)
    of = {shape: noise(BATCH, shape[1] if shape == MIXED else CHANNELS, HIGH, WIDE) for shape, _, _ in forms}
    parts = [tuple(None if n == left else one for n, one in enumerate((w, c, z, g))) for left in range(4)]
    weights = noise(BATCH, GROUPS, 3, 4, HIGH, WIDE)
    return {
        "reassemble": [(noise(*shape), z, at, *options) for shape, at, options in forms],
        "correlate": [(of[shape], z, at, shape, *options) for shape, at, options in forms],
        "spread": [(noise(*shape), of[shape], at, LOW, *options) for shape, at, options in forms],
        "downassemble": [(noise(*DOWN), g, *WINDOW)],
        "down_correlate": [(z, g, DOWN, *WINDOW)],
        "down_spread": [(noise(*DOWN), z, BIG, *WINDOW)],
        "products": [(*part, added, GROUPS, 2, 3) for part in parts for added in (False, True)],
        "similarities": [
            (g, weights, z, bias, points(3), 2, "zero") for bias in (None, noise(GROUPS, 3, CHANNELS // GROUPS))
        ],
    }


FUSED: dict[str, list[Call]] = {
    "sample_moved": [moved(2, 2, 2, 3, 2, 2, scoped) for scoped in (False, True)],
    "affinity": [
        factors(2, 4, 3, 2, 2, 6, 2, 2, True),
        factors(2, 4, 3, 2, 2, 6, 1, 1, False),
        factors(2, 4, 3, 2, 2, 6, 2, 2, True, 5),
    ],
    "pooled": [(noise(2, 3, 4, 5), 2)],
    "gated": [gate(2, 3, 2, 3, 2)],
    "normalised_kernels": [
        logits(2, 2, 4, 2, 3, 2, 1, True, 1.0, True, True),
        logits(2, 1, 9, 4, 6, 1, 2, False, 1.0, False, True),
    ],
}


def calls(operator: str) -> list[Call]:
    """Calls of an operator, but for the backend; those of a gradient have a cotangent of the result's shape."""
    name = operator.removeprefix("upsamplers::")
    if name in FUSED:
        return FUSED[name]
    one = PASSES.get(name.removesuffix("_backward"))
    if one is None:
        return primitives()[name]
    found = []
    for call in FUSED[one.name]:
        start = 3 if one.name == "sample_moved" else None  # no parameter
        needs = [given is not None and place != start for place, given in enumerate(call[: one.tensors])]
        found.append((noise(*one.shape(*call).shape), *call, needs))
    return found


def inner(x: Tensor) -> Tensor:
    """The same numbers with channels, or taps, side by side in memory: channels_last."""
    axis = 1 if x.ndim == 4 else 2
    return x.movedim(axis, -1).contiguous().movedim(-1, axis)


def layouts(call: Call) -> Iterator[Call]:
    """Every tensor contiguous, every one channels_last, and each one unlike all others."""
    places = [place for place, one in enumerate(call) if isinstance(one, Tensor) and one.ndim > 3]
    for others in (set(), set(places)):
        for odd in (set(), *({place} for place in places)):
            yield tuple(inner(one) if place in others ^ odd else one for place, one in enumerate(call))


def as_types(call: Call, first: torch.dtype, others: torch.dtype) -> Call:
    """The first tensor in one type, all others in another."""
    kinds = iter([first])
    return tuple(one.to(next(kinds, others)) if isinstance(one, Tensor) else one for one in call)

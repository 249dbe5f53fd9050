"""What a restored map is worth: its gain over bilinear interpolation, and its share of the way from there to a ceiling.

* **gain**: 10·log₁₀(MSE of bilinear / MSE), in dB, photograph by photograph, then averaged.
* **share**: (MSE of bilinear − MSE) / (MSE of bilinear − MSE of the ceiling), over all points: 0 is bilinear, 1 what no
  convex 3×3 kernel beats. Kernels with a larger window, with negative weights or that mix channels may.
* **edge share**: the same over edge points: the fifth of all points at which the target differs most from one of
  its four neighbours.

The ceiling is certified to a gap. A share is withheld where that gap is more than 1 % of what it is a share of, and
where that is less than 0.01 of the features' variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SHARPEST = 0.8
CERTAIN, LEAST = 0.01, 0.01
SMALLEST_ERROR = 1e-9


@dataclass(frozen=True)
class Baseline:
    """The target [N, C, H, W] and the squared errors [N, H, W] of bilinear and of the ceiling, means over channels."""

    target: Tensor
    bilinear: Tensor
    ceiling: Tensor
    gap: float
    edges: Tensor  # [N, H, W], bool
    names: tuple[str, ...]

    @classmethod
    def of(cls, target: Tensor, bilinear: Tensor, ceiling: Tensor, gap: Tensor, names: Sequence[str]) -> Baseline:
        """From their outputs, and the ceiling's gap [N, H, W], a sum over channels."""
        own = float(gap.mean()) / target.shape[1]
        return cls(target, squares(bilinear, target), squares(ceiling, target), own, edges(target), tuple(names))

    def share(self, error: Tensor, where: Tensor) -> float | None:
        """The share of these points, None where it is withheld."""
        room = float((self.bilinear - self.ceiling)[where].mean()) if where.any() else 0.0
        if room < LEAST or self.gap > CERTAIN * room:
            return None
        return float((self.bilinear - error)[where].mean()) / room


def score(output: Tensor, baseline: Baseline, gap: float | None = None) -> dict[str, Any]:
    """The scores of an output [N, C, H, W], by column; with a ceiling's own gap, as a share of its way, where given."""
    error = squares(output, baseline.target)
    gains = {}
    for name in dict.fromkeys(baseline.names):
        at = torch.tensor([other == name for other in baseline.names])
        before, after = (max(float(e[at].mean()), SMALLEST_ERROR) for e in (baseline.bilinear, error))
        gains[name] = 10 * math.log10(before / after)
    everywhere = torch.ones_like(baseline.edges)
    room = float((baseline.bilinear - error).mean())
    found = {
        "gain": math.fsum(gains.values()) / len(gains),
        "share": baseline.share(error, everywhere),
        "edge_share": baseline.share(error, baseline.edges),
        "mse": float(error.mean()),
        "gap": gap / room if gap is not None and room > 0 else None,
        "photographs": gains,
    }
    return {name: value for name, value in found.items() if value is not None}


def squares(output: Tensor, target: Tensor) -> Tensor:
    """[N, H, W] in float64, the mean over channels."""
    return (output.double() - target.double()).square().mean(1)


def edges(target: Tensor) -> Tensor:
    """The fifth of all points [N, H, W] that differ most from a neighbour; none that differ from none."""
    difference = target.new_zeros(len(target), *target.shape[2:])
    for axis in (2, 3):
        length = target.shape[axis]
        step = (target.narrow(axis, 1, length - 1) - target.narrow(axis, 0, length - 1)).square().sum(1)
        for begin in (0, 1):
            part = difference.narrow(axis - 1, begin, length - 1)
            part.copy_(torch.maximum(part, step))
    bound = difference.flatten().kthvalue(max(1, round(SHARPEST * difference.numel()))).values
    return (difference >= bound) & (difference > 0)

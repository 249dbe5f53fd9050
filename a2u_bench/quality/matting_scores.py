"""The four errors of image matting: SAD, MSE, gradient and connectivity, over the unknown region of a trimap.

Alphas are [H, W] in [0, 1]; â is predicted, a true, and sums run over the pixels that the trimap leaves unknown.

* **SAD**: Σ |â − a| / 1000.
* **MSE**: the mean of (â − a)².
* **gradient**: Σ (‖∇â‖ − ‖∇a‖)² / 1000, with first-order derivatives of a Gaussian, σ = 1.4, cut where it falls below
  0.01 of its largest value and of unit length, over replicated borders, after each alpha is stretched to [0, 1] as a
  whole (a constant one is left as it is).
* **connectivity**: Σ |φ(â) − φ(a)| / 1000, φ(α) = 1 − d where d ≥ 0.15, else 1, d = α − l. For thresholds t = 0, 0.1,
  …, 1, the source is the largest 4-connected part of the pixels where both alphas reach t; l of a pixel is the highest
  t up to which it lies in every source, or 1 where it lies in all.

These are the errors as the benchmark's evaluation code defines them, which published tables use, divided by 1000 as
they print them. Connectivity's thresholds begin at 0.1, and a pixel that leaves at t_i has l = t_{i−1}.

Christoph Rhemann, Carsten Rother, Jue Wang, Margrit Gelautz, Pushmeet Kohli, Pamela Rott, "A Perceptually Motivated
Online Benchmark for Image Matting", CVPR 2009.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIGMA = 1.4
SMALLEST = 0.01
"""Share of a Gaussian's largest value below which its filter is cut."""

THRESHOLDS = tuple(tenth / 10 for tenth in range(11))
THETA = 0.15
"""Distance from the source below which a pixel is fully connected."""

PRINTED = 1000.0

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MattingScores:
    """Means over images; sums in thousands. All are better lower."""

    sad: float
    mse: float
    grad: float
    conn: float


def score(outputs: Sequence[Array], targets: Sequence[Array], unknown: Sequence[Mask]) -> MattingScores:
    """The errors of N >= 1 alphas [H, W] against theirs, each over its unknown pixels, of which there is one at least.

    Outputs are clamped to [0, 1]. ValueError for shapes that differ, or a trimap that leaves nothing unknown.
    """
    found = []
    for output, target, where in zip(outputs, targets, unknown, strict=True):
        if not output.shape == target.shape == where.shape or output.ndim != 2:
            raise ValueError(
                f"alphas and trimap must be equal [H, W]; got {output.shape}, {target.shape}, {where.shape}"
            )
        if not where.any():
            raise ValueError("the trimap leaves no pixel unknown")
        predicted, true = np.clip(output.astype(np.float64), 0, 1), target.astype(np.float64)
        found.append(astuple(_of_one(predicted, true, where)))
    return MattingScores(*np.mean(found, axis=0).tolist())


def _of_one(output: Array, target: Array, where: Mask) -> MattingScores:
    return MattingScores(
        sad(output, target, where), mse(output, target, where), grad(output, target, where), conn(output, target, where)
    )


def sad(output: Array, target: Array, where: Mask) -> float:
    """Sum of absolute differences, in thousands."""
    return float(np.abs(output - target)[where].sum()) / PRINTED


def mse(output: Array, target: Array, where: Mask) -> float:
    """Mean square error."""
    return float(np.mean((output - target)[where] ** 2))


def grad(output: Array, target: Array, where: Mask) -> float:
    """Squared difference of gradient magnitudes, summed, in thousands."""
    difference = magnitude(_stretched(output)) - magnitude(_stretched(target))
    return float((difference[where] ** 2).sum()) / PRINTED


def conn(output: Array, target: Array, where: Mask) -> float:
    """Difference of connectivity, summed, in thousands."""
    reached = levels(output, target)
    difference = np.abs(connectivity(output, reached) - connectivity(target, reached))
    return float(difference[where].sum()) / PRINTED


def magnitude(alpha: Array) -> Array:
    """Length of the gradient by derivatives of a Gaussian."""
    size = math.ceil(SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * SIGMA * SMALLEST)))
    x = np.arange(-size, size + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * SIGMA**2)) / (SIGMA * math.sqrt(2 * math.pi))
    slope = -x * smooth / SIGMA**2
    kernel = np.outer(smooth, slope)
    kernel /= np.sqrt((kernel**2).sum())
    along, across = (ndimage.convolve(alpha, each, mode="nearest") for each in (kernel, kernel.T))
    length: Array = np.hypot(along, across)
    return length


def levels(output: Array, target: Array) -> Array:
    """l of each pixel: how high it stays connected to what is opaque in both alphas."""
    reached: Array = np.full(output.shape, -1.0)
    # A pixel leaves once, at the first threshold whose source it is not in.
    for before, threshold in pairwise(THRESHOLDS):
        source = largest(np.minimum(output, target) >= threshold)
        reached[(reached == -1) & ~source] = before
    reached[reached == -1] = 1.0
    return reached


def largest(where: Mask) -> Mask:
    """The largest 4-connected part of a mask; the first in reading order among equals, nothing of an empty one."""
    labels, count = ndimage.label(where)
    if not count:
        return where
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    found: Mask = labels == sizes.argmax()
    return found


def connectivity(alpha: Array, reached: Array) -> Array:
    """φ of each pixel."""
    distance = alpha - reached
    return np.where(distance >= THETA, 1 - distance, 1.0)


def _stretched(alpha: Array) -> Array:
    low, high = alpha.min(), alpha.max()
    stretched: Array = (alpha - low) / (high - low) if high > low else alpha
    return stretched

"""A synthetic matting set, made in memory from a seed: hair-like strands and soft-edged bodies over photographs.

An alpha is the union of a soft-edged ellipse and thin curved strands that grow out of it. With crops F and B of two
photographs that scikit-image ships, the image is α·F + (1 − α)·B. A trimap is 1 where α is 1 and 0 where it is 0, but
for pixels within a random distance of where it is neither, which are unknown, 0.5.

Training and test images are of different photographs, so that no pixel of a test image is ever trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from a2u_bench.quality import natural

SOFTEST = 4.0
"""Pixels over which a body's edge goes from 0 to 1, at most."""

STRANDS, POINTS = (12, 40), 40
"""Fewest and most strands of an alpha; points of a strand."""

REACH = (2, 6)
"""Pixels by which the unknown region is wider than where alpha is neither 0 nor 1, on each side."""

UNKNOWN = 0.5
"""What a trimap says where it says nothing."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mattes:
    """Inputs [N, 4, S, S], RGB and trimap in [0, 1], and alphas [N, 1, S, S], float32."""

    inputs: Tensor
    alphas: Tensor

    @property
    def unknown(self) -> Tensor:
        """Where the trimap says nothing, [N, S, S]."""
        return self.inputs[:, 3] == UNKNOWN


def mattes(names: tuple[str, ...], count: int, side: int, seed: int) -> Mattes:
    """`count` images of `side` pixels over the photographs of these names, `natural.TRAIN` or `natural.TEST`.

    The same seed makes the same images, and the first of more.
    """
    photographs = [natural.photograph(name) / 255 for name in names]
    inputs = np.empty((count, 4, side, side), dtype=np.float32)
    alphas = np.empty((count, 1, side, side), dtype=np.float32)
    for index in range(count):
        random = np.random.default_rng([seed, index, *names[0].encode()])
        alpha = matte(side, random)
        first, second = random.permutation(len(photographs))[:2]
        front, back = (_tinted(photographs[which], side, random) for which in (first, second))
        inputs[index, :3] = alpha * front + (1 - alpha) * back
        inputs[index, 3] = trimap(alpha, int(random.integers(REACH[0], REACH[1] + 1)))
        alphas[index, 0] = alpha
    return Mattes(torch.from_numpy(inputs), torch.from_numpy(alphas))


def largest_side() -> int:
    """Pixels of the largest crop that every photograph has."""
    return min(min(natural.photograph(name).shape) for name in (*natural.TRAIN, *natural.TEST))


def matte(side: int, random: np.random.Generator) -> Array:
    """One alpha [side, side] in [0, 1]."""
    y, x = np.mgrid[:side, :side] + 0.5  # [2, S, S]
    centre, radii = random.uniform(0.35, 0.65, 2) * side, random.uniform(0.15, 0.3, 2) * side
    from_edge = (1 - np.hypot((y - centre[0]) / radii[0], (x - centre[1]) / radii[1])) * radii.min()
    alpha = np.clip(0.5 + from_edge / random.uniform(1.0, SOFTEST), 0, 1)
    along = np.linspace(0, 1, POINTS)
    for _ in range(random.integers(STRANDS[0], STRANDS[1] + 1)):
        angle, bend = random.uniform(0, 2 * np.pi), random.normal(0, 1.0)
        length, width, opacity = random.uniform(0.15, 0.4) * side, random.uniform(0.5, 1.5), random.uniform(0.4, 1.0)
        turned = angle + bend * along
        root = centre + radii * 0.9 * (np.sin(angle), np.cos(angle))
        step = length / POINTS
        ys, xs = root[0] + step * np.cumsum(np.sin(turned)), root[1] + step * np.cumsum(np.cos(turned))
        around = tuple(slice(max(0, int(p.min() - width)), max(0, int(p.max() + width) + 1)) for p in (ys, xs))
        nearest = np.hypot(y[around][..., None] - ys, x[around][..., None] - xs)  # [H, W, points], near the strand
        strand = np.clip(width - nearest, 0, 1) * opacity * (1 - 0.7 * along)
        alpha[around] = np.maximum(alpha[around], strand.max(-1))
    found: Array = np.where(alpha < 1 / 255, 0.0, alpha)
    return found


def trimap(alpha: Array, reach: int) -> Array:
    """1 and 0 where alpha certainly is, 0.5 within `reach` pixels (by steps to the side) of where it is neither."""
    unknown = ndimage.binary_dilation((alpha > 0) & (alpha < 1), iterations=reach)
    return np.where(unknown, UNKNOWN, (alpha == 1).astype(np.float64))


def _tinted(photograph: Array, side: int, random: np.random.Generator) -> Array:
    """A crop [3, side, side] of a grey photograph, in a colour."""
    row, column = (random.integers(0, length - side + 1) for length in photograph.shape)
    crop = photograph[row : row + side, column : column + side]
    tinted: Array = crop * random.uniform(0.6, 1.0, (3, 1, 1))
    return tinted

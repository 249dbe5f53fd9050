"""The ceiling of a form of kernels: the w that bring wᵀz closest to a known target, point by point, certified.

At each output point U [C/G, k²] are the windows of a group's channels of z, and f [C/G] is the target there. The
ceiling is min ‖Uw − f‖² over all w, over the simplex (w ≥ 0, Σw = 1), or over the part of it in a box (low ≤ w ≤ high).
No operator whose kernels are of that form, whatever its parameters and its guide, comes closer at any point.

The last two by accelerated projected gradients (Beck and Teboulle, "A Fast Iterative Shrinkage-Thresholding Algorithm
for Linear Inverse Problems", SIAM J. Imaging Sciences 2(1), 2009), started anew where they overshoot (O'Donoghue and
Candès, "Adaptive Restart for Accelerated Gradient Schemes", arXiv 1204.3982). The certificate is the gap of Frank and
Wolfe: the objective is convex, so ∇·(w − v) for the v that makes it largest bounds how far w is from the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from upsamplers.primitive.window import BORDERS, pad

Constraint = Literal["none", "simplex"] | tuple[float, float]

EVERY = 25
"""Steps between looks at the gap."""

SINGULAR = 1e-10
"""Share of a window's largest eigenvalue below which a direction of it says nothing of the target."""


@dataclass(frozen=True)
class Ceiling:
    """What the best kernels of a form reach.

    `error` − `gap` is a lower bound of the squared error of every operator of that form, point by point; `gap` is 0
    to rounding where the form has no constraint.
    """

    w: Tensor  # [B, G, k², sH, sW]
    output: Tensor  # wᵀz, [B, C, sH, sW]
    error: Tensor  # ‖Uw − f‖², [B, G, sH, sW]
    gap: Tensor  # [B, G, sH, sW]


def sigmoid_softmax_box(taps: int) -> tuple[float, float]:
    """The least and the largest weight that a softmax over so many taps makes of sigmoids: [0.0440, 0.2536] of nine."""
    return 1 / (1 + (taps - 1) * math.e), math.e / (math.e + taps - 1)


def ceiling(
    z: Tensor,
    target: Tensor,
    kernel_size: int,
    constraint: Constraint = "simplex",
    *,
    groups: int = 1,
    border: str = "zero",
    tolerance: float = 1e-5,
    steps: int = 1000,
) -> Ceiling:
    """The closest that kernels of a form bring z to the target, with the kernels, in float64.

    Args:
        z: [B, C, H, W].
        target: [B, C, sH, sW], s >= 1.
        kernel_size: k, odd; the window of output point (i, j) is around (⌊i/s⌋, ⌊j/s⌋) of z, taps row-major.
        constraint: "none"; "simplex": no weight below 0, their sum 1; (low, high): of these the ones in that range.
        groups: G, divides C; each group of channels has kernels of its own.
        border: what lies outside z: zero, replicate or reflect.
        tolerance: the gap to reach at each point, as a share of the target's mean ‖f‖².
        steps: the most that are taken for it; a gap that is larger then is returned as it is.

    Raises:
        ValueError: shapes that do not fit, with the shapes; a box that holds no kernel.
    """
    scale = _scale(z, target, kernel_size, groups, border)
    taps = kernel_size**2
    low, high = _box(constraint, taps)
    batch, channels, height, width = z.shape
    deep = (batch * groups, channels // groups)
    windows = _windows(z.double(), kernel_size, border).reshape(*deep, taps, height * width)
    wanted = target.double().reshape(*deep, height, scale, width, scale).permute(0, 2, 4, 1, 3, 5)
    wanted = wanted.reshape(batch * groups * height * width, deep[1], scale**2)  # [N, C/G, s²], N = B·G·H·W
    windows = windows.permute(0, 3, 1, 2).reshape(len(wanted), deep[1], taps)  # [N, C/G, k²]
    gram, mixed = windows.mT @ windows, windows.mT @ wanted  # [N, k², k²], [N, k², s²]
    if constraint == "none":
        w = _free(gram, mixed)
        gap = wanted.new_zeros(len(w), scale**2)
    else:
        enough = tolerance * float(wanted.square().sum(1).mean()) if wanted.numel() else 0.0
        w, gap = _bounded(gram, mixed, low, high, enough, steps)
    output = windows @ w
    error = (output - wanted).square().sum(1)

    def large(x: Tensor, *lead: int) -> Tensor:  # [N, X, s²] to [B, G·X, sH, sW]
        x = x.reshape(batch * groups, height, width, x.shape[1], scale, scale).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(batch, *lead, height * scale, width * scale)

    return Ceiling(
        large(w, groups, taps), large(output, channels), large(error.unsqueeze(1), groups), large(gap[:, None], groups)
    )


def _scale(z: Tensor, target: Tensor, kernel_size: int, groups: int, border: str) -> int:
    """s; ValueError where something does not fit."""
    shapes = f"z {tuple(z.shape)}, target {tuple(target.shape)}"
    if z.ndim != 4 or target.ndim != 4 or z.shape[:2] != target.shape[:2]:
        raise ValueError(f"ceiling: z must be [B, C, H, W] and the target [B, C, sH, sW]; got {shapes}")
    scale = target.shape[2] // max(z.shape[2], 1)
    if scale < 1 or tuple(target.shape[2:]) != (scale * z.shape[2], scale * z.shape[3]):
        raise ValueError(f"ceiling: the target must be a whole number of times as large as z; got {shapes}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"ceiling: kernel_size must be an odd integer >= 1; got {kernel_size}")
    if groups < 1 or z.shape[1] % groups:
        raise ValueError(f"ceiling: groups must divide the channels; got {groups}, {shapes}")
    if border not in BORDERS:
        raise ValueError(f"ceiling: no border {border!r}; allowed: {', '.join(BORDERS)}")
    return scale


def _box(constraint: Constraint, taps: int) -> tuple[float, float]:
    """The least and the largest weight; ValueError for an unknown constraint, or one that no kernel keeps."""
    if constraint in ("none", "simplex"):
        return 0.0, 1.0
    if isinstance(constraint, str):
        raise ValueError(f"ceiling: no constraint {constraint!r}; allowed: none, simplex, or (low, high)")
    low, high = constraint
    if not (low <= high and taps * low <= 1 <= taps * high):
        raise ValueError(f"ceiling: no {taps} weights between {low} and {high} sum to 1")
    return low, high


def _windows(z: Tensor, kernel_size: int, border: str) -> Tensor:
    """[B, C, k², H, W]."""
    height, width = z.shape[2:]
    reach = kernel_size // 2
    padded = pad(z, reach, reach, reach, border)
    parts = [padded[:, :, y : y + height, x : x + width] for y in range(kernel_size) for x in range(kernel_size)]
    return torch.stack(parts, 2)


def _free(gram: Tensor, mixed: Tensor) -> Tensor:
    """The least of the w that are closest."""
    values, vectors = torch.linalg.eigh(gram)
    known = values > SINGULAR * values[:, -1:].clamp(min=0)
    inverse = torch.where(known, 1 / values.where(known, 1), 0)
    found: Tensor = vectors @ (inverse.unsqueeze(2) * (vectors.mT @ mixed))
    return found


def _bounded(gram: Tensor, mixed: Tensor, low: float, high: float, enough: float, steps: int) -> tuple[Tensor, Tensor]:
    """w [N, k², s²] in the box and its gap [N, s²]; points whose gap is small enough are left as they are."""
    project, furthest = _of_simplex() if (low, high) == (0.0, 1.0) else _of_box(low, high)
    count, taps, phases = mixed.shape
    w = torch.full_like(mixed, 1 / taps)
    gap = mixed.new_full((count, phases), math.inf)
    at = torch.arange(count, device=mixed.device)  # the points that are not done
    slope = torch.linalg.eigvalsh(gram)[:, -1].clamp(min=1e-12)[:, None, None] if count else gram[:, :1, :1]
    now, before, momentum = w.clone(), w.clone(), mixed.new_ones(count, 1, phases)
    for step in range(steps + 1):
        if step % EVERY == 0 or step == steps:
            gradient = 2 * (gram @ now - mixed)
            left = ((gradient * now).sum(1) - furthest(gradient)).clamp(min=0)
            better = left < gap[at]
            w[at] = torch.where(better.unsqueeze(1), now, w[at])
            gap[at] = torch.minimum(left, gap[at])
            open_ = (gap[at] > enough).any(1)
            if step == steps or not open_.any():
                break
            at = at[open_]
            kept = (part[open_] for part in (gram, mixed, slope, now, before, momentum))
            gram, mixed, slope, now, before, momentum = kept
        faster = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        ahead = now + (momentum - 1) / faster * (now - before)
        moved = project(ahead - (gram @ ahead - mixed) / slope)
        overshot = ((ahead - moved) * (moved - now)).sum(1, keepdim=True) > 0
        before, now = torch.where(overshot, moved, now), moved
        momentum = torch.where(overshot, 1.0, faster)
    return w, gap


Projection = Callable[[Tensor], Tensor]


def _of_simplex() -> tuple[Projection, Projection]:
    """The nearest point of the simplex along axis 1, and the least value there of a linear function."""

    def project(x: Tensor) -> Tensor:
        ordered = x.sort(1, descending=True).values
        excess = (ordered.cumsum(1) - 1) / torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)[:, None]
        last = (ordered > excess).sum(1, keepdim=True).clamp(min=1) - 1
        return (x - excess.gather(1, last)).clamp(min=0)

    return project, lambda gradient: gradient.amin(1)


def _of_box(low: float, high: float) -> tuple[Projection, Projection]:
    """The same for the simplex within a box: by bisection, and by filling the cheapest weights first."""

    def project(x: Tensor) -> Tensor:
        under, over = x.amin(1, keepdim=True) - high, x.amax(1, keepdim=True) - low
        for _ in range(50):
            middle = (under + over) / 2
            heavy = (x - middle).clamp(low, high).sum(1, keepdim=True) > 1
            under, over = torch.where(heavy, middle, under), torch.where(heavy, over, middle)
        return (x - over).clamp(low, high)

    def furthest(gradient: Tensor) -> Tensor:
        ordered = gradient.sort(1).values
        taps = gradient.shape[1]
        room, most = 1 - taps * low, high - low
        share = [min(most, max(0.0, room - place * most)) for place in range(taps)]
        filled = (torch.tensor(share, dtype=gradient.dtype, device=gradient.device)[:, None] * ordered).sum(1)
        return low * gradient.sum(1) + filled

    return project, furthest

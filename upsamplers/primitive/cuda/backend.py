"""The CUDA backend, named "triton": all six primitives as Triton kernels, one pass each, deterministic.

A window kernel keeps the weights of its points (or their gradients) in registers while the channels pass by, and
writes its output once; nothing k²-sized exists. Sums are float32, or float64 for float64. Where w mixes channels
(static kernels, whose operators have native paths of their own) the plain PyTorch backend takes over.

What must move at 1×256×120×120 → 240×240, k = 5, G = 1, float32: w 5.8 MB and z 14.7 MB in, y 59.0 MB out: 79.5 MB,
for 369 million multiply-adds. On an H200 that is 18.5 µs at 4.3 TB/s, against 12 µs of arithmetic.
`python docs/cuda_audit.py` counts what the compiled kernels issue and read, and predicts a time from it.

Triton is imported by the first call, never by `import upsamplers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from upsamplers.primitive import eager
from upsamplers.primitive.window import down_offset


def reassemble(w: Tensor, z: Tensor, points: Tensor | None, scale: int, kernel_size: int, border: str) -> Tensor:
    """g(w, z) = wᵀz at every output point; shapes as in `upsamplers.reassemble`."""
    from upsamplers.primitive.cuda import launch, sampling

    if points is not None and points.ndim == 6:
        wide = w.to(eager.accumulator(eager.result_dtype(w, z)))
        parts = (sampling.sum_points(one, z, at, border) for one, at in _by_point(wide, points))
        return _total(parts).to(eager.result_dtype(w, z))
    if points is not None:
        return sampling.sum_points(w, z, points, border)
    if w.shape[2] != kernel_size**2:
        return eager.reassemble(w, z, points, scale, kernel_size, border)
    window = launch.Window(scale, kernel_size, 1, -(kernel_size // 2), border)
    return launch.sum_windows(w, z, (z.shape[2], z.shape[3]), window)


def correlate(
    g: Tensor, z: Tensor, points: Tensor | None, w_shape: Sequence[int], scale: int, kernel_size: int, border: str
) -> Tensor:
    """The adjoint in w: each group's inner product of g with z at each tap, summed to the shape of w."""
    from upsamplers.primitive.cuda import launch, sampling

    if points is not None and points.ndim == 6:
        shape = (*w_shape[:2], 4, *w_shape[3:])
        return torch.cat([sampling.multiply_points(g, z, at, shape, border) for at in points.unbind(2)], 2)
    if points is not None:
        return sampling.multiply_points(g, z, points, w_shape, border)
    if w_shape[2] != kernel_size**2:
        return eager.correlate(g, z, points, w_shape, scale, kernel_size, border)
    window = launch.Window(scale, kernel_size, 1, -(kernel_size // 2), border)
    return launch.multiply_windows(g, z, w_shape, (z.shape[2], z.shape[3]), window)


def spread(
    w: Tensor, g: Tensor, points: Tensor | None, z_shape: Sequence[int], scale: int, kernel_size: int, border: str
) -> Tensor:
    """The adjoint in z: every low-resolution point gathers w·g from the outputs that read it."""
    from upsamplers.primitive.cuda import launch, sampling

    if points is not None and points.ndim == 6:
        wide = w.to(eager.accumulator(eager.result_dtype(w, g)))
        parts = (sampling.spread_points(one, g, at, z_shape, border) for one, at in _by_point(wide, points))
        return _total(parts).to(eager.result_dtype(w, g))
    if points is not None:
        return sampling.spread_points(w, g, points, z_shape, border)
    if w.shape[2] != kernel_size**2:
        return eager.spread(w, g, points, z_shape, scale, kernel_size, border)
    window = launch.Window(scale, kernel_size, 1, -(kernel_size // 2), border)
    return launch.spread_windows(w, g, z_shape, (z_shape[2], z_shape[3]), window)


def _by_point(w: Tensor, points: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each of P points of an output with its four weights; a kernel reads one point at a time."""
    return zip(w.split(4, 2), points.unbind(2), strict=True)


def _total(parts: Iterator[Tensor]) -> Tensor:
    total = next(parts)
    for part in parts:
        total += part
    return total


def downassemble(w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str) -> Tensor:
    """wᵀx at every low-resolution point; shapes as in `upsamplers.downassemble`."""
    from upsamplers.primitive.cuda import launch

    window = launch.Window(1, kernel_size, scale, -down_offset(scale, kernel_size), border)
    return launch.sum_windows(w, x, (w.shape[3], w.shape[4]), window)


def down_correlate(g: Tensor, x: Tensor, w_shape: Sequence[int], scale: int, kernel_size: int, border: str) -> Tensor:
    """The adjoint of `downassemble` in w."""
    from upsamplers.primitive.cuda import launch

    window = launch.Window(1, kernel_size, scale, -down_offset(scale, kernel_size), border)
    return launch.multiply_windows(g, x, w_shape, (w_shape[3], w_shape[4]), window)


def down_spread(w: Tensor, g: Tensor, x_shape: Sequence[int], scale: int, kernel_size: int, border: str) -> Tensor:
    """The adjoint of `downassemble` in x."""
    from upsamplers.primitive.cuda import launch

    window = launch.Window(1, kernel_size, scale, -down_offset(scale, kernel_size), border)
    return launch.spread_windows(w, g, x_shape, (w.shape[3], w.shape[4]), window)

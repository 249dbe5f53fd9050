"""The CPU backend: numba kernels for float32 and float64, half types through float32; numba loads at the first call.

Kernels that mix channels are dense convolutions, not windows, and stay with the eager backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive import eager, eager_down


def _windows() -> Any:
    """The module that calls numba, loaded when first needed, because importing numba takes most of a second."""
    from upsamplers.primitive.cpu import calls

    return calls


def _points() -> Any:
    from upsamplers.primitive.cpu import points_calls

    return points_calls


def _served(*tensors: Tensor) -> bool:
    return all(t.device.type == "cpu" for t in tensors) and all(t.numel() for t in tensors)


def _wide(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().to(eager.accumulator(dtype))


def reassemble(w: Tensor, z: Tensor, points: Tensor | None, scale: int, kernel_size: int, border: str) -> Tensor:
    """g(w, z) = wᵀz."""
    if not _served(w, z) or w.shape[2] != kernel_size**2:
        return eager.reassemble(w, z, points, scale, kernel_size, border)
    dtype = eager.result_dtype(w, z)
    w, z = _wide(w, dtype), _wide(z, dtype)
    if points is not None:
        out: Tensor = _points().gather(w, z, points, border)
    else:
        out = _windows().gather(w, z, scale, 1, kernel_size, border)
    return out.to(dtype)


def correlate(
    g: Tensor, z: Tensor, points: Tensor | None, w_shape: Sequence[int], scale: int, kernel_size: int, border: str
) -> Tensor:
    """The adjoint in w."""
    if not _served(g, z) or w_shape[2] != kernel_size**2 or 0 in w_shape:
        return eager.correlate(g, z, points, w_shape, scale, kernel_size, border)
    dtype = eager.result_dtype(g, z)
    g, z = _wide(g, dtype), _wide(z, dtype)
    if points is not None:
        out: Tensor = _points().correlate(g, z, points, w_shape, border)
    else:
        out = _windows().correlate(g, z, w_shape, scale, 1, kernel_size, border)
    return out.to(dtype)


def spread(
    w: Tensor, g: Tensor, points: Tensor | None, z_shape: Sequence[int], scale: int, kernel_size: int, border: str
) -> Tensor:
    """The adjoint in z."""
    if not _served(w, g) or w.shape[2] != kernel_size**2 or 0 in z_shape:
        return eager.spread(w, g, points, z_shape, scale, kernel_size, border)
    dtype = eager.result_dtype(w, g)
    w, g = _wide(w, dtype), _wide(g, dtype)
    if points is not None:
        out: Tensor = _points().scatter(w, g, points, z_shape, border)
    else:
        out = _windows().scatter(w, g, z_shape, scale, 1, kernel_size, border)
    return out.to(dtype)


def downassemble(w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str) -> Tensor:
    """wᵀx at every low-resolution point."""
    if not _served(w, x):
        return eager_down.downassemble(w, x, scale, kernel_size, border)
    dtype = eager.result_dtype(w, x)
    out: Tensor = _windows().gather(_wide(w, dtype), _wide(x, dtype), 1, scale, kernel_size, border)
    return out.to(dtype)


def down_correlate(g: Tensor, x: Tensor, w_shape: Sequence[int], scale: int, kernel_size: int, border: str) -> Tensor:
    """The adjoint of `downassemble` in w."""
    if not _served(g, x) or 0 in w_shape:
        return eager_down.down_correlate(g, x, w_shape, scale, kernel_size, border)
    dtype = eager.result_dtype(g, x)
    out: Tensor = _windows().correlate(_wide(g, dtype), _wide(x, dtype), w_shape, 1, scale, kernel_size, border)
    return out.to(dtype)


def down_spread(w: Tensor, g: Tensor, x_shape: Sequence[int], scale: int, kernel_size: int, border: str) -> Tensor:
    """The adjoint of `downassemble` in x."""
    if not _served(w, g) or 0 in x_shape:
        return eager_down.down_spread(w, g, x_shape, scale, kernel_size, border)
    dtype = eager.result_dtype(w, g)
    out: Tensor = _windows().scatter(_wide(w, dtype), _wide(g, dtype), x_shape, 1, scale, kernel_size, border)
    return out.to(dtype)

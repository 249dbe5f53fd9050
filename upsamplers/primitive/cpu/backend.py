"""The CPU backend: numba kernels for all floating-point types; numba loads at the first call.

Kernels that mix channels are dense convolutions, not windows, and stay with the eager backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from upsamplers.primitive import eager, eager_down
from upsamplers.primitive.eager import accumulator, result_dtype
from upsamplers.primitive.planner import Run, as_they_are

if TYPE_CHECKING:
    from upsamplers.primitive.cpu.prepared import Prepared

_elsewhere = as_they_are(eager, eager_down)


def serves(
    primitive: str, first: Tensor, second: Tensor, points: Tensor | None, shape: Sequence[int], kernel_size: int
) -> bool:
    """Whether there is a kernel for it: on the CPU, not empty, and not mixing channels."""
    taps = shape[2] if primitive.endswith("correlate") else first.shape[2]
    return (
        first.device.type == "cpu"
        and second.device.type == "cpu"
        and first.numel() > 0
        and second.numel() > 0
        and 0 not in shape
        and (points is not None or taps == kernel_size**2)
    )


def prepared(
    primitive: str,
    first: Tensor,
    second: Tensor,
    points: Tensor | None,
    shape: Sequence[int],
    scale: int,
    kernel_size: int,
    border: str,
) -> Prepared:
    """The pass over tensors like these, of types that kernels read side by side."""
    from upsamplers.primitive.cpu import calls, points_calls  # importing numba takes most of a second

    if points is not None:
        if primitive == "reassemble":
            return points_calls.gather(first, second, points, border)
        sampled = points_calls.correlate if primitive == "correlate" else points_calls.scatter
        return sampled(first, second, points, shape, border)
    up, down = (1, scale) if primitive.startswith("down") else (scale, 1)
    if primitive.endswith("assemble"):
        return calls.gather(first, second, up, down, kernel_size, border)
    adjoint = calls.correlate if primitive.endswith("correlate") else calls.scatter
    return adjoint(first, second, shape, up, down, kernel_size, border)


def plan(
    primitive: str,
    first: Tensor,
    second: Tensor,
    points: Tensor | None,
    shape: Sequence[int],
    scale: int,
    kernel_size: int,
    border: str,
) -> Run:
    """How to run a primitive on tensors like these."""
    options = (shape, scale, kernel_size, border)
    if not serves(primitive, first, second, points, shape, kernel_size):
        return _elsewhere(primitive, first, second, points, *options)
    from upsamplers.primitive.cpu.elements import are_read

    dtype = result_dtype(first, second)
    high = accumulator(dtype)
    place = None if points is None else accumulator(points.dtype)
    one_phase = primitive == "correlate" and points is None and tuple(shape[3:]) != tuple(first.shape[2:])
    if points is None and are_read(first.dtype, second.dtype):
        run = prepared(primitive, first, second, None, *options)
        return run if not one_phase else lambda *tensors: run(*tensors).sum(0, keepdim=True).to(dtype)
    run = prepared(primitive, first.to(high), second.to(high), None if points is None else points.to(place), *options)
    if first.dtype == second.dtype == high and points is not None and points.dtype == place:
        return run

    def converted(first: Tensor, second: Tensor, points: Tensor | None) -> Tensor:
        out = run(first.to(high), second.to(high), None if points is None else points.to(place))
        return (out.sum(0, keepdim=True) if one_phase else out).to(dtype)

    return converted

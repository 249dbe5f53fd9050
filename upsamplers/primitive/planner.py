"""What a backend is: a planner, which settles all of a primitive that shapes, strides and options decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

from torch import Tensor

TAKES_POINTS = ("reassemble", "correlate", "spread")
"""The primitives that may read at points; their names with `down` before them do not."""

Run = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""A primitive on its two tensors and the points, all else settled."""

Planner = Callable[..., Run]
"""(primitive, its tensors and points, shape of an adjoint's result or (), scale, kernel_size, border) -> Run."""


def as_they_are(*modules: ModuleType) -> Planner:
    """The planner of a backend whose functions are named as the primitives, and settle everything at each call."""

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
        function = next(getattr(module, primitive) for module in modules if hasattr(module, primitive))
        options = (*((tuple(shape),) if len(shape) else ()), scale, kernel_size, border)
        if primitive in TAKES_POINTS:
            return lambda first, second, points: function(first, second, points, *options)
        return lambda first, second, points: function(first, second, *options)

    return plan

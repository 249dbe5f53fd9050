"""The functions of torch by which networks upsample: what each is given, and the size that it makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Call:
    """One call of such a function: the map that it reads and the height and width of its result."""

    kind: str
    z: Tensor
    size: tuple[int, ...]
    mode: str = ""
    align_corners: bool = False
    factor: Any = None  # of an interpolation by a factor, which is not always the ratio of the sizes


def read(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """What a function of `READERS` was called with."""
    return READERS[func](args, kwargs)


def _given(args: Sequence[Any], kwargs: Mapping[str, Any], place: int, name: str, default: Any = None) -> Any:
    return args[place] if place < len(args) else kwargs.get(name, default)


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[-1]) if isinstance(value, (tuple, list)) else (value, value)


def _interpolate(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    z = _given(args, kwargs, 0, "input")
    size, factor = _given(args, kwargs, 1, "size"), _given(args, kwargs, 2, "scale_factor")
    if size is not None:
        made = tuple(size) if isinstance(size, (tuple, list)) else (size,) * (z.ndim - 2)
    else:
        factors = tuple(factor) if isinstance(factor, (tuple, list)) else (factor,) * (z.ndim - 2)
        made = tuple(_times(side, by) for side, by in zip(z.shape[2:], factors, strict=True))
    mode, aligned = _given(args, kwargs, 3, "mode", "nearest"), _given(args, kwargs, 4, "align_corners")
    again = _given(args, kwargs, 5, "recompute_scale_factor")
    return Call("interpolate", z, made, mode, bool(aligned), None if size is not None or again else factor)


def _times(side: int, factor: float) -> int:
    """floor(side · factor), in integers where the factor is one: a size that an exporter keeps free stays exact."""
    return side * int(factor) if factor == int(factor) else math.floor(side * factor)


def _conv_transpose2d(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    z, weight = _given(args, kwargs, 0, "input"), _given(args, kwargs, 1, "weight")
    stride, padding = _pair(_given(args, kwargs, 3, "stride", 1)), _pair(_given(args, kwargs, 4, "padding", 0))
    more, dilation = _pair(_given(args, kwargs, 5, "output_padding", 0)), _pair(_given(args, kwargs, 7, "dilation", 1))
    size = tuple(
        (z.shape[axis - 2] - 1) * stride[axis]
        - 2 * padding[axis]
        + dilation[axis] * (weight.shape[axis - 2] - 1)
        + more[axis]
        + 1
        for axis in (0, 1)
    )
    return Call("conv_transpose2d", z, size)


def _pixel_shuffle(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    z, factor = _given(args, kwargs, 0, "input"), _given(args, kwargs, 1, "upscale_factor")
    return Call("pixel_shuffle", z, (z.shape[-2] * factor, z.shape[-1] * factor))


def _max_unpool2d(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    z, kernel = _given(args, kwargs, 0, "input"), _pair(_given(args, kwargs, 2, "kernel_size"))
    stride = _given(args, kwargs, 3, "stride")
    steps = kernel if stride is None or stride == [] else _pair(stride)
    padding, asked = _pair(_given(args, kwargs, 4, "padding", 0)), _given(args, kwargs, 5, "output_size")
    size = tuple((z.shape[axis - 2] - 1) * steps[axis] - 2 * padding[axis] + kernel[axis] for axis in (0, 1))
    return Call("max_unpool2d", z, size if asked is None else tuple(asked)[-2:])


def _grid_sample(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    z, grid = _given(args, kwargs, 0, "input"), _given(args, kwargs, 1, "grid")
    return Call("grid_sample", z, tuple(grid.shape[1:-1]))


READERS: dict[Callable[..., Any], Callable[[Sequence[Any], Mapping[str, Any]], Call]] = {
    functional.interpolate: _interpolate,
    torch.conv_transpose2d: _conv_transpose2d,
    torch.pixel_shuffle: _pixel_shuffle,
    functional.max_unpool2d: _max_unpool2d,
    functional.grid_sample: _grid_sample,
}

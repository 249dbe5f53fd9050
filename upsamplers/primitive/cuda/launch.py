"""Launches the window kernels: geometry from shapes and strides, an uninitialised output, one launch."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

from upsamplers.primitive.cuda import geometry, product_launches
from upsamplers.primitive.cuda.compiled import Launch as Launch
from upsamplers.primitive.cuda.compiled import start
from upsamplers.primitive.cuda.geometry import Window as Window
from upsamplers.primitive.cuda.geometry import arithmetic as arithmetic
from upsamplers.primitive.eager import accumulator, layout, result_dtype
from upsamplers.primitive.kept import Kept

Made = TypeVar("Made")

_made: Kept[tuple[Any, ...], Any] = Kept()


def blank_map(like: Tensor, channels: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    """An uninitialised map in the memory format of `like`."""
    shape = (like.shape[0], channels, height, width)
    return torch.empty(shape, dtype=dtype, device=like.device, memory_format=layout(like))


def planned(make: Callable[..., Made], tensors: tuple[Tensor, ...], *rest: Hashable) -> Made:
    """What a function of geometry makes of these, kept for tensors that agree in all it looks at."""
    key = (make, *rest, *[(one.dtype, one.shape, one.stride(), one.data_ptr() % 16) for one in tensors])
    made = _made.get(key)
    return _made.keep(key, make(*tensors, *rest)) if made is None else made


def launch(plan: Launch, device: torch.device, *tensors: Tensor) -> None:
    """Run a kernel on the device of its tensors. Raises ValueError for tensors that no kernel can read."""
    if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise ValueError(
            f"backend 'triton' runs on CUDA tensors; got {device}. Leave the backend to be chosen, "
            "or set TRITON_INTERPRET=1 before Python starts to try the kernels, slowly, without a GPU"
        )
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        start(plan, device, *tensors)


def sum_windows(w: Tensor, z: Tensor, points: tuple[int, int], window: Window) -> Tensor:
    """wᵀz: w [b, G, K, …] and z [B, C, …] give a map of `points` × phases."""
    height, width = points
    out = blank_map(z, z.shape[1], window.phases * height, window.phases * width, result_dtype(w, z))
    if out.numel():
        repeats = tuple(w.shape[3:]) != tuple(out.shape[2:])
        launch(planned(geometry.sum_of, (w, z, out), points, window, repeats), z.device, w, z, out)
    return out


def multiply_windows(g: Tensor, z: Tensor, w_shape: Sequence[int], points: tuple[int, int], window: Window) -> Tensor:
    """The adjoint in w, of shape w_shape: summed over the batch where it is shared, over points where one repeats."""
    dtype = result_dtype(g, z)
    out = torch.empty(tuple(w_shape), dtype=dtype, device=g.device)
    if out.numel() == 0 or g.numel() == 0:
        return out.zero_()
    repeats = tuple(w_shape[3:]) != tuple(g.shape[2:])
    plan, parts = planned(product_launches.products_of, (g, z, out), points, window, repeats)
    if not repeats:
        launch(plan, z.device, g, z, out)
        return out
    sums = torch.empty((parts, *w_shape[1:]), dtype=accumulator(dtype), device=g.device)
    launch(plan, z.device, g, z, sums)
    return sums.sum(0, keepdim=True).to(dtype)


def spread_windows(w: Tensor, g: Tensor, z_shape: Sequence[int], points: tuple[int, int], window: Window) -> Tensor:
    """The adjoint in z, of shape z_shape."""
    out = blank_map(g, z_shape[1], z_shape[2], z_shape[3], result_dtype(w, g))
    if out.numel() == 0 or g.numel() == 0:
        return out.zero_()
    repeats = tuple(w.shape[3:]) != tuple(g.shape[2:])
    launch(planned(geometry.spread_of, (w, g, out), points, window, repeats), g.device, w, g, out)
    return out

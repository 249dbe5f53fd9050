"""Launches the window kernels: geometry from shapes and strides, an uninitialised output, one launch."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from upsamplers.primitive.cuda import replay, tiling
from upsamplers.primitive.cuda.products import window_products
from upsamplers.primitive.cuda.spread import window_spread
from upsamplers.primitive.cuda.window import window_sum
from upsamplers.primitive.eager import accumulator, layout, result_dtype

logger = logging.getLogger("upsamplers")
BORDER_NUMBER = {"zero": 0, "replicate": 1, "reflect": 2}


@dataclass(frozen=True)
class Window:
    """What a window is: phases of w and y per point, taps per side, step and start in z, and the border rule."""

    phases: int
    taps: int
    pitch: int
    start: int
    border: str


def arithmetic(dtype: torch.dtype) -> Any:
    """The type that a kernel calculates in."""
    return tl.float64 if accumulator(dtype) == torch.float64 else tl.float32


def blank_map(like: Tensor, channels: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    """An uninitialised map in the memory format of `like`."""
    shape = (like.shape[0], channels, height, width)
    return torch.empty(shape, dtype=dtype, device=like.device, memory_format=layout(like))


@functools.cache
def announce(kernel: str, dtype: torch.dtype) -> None:
    """Say once that a kernel may have to be compiled: Triton keeps what it compiled on disk."""
    logger.info(
        "preparing the CUDA kernel %s for %s (compiled once for each kind of shape, then cached)", kernel, dtype
    )


def on_a_gpu(device: torch.device) -> bool:
    """Whether a kernel can read what is there: a GPU, or any memory where Triton interprets."""
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"


def launch(kernel: Any, programs: int, lanes: int, device: torch.device, *arguments: Any, **constants: Any) -> None:
    """Run a kernel on the device of its tensors. Raises ValueError for tensors that no kernel can read."""
    if not on_a_gpu(device):
        raise ValueError(
            f"backend 'triton' runs on CUDA tensors; got {device}. Leave the backend to be chosen, "
            "or set TRITON_INTERPRET=1 before Python starts to try the kernels, slowly, without a GPU"
        )
    announce(kernel.fn.__name__, arguments[0].dtype)
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        options = {"num_warps": tiling.warps(lanes), "num_stages": 1, "enable_fp_fusion": True}
        replay.launch(kernel, programs, arguments, constants, options)


def sum_windows(w: Tensor, z: Tensor, points: tuple[int, int], window: Window) -> Tensor:
    """wᵀz: w [b, G, K, …] and z [B, C, …] give a map of `points` × phases."""
    batch, channels = z.shape[:2]
    groups, phases = w.shape[1], window.phases
    height, width = points
    dtype = result_dtype(w, z)
    out = blank_map(z, channels, phases * height, phases * width, dtype)
    if out.numel() == 0:
        return out
    w_strides = tiling.weight_strides(w, phases, tuple(w.shape[3:]) != tuple(out.shape[2:]))
    out_strides = tiling.phase_strides(out, phases)
    lanes = tiling.channel_lanes(channels // groups, z.stride(1) == 1 and out.stride(1) == 1)
    phase_rows = tiling.largest_divisor(phases, 16 // phases)
    rows = 2 if window.pitch == 1 and window.taps > 1 and height > 1 and phase_rows * phases <= 4 else 1
    tiles = tiling.tiles(-(-height // rows), width, tiling.THREADS // lanes)
    programs = tiles.count * batch * groups * (phases // phase_rows)
    share = tiling.channel_splits(channels // groups, lanes, tiling.SUMS // (rows * phase_rows * phases), programs)
    launch(
        window_sum,
        programs * share.splits,
        tiles.lanes * lanes,
        z.device,
        *(w, z, out, w_strides, z.stride(), out_strides),
        *(height, width, *z.shape[2:], channels // groups, groups, tiles.count, tiles.across, share.splits, share.span),
        S=phases,
        PHASE_ROWS=phase_rows,
        K=window.taps,
        PITCH=window.pitch,
        START=window.start,
        BORDER=BORDER_NUMBER[window.border],
        ROWS=rows,
        TILE_WIDTH=tiles.width,
        TILE_HEIGHT=tiles.height,
        LANES=lanes,
        UNROLL=share.unroll,
        PAIR=tiling.pairs(phases, (w, w_strides), (out, out_strides)) if lanes == 1 else 1,
        ACC=arithmetic(dtype),
        WIDE=tiling.wide(w, z, out),
    )
    return out


def multiply_windows(g: Tensor, z: Tensor, w_shape: Sequence[int], points: tuple[int, int], window: Window) -> Tensor:
    """The adjoint in w, of shape w_shape: summed over the batch where it is shared, over points where one repeats."""
    batch, channels = z.shape[:2]
    groups, phases, taps = w_shape[1], window.phases, window.taps
    height, width = points
    dtype = result_dtype(g, z)
    out = torch.empty(tuple(w_shape), dtype=dtype, device=g.device)
    if out.numel() == 0 or g.numel() == 0:
        return out.zero_()
    repeats = tuple(w_shape[3:]) != tuple(g.shape[2:])
    phase_rows, tap_rows = tiling.tap_split(taps, phases)
    rows = groups * (phases // phase_rows) * (taps // tap_rows)
    inner = z.stride(1) == 1 and channels > groups
    lanes = tiling.product_lanes(height * width, rows * w_shape[0], channels // groups)
    if inner:
        lanes = min(8, tiling.power_above(channels // groups))
    tiles = tiling.tiles(height, width, max(tiling.THREADS // lanes, 1 if inner else min(32, tiling.THREADS)))
    parts = min(tiles.count, max(1, 1024 // rows)) if repeats else tiles.count
    target = out
    if repeats:
        target = torch.empty((parts, *w_shape[1:]), dtype=accumulator(dtype), device=g.device)
    g_strides = tiling.phase_strides(g, phases)
    launch(
        window_products,
        parts * rows * w_shape[0],
        tiles.lanes * lanes,
        z.device,
        *(g, z, target, g_strides, z.stride()),
        (target.stride(0), *tiling.weight_strides(target, phases, repeats)[1:]),
        *(height, width, *z.shape[2:], channels // groups, groups, tiles.count, tiles.across),
        *(parts, batch if w_shape[0] == 1 else 1),
        S=phases,
        PHASE_ROWS=phase_rows,
        TAP_ROWS=tap_rows,
        K=taps,
        PITCH=window.pitch,
        START=window.start,
        BORDER=BORDER_NUMBER[window.border],
        TILE_WIDTH=tiles.width,
        TILE_HEIGHT=tiles.height,
        LANES=lanes,
        CHANNELS_INNER=inner,
        EVERY_PIXEL=repeats,
        PAIR=tiling.pairs(phases, (g, g_strides)) if not inner else 1,
        ACC=arithmetic(dtype),
        WIDE=tiling.wide(g, z, target),
    )
    return target.sum(0, keepdim=True).to(dtype) if repeats else out


def spread_windows(w: Tensor, g: Tensor, z_shape: Sequence[int], points: tuple[int, int], window: Window) -> Tensor:
    """The adjoint in z, of shape z_shape."""
    batch, channels, z_height, z_width = z_shape
    groups, phases = w.shape[1], window.phases
    height, width = points
    dtype = result_dtype(w, g)
    out = blank_map(g, channels, z_height, z_width, dtype)
    if out.numel() == 0 or g.numel() == 0:
        return out.zero_()
    w_strides = tiling.weight_strides(w, phases, tuple(w.shape[3:]) != tuple(g.shape[2:]))
    g_strides = tiling.phase_strides(g, phases)
    lanes = tiling.channel_lanes(channels // groups, g.stride(1) == 1)
    before = max(-window.start, 0) if window.border != "zero" else 0
    after = max(window.start + window.taps - window.pitch, 0) if window.border != "zero" else 0
    rows = 4 if window.pitch == 1 and window.border == "zero" and window.taps > 1 and phases <= 4 else 1
    rows = min(rows, tiling.power_above(z_height))
    tiles = tiling.tiles(-(-z_height // rows), z_width, tiling.THREADS // lanes)
    programs = tiles.count * batch * groups
    share = tiling.channel_splits(channels // groups, lanes, tiling.SPREAD_SUMS // rows, programs)
    launch(
        window_spread,
        programs * share.splits,
        tiles.lanes * lanes,
        g.device,
        *(w, g, out, w_strides, g_strides, out.stride()),
        *(height, width, z_height, z_width, channels // groups, groups),
        *(tiles.count, tiles.across, share.splits, share.span),
        S=phases,
        K=window.taps,
        PITCH=window.pitch,
        START=window.start,
        BORDER=BORDER_NUMBER[window.border],
        ROWS=rows,
        BEFORE=before,
        FOLDS=1 + before + after,
        TILE_WIDTH=tiles.width,
        TILE_HEIGHT=tiles.height,
        LANES=lanes,
        UNROLL=share.unroll,
        PAIR=tiling.pairs(phases, (w, w_strides), (g, g_strides)) if lanes == 1 else 1,
        ACC=arithmetic(dtype),
        WIDE=tiling.wide(w, g),
    )
    return out

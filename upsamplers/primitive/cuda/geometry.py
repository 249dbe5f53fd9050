# ruff: noqa: RUF005 - numbers stand in the order of a kernel's parameters
"""Launches of the window kernels: how many programs and threads, the numbers they are given, what is compiled in.

Each function makes one from the shapes, strides, types and alignments (in 16 bytes) of its tensors and its options, and
from nothing else, so a launch can be kept and used again for tensors that agree in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from upsamplers.primitive.cuda import tiling
from upsamplers.primitive.cuda.compiled import Launch as Launch
from upsamplers.primitive.cuda.pointwise import window_scale
from upsamplers.primitive.cuda.scatter import window_scatter
from upsamplers.primitive.cuda.spread import window_spread
from upsamplers.primitive.cuda.window import window_sum
from upsamplers.primitive.eager import accumulator

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


def words(dtype: torch.dtype) -> int:
    """Registers of one number in the type that a kernel calculates in."""
    return 2 if accumulator(dtype) == torch.float64 else 1


def held(weights: int, border: str) -> int | None:
    """The limit on registers of a thread that holds so many; None where they, or the border's reads, would not fit."""
    return tiling.REGISTERS if weights <= tiling.HELD and border == "zero" else None


def vector(width: int, *maps: tuple[Tensor, tuple[int, ...]]) -> int:
    """Neighbouring columns that are one aligned access of up to 16 bytes in every map (given with its strides)."""
    for count in (8, 4, 2):
        if width % count == 0 and all(
            strides[-1] == 1
            and count * tensor.element_size() <= 16
            and not any(stride % count for stride in strides[:-1])
            and tensor.data_ptr() % (count * tensor.element_size()) == 0
            for tensor, strides in maps
        ):
            return count
    return 1


def scale_of(a: Tensor, z: Tensor, out: Tensor, a_strides: tuple[int, ...], out_strides: tuple[int, ...]) -> Launch:
    """a ⊙ z at every output point: one tap and one channel a group; strides of batch, channel, row, column."""
    batch, channels = z.shape[:2]
    height, width = a.shape[-2:]
    columns = vector(width, (a, a_strides), (out, out_strides))
    tiles = -(-height * (width // columns) // tiling.THREADS)
    span = -(-channels // max(1, min(8 * tiling.ENOUGH_PROGRAMS // (tiles * batch), channels // 4)))
    unroll = next(n for n in (4, 2, 1) if channels % n == 0)
    span = -(-span // unroll) * unroll
    return Launch(
        window_scale,
        tiles * -(-channels // span) * batch,
        tiling.THREADS,
        (a_strides, tuple(z.stride()), out_strides, height, width, channels, tiles, span),
        {
            "S": height // z.shape[2],
            "LANES": tiling.THREADS,
            "VECTOR": columns,
            "UNROLL": unroll,
            "ACC": arithmetic(out.dtype),
        },
    )


def paired(z: Tensor, width: int, window: Window) -> bool:
    """Whether two neighbouring points read aligned pairs of columns of z, of which each lies inside or outside."""
    even = window.taps % 2 == 1 and window.start % 2 == width % 2 == 0
    return even and window.border == "zero" and tiling.pairs(2, (z, tuple(z.stride()))) == 2


def sum_of(w: Tensor, z: Tensor, out: Tensor, points: tuple[int, int], window: Window, repeats: bool) -> Launch:
    """wᵀz: w [b, G, K, …] and z [B, C, …] into a map of `points` × phases; one phase of w may repeat."""
    batch, channels = z.shape[0], z.shape[1] // w.shape[1]
    groups, phases, taps = w.shape[1], window.phases, window.taps**2
    height, width = points
    w_strides, out_strides = tiling.weight_strides(w, phases, repeats), tiling.phase_strides(out, phases)
    if taps == channels == window.pitch == 1 and not repeats:
        return scale_of(w, z, out, (w_strides[0], w.stride(1), *w.stride()[3:]), tuple(out.stride()))
    room = tiling.HELD // words(out.dtype)
    phase_rows = tiling.largest_divisor(phases, room // (taps * phases))
    lanes = tiling.channel_lanes(channels, z.stride(1) == 1 and out.stride(1) == 1)
    whole = phase_rows % 2 == 0 and window.pitch == lanes == 1 and not repeats
    columns = 2 if whole and paired(z, width, window) else 1  # two columns, with half of the phases
    phase_rows //= columns
    rows = max(1, min(4, room // (taps * phases * phase_rows * columns), height))
    tiles = tiling.wrapped(-(-height // rows), width // columns, tiling.THREADS // lanes // columns, 16 // columns)
    sets = tiles.count * batch * groups * (phases // phase_rows // columns)
    registers = None
    if rows * taps * phases * phase_rows * columns <= room:
        registers = tiling.REGISTERS if window.border == "zero" else tiling.BORDER_REGISTERS
    steps, span = tiling.stretches(sets, -(-channels // lanes), tiling.THREADS, registers or tiling.BORDER_REGISTERS)
    maps = [(map_, (*at[:-3], columns * at[-3], *at[-2:])) for map_, at in ((w, w_strides), (out, out_strides))]
    together = min(vector(columns * phases, *maps), 2 * columns) if lanes == 1 else 1
    return Launch(
        window_sum,
        -(-sets * steps // span),
        tiles.lanes * lanes * columns,
        (w_strides, tuple(z.stride()), out_strides)
        + (height, width, *z.shape[2:], channels, groups, tiles.count, tiles.across, sets, steps, span),
        {
            "S": phases,
            "PHASE_ROWS": phase_rows,
            "PARTS": columns,
            "K": window.taps,
            "PITCH": window.pitch,
            "START": window.start,
            "BORDER": BORDER_NUMBER[window.border],
            "ROWS": rows,
            "COLUMNS": columns,
            "TILE_WIDTH": tiles.width,
            "TILE_HEIGHT": tiles.height,
            "LANES": lanes,
            "TOGETHER": together,
            "ACC": arithmetic(out.dtype),
            "WIDE": tiling.wide(w, z, out) or sets * steps >= 2**30,
        },
        registers,
    )


def outside(window: Window) -> tuple[int, int]:
    """Positions before and behind the map that a window reads, where the border shows something there."""
    if window.border == "zero":
        return 0, 0
    return max(-window.start, 0), max(window.start + window.taps - window.pitch, 0)


def scatter_of(w: Tensor, g: Tensor, out: Tensor, window: Window, repeats: bool) -> Launch:
    """The adjoint in z of an upsampling window whose weights fit into registers, into z's gradient `out`."""
    batch, channels, height, width = out.shape
    groups, phases, taps = w.shape[1], window.phases, window.taps
    channels //= groups
    w_strides, g_strides = tiling.weight_strides(w, phases, repeats), tiling.phase_strides(g, phases)
    before, after = outside(window)
    weights = taps**2 * phases**2 * words(out.dtype)
    whole = phases == 2 and taps in (3, 5) and window.border == "zero" and not repeats
    columns = 2 if whole and width % 2 == 0 else 1  # two columns, with half of the phases
    maps = [(map_, (*at[:-3], columns * at[-3], *at[-2:])) for map_, at in ((w, w_strides), (g, g_strides))]
    rows = max(1, min(4, tiling.HELD // weights, height))
    threads = 2 * tiling.THREADS
    down = max(1, min(threads // 32, tiling.power_above(-(-height // rows))))
    owned = 32 - (taps - 1) // columns * columns  # columns of z of a warp; the first warp's begin at START
    across = width - window.start // columns * columns  # with a gap behind each band of rows
    tiles = -(-(-(-height // (rows * down)) * across) // owned)
    most = tiling.MOST_READ * owned // 32
    splits, span = tiling.channel_spans(channels, 1, tiles * batch * groups, threads, max(1, most))
    return Launch(
        window_scatter,
        tiles * batch * groups * splits,
        down * 32,
        (w_strides, g_strides, tuple(out.stride())) + (height, width, channels, groups, tiles, splits, span),
        {
            "S": phases,
            "K": taps,
            "START": window.start,
            "BORDER": BORDER_NUMBER[window.border],
            "BEFORE": before,
            "FOLDS": 1 + before + after,
            "ROWS": rows,
            "COLUMNS": columns,
            "TILE_HEIGHT": down,
            "TOGETHER": min(vector(columns * phases, *maps), 2 * columns),
            "ACC": arithmetic(out.dtype),
            "WIDE": tiling.wide(w, g, out),
        },
        held(weights, window.border),
    )


def spread_of(w: Tensor, g: Tensor, out: Tensor, points: tuple[int, int], window: Window, repeats: bool) -> Launch:
    """The adjoint in z, into z's gradient `out`; one phase of w may repeat."""
    batch, channels, z_height, z_width = out.shape
    groups, phases = w.shape[1], window.phases
    channels //= groups
    w_strides, g_strides = tiling.weight_strides(w, phases, repeats), tiling.phase_strides(g, phases)
    lanes = tiling.channel_lanes(channels, g.stride(1) == 1)
    before, after = outside(window)
    weights = window.taps**2 * phases**2 * words(out.dtype)
    if lanes == 1 and window.pitch == 1 and weights <= tiling.HELD and channels > 1:
        return scatter_of(w, g, out, window, repeats)
    rows = 4 if window.pitch == 1 and window.border == "zero" and window.taps > 1 and phases <= 4 else 1
    rows = min(rows, tiling.power_above(z_height))
    tiles = tiling.tiles(-(-z_height // rows), z_width, tiling.THREADS // lanes)
    programs = tiles.count * batch * groups
    share = tiling.channel_splits(channels, lanes, tiling.SPREAD_SUMS // rows, programs)
    return Launch(
        window_spread,
        programs * share.splits,
        tiles.lanes * lanes,
        (w_strides, g_strides, tuple(out.stride()))
        + (*points, z_height, z_width, channels, groups, tiles.count, tiles.across, share.splits, share.span),
        {
            "S": phases,
            "K": window.taps,
            "PITCH": window.pitch,
            "START": window.start,
            "BORDER": BORDER_NUMBER[window.border],
            "ROWS": rows,
            "BEFORE": before,
            "FOLDS": 1 + before + after,
            "TILE_WIDTH": tiles.width,
            "TILE_HEIGHT": tiles.height,
            "LANES": lanes,
            "UNROLL": share.unroll,
            "PAIR": tiling.pairs(phases, (w, w_strides), (g, g_strides)) if lanes == 1 else 1,
            "ACC": arithmetic(out.dtype),
            "WIDE": tiling.wide(w, g),
        },
    )

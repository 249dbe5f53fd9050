# ruff: noqa: RUF005 - numbers stand in the order of a kernel's parameters
"""Launches of the adjoint of a window in w, made as those in `geometry`."""

from __future__ import annotations

from torch import Tensor

from upsamplers.primitive.cuda import tiling
from upsamplers.primitive.cuda.geometry import (
    BORDER_NUMBER,
    Launch,
    Window,
    arithmetic,
    paired,
    scale_of,
    vector,
    words,
)
from upsamplers.primitive.cuda.pair_products import pair_products
from upsamplers.primitive.cuda.products import window_products


def products_of(
    g: Tensor, z: Tensor, out: Tensor, points: tuple[int, int], window: Window, repeats: bool
) -> tuple[Launch, int]:
    """The adjoint in w, into w's gradient `out`; one phase that repeats: into so many parts, yet to be summed."""
    (batch, channels), groups, taps, phases = z.shape[:2], out.shape[1], window.taps, window.phases
    channels //= groups
    height, width = points
    if taps == channels == window.pitch == 1 and not repeats and out.shape[0] == batch:
        strides = (*out.stride()[:2], *out.stride()[3:])
        return scale_of(g, z, out, tuple(g.stride()), strides), 1
    room = tiling.HELD // words(out.dtype)
    phase_rows, tap_rows = tiling.tap_split(taps, phases, room)
    rows = groups * (phases // phase_rows) * (taps // tap_rows)
    inner = z.stride(1) == 1 and channels > 1
    whole = not inner and not repeats and window.pitch == 1 and (phases, phase_rows, tap_rows) == (2, 2, taps)
    fours = vector(4, (g, tuple(g.stride())), (out, tuple(out.stride()))) == 4
    if whole and fours and height >= taps and paired(z, width, window):
        return pairs_of(g, z, out, points, window), 1
    lanes = min(8, tiling.power_above(channels))
    if not inner:
        lanes = tiling.product_lanes(height * width, rows * out.shape[0], channels)
    tiles = tiling.tiles(height, width, max(tiling.THREADS // lanes, 1 if inner else min(32, tiling.THREADS)), 16)
    parts = min(tiles.count, max(1, 1024 // rows)) if repeats else tiles.count
    g_strides = tiling.phase_strides(g, phases)
    if repeats:  # parts [parts, G, K, s, s], contiguous
        taps_out = taps**2 * phases**2
        out_strides: tuple[int, ...] = (groups * taps_out, taps_out, phases**2, 0, 0, phases, 1)
    else:
        out_strides = (out.stride(0), *tiling.weight_strides(out, phases, False)[1:])
    plan = Launch(
        window_products,
        parts * rows * out.shape[0],
        tiles.lanes * lanes,
        (g_strides, tuple(z.stride()), out_strides)
        + (height, width, *z.shape[2:], channels, groups, tiles.count, tiles.across)
        + (parts, batch if out.shape[0] == 1 else 1),
        {
            "S": phases,
            "PHASE_ROWS": phase_rows,
            "TAP_ROWS": tap_rows,
            "K": taps,
            "PITCH": window.pitch,
            "START": window.start,
            "BORDER": BORDER_NUMBER[window.border],
            "TILE_WIDTH": tiles.width,
            "TILE_HEIGHT": tiles.height,
            "LANES": lanes,
            "CHANNELS_INNER": inner,
            "EVERY_PIXEL": repeats,
            "MOVED": window.border == "zero" and not repeats and min(z.shape[2:]) >= taps,
            "EVEN": channels % lanes == 0,
            "PAIR": tiling.pairs(phases, (g, g_strides)) if not inner else 1,
            "ACC": arithmetic(out.dtype),
            "WIDE": tiling.wide(g, z, out),
        },
    )
    return plan, parts


def pairs_of(g: Tensor, z: Tensor, out: Tensor, points: tuple[int, int], window: Window) -> Launch:
    """The same at scale 2, where the windows of two points lie in aligned pairs of columns of z."""
    (batch, channels), groups, (height, width) = z.shape[:2], out.shape[1], points
    channels //= groups
    g_strides, out_strides = tiling.phase_strides(g, 2), (out.stride(0), *tiling.weight_strides(out, 2, False)[1:])
    lanes = tiling.product_lanes(height * width, groups * out.shape[0], channels)
    tiles = tiling.wrapped(height, width // 2, max(1, tiling.THREADS // lanes), 8)
    return Launch(
        pair_products,
        tiles.count * groups * out.shape[0],
        tiles.lanes * 2 * lanes,
        (g_strides, tuple(z.stride()), out_strides, height, width, channels, groups, tiles.count, tiles.across)
        + (batch if out.shape[0] == 1 else 1,),
        {
            "K": window.taps,
            "START": window.start,
            "TILE_WIDTH": tiles.width,
            "TILE_HEIGHT": tiles.height,
            "LANES": lanes,
            "EVEN": channels % lanes == 0,
            "ACC": arithmetic(out.dtype),
            "WIDE": tiling.wide(g, z, out),
        },
        tiling.REGISTERS,
    )

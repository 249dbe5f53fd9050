"""wᵀz and its affinities by tap tables.

Outputs whose rows and columns read the same make a tile. Tiles are batched products of matrices, with no padding where
they are equally large, so that every device, transform and exported program runs them without a kernel of its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from upsamplers.convolution import product
from upsamplers.primitive.eager import layout, result_dtype
from upsamplers.primitive.taps import BLOCKS, Runs, Table, Taps, constant, runs, span
from upsamplers.primitive.uploads import integers
from upsamplers.tracing import sides, sizes


def check_reassemble(
    w: Tensor, z: Tensor, taps: Taps, scale: int, kernel_size: int, points: Tensor | None, backend: str | None
) -> None:
    """Raise ValueError, with the shapes, where a call of `upsamplers.reassemble` by a table cannot be."""
    _check("reassemble", z, taps, scale, kernel_size, points, backend)
    shape, outputs = sizes(w), (taps.each(), len(taps.rows), len(taps.cols))
    if len(shape) != 5 or shape[0] not in (1, sizes(z)[0]) or shape[2:] != outputs:
        raise ValueError(f"reassemble: w must be [B or 1, G, {', '.join(map(str, outputs))}] by its taps; got {shape}")
    _must_divide("reassemble", shape[1], sizes(z)[1])


def check_correlate(
    g: Tensor, z: Tensor, taps: Taps, groups: int, scale: int, kernel_size: int, backend: str | None
) -> None:
    """Raise ValueError, with the shapes, where a call of `upsamplers.correlate` by a table cannot be."""
    _check("correlate", z, taps, scale, kernel_size, None, backend)
    expected = (*sizes(z)[:2], len(taps.rows), len(taps.cols))
    if sizes(g) != expected:
        raise ValueError(f"correlate: g must be {expected} by its taps; got {sizes(g)}")
    _must_divide("correlate", groups, expected[1])


def _check(name: str, z: Tensor, taps: Taps, scale: int, kernel_size: int, points: Any, backend: str | None) -> None:
    if scale or kernel_size or points is not None or backend is not None:
        raise ValueError(f"{name}: taps stand in place of scale, kernel_size, points and a backend; leave those out")
    if z.ndim != 4:
        raise ValueError(f"{name}: the map must be [B, C, h, w]; got {sizes(z)}")
    spans = zip(map(span, taps), sides(z), strict=True)
    if any(first < -1 or last >= side for (first, last), side in spans):
        raise ValueError(f"{name}: taps read beyond z {sizes(z)}; allowed: -1 (nothing) to its last row and column")


def _must_divide(name: str, groups: int, channels: int) -> None:
    if groups < 1 or channels % groups:
        raise ValueError(f"{name}: G must divide C; got G={groups}, C={channels}")


def reassemble(w: Tensor, z: Tensor, taps: Taps) -> Tensor:
    """wᵀz: kernels [B or 1, G, K, Ho, Wo] and z [B, C, h, w] give [B, C, Ho, Wo], channels_last where z is."""
    dtype = result_dtype(w, z)
    rows, cols = runs(taps.rows), runs(taps.cols)
    groups, batch = sizes(w)[1], sizes(z)[0]
    read = _read(z, rows, cols, groups)  # [B·G·R·Q, K, C/G]
    if sizes(w)[0] != batch:
        w = w.expand(batch, -1, -1, -1, -1)
    tiles = product(read.transpose(1, 2).to(dtype), _tiled(w, rows, cols).to(dtype))
    return _untiled(tiles, rows, cols, batch, groups).flatten(1, 2).to(dtype).contiguous(memory_format=layout(z))


def correlate(g: Tensor, z: Tensor, taps: Taps, groups: int) -> Tensor:
    """⟨g, z⟩ over each group's channels at every tap: [B, C, Ho, Wo] and [B, C, h, w] give [B, G, K, Ho, Wo]."""
    rows, cols = runs(taps.rows), runs(taps.cols)
    dtype = result_dtype(g, z)
    read = _read(z, rows, cols, groups).to(dtype)  # [B·G·R·Q, K, C/G]
    tiles = product(read, _tiled(g.unflatten(1, (groups, -1)), rows, cols).to(dtype))
    return _untiled(tiles, rows, cols, sizes(g)[0], groups).to(dtype)


def is_there(taps: Taps, device: torch.device) -> Tensor | None:
    """Whether each tap of each output reads anything, [1, 1, K, Ho, Wo]; None where all do."""
    if min(span(table)[0] for table in taps) >= 0:
        return None
    rows, cols = (integers(table, device) >= 0 for table in taps)
    return (rows[:, None] & cols[None]).permute(2, 0, 1)[None, None]


def _read(z: Tensor, rows: Runs, cols: Runs, groups: int) -> Tensor:
    """What each tile reads, [B·G·R·Q, K, C/G]."""
    height, width = sides(z)
    given = (rows.lines, cols.lines, height, width)
    lines = z.flatten(2).unflatten(1, (groups, -1)).transpose(2, 3)  # [B, G, h·w, C/G]
    if min(span(rows.lines)[0], span(cols.lines)[0]) < 0:  # what is nowhere reads the zeros that follow the last pixel
        lines = torch.cat([lines, lines.new_zeros(()).expand(*sizes(lines)[:2], 1, sizes(lines)[3])], 2)
    if len(rows.lines) == len(cols.lines) == 1 and _is_whole(*given):
        return lines.flatten(0, 1)  # every output reads all of z
    read = lines.index_select(2, integers(_positions, z.device, *given))
    return read.unflatten(2, (-1, len(rows.lines[0]))).flatten(0, 2)


@constant
def _positions(rows: Table, cols: Table, height: int, width: int) -> tuple[int, ...]:
    """Flat positions [R·Q·K], height·width where nothing is there."""
    return tuple(
        y * width + x if y >= 0 and x >= 0 else height * width
        for row in rows
        for col in cols
        for y, x in zip(row, col, strict=True)
    )


@partial(constant, most=BLOCKS)
def _is_whole(rows: Table, cols: Table, height: int, width: int) -> bool:
    """Whether one window is all of z, in order."""
    return _positions(rows, cols, height, width) == tuple(range(height * width))


def _tiled(x: Tensor, rows: Runs, cols: Runs) -> Tensor:
    """[B, G, N, Ho, Wo] as [B·G·R·Q, N, tile]."""
    for axis, one in ((-2, rows), (-1, cols)):
        if not one.regular:
            x = x.index_select(axis, integers(one.order, x.device))
    x = x.unflatten(-1, cols.size).unflatten(-3, rows.size)  # [B, G, N, R, L, Q, M]
    return x.permute(0, 1, 3, 5, 2, 4, 6).flatten(5, 6).flatten(0, 3)


def _untiled(tiles: Tensor, rows: Runs, cols: Runs, batch: int, groups: int) -> Tensor:
    """[B·G·R·Q, N, tile] as [B, G, N, Ho, Wo]."""
    parts = (batch, groups, rows.size[0], cols.size[0])
    x = tiles.unflatten(-1, (rows.size[1], cols.size[1])).unflatten(0, parts)  # [B, G, R, Q, N, L, M]
    x = x.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)
    for axis, one in ((-2, rows), (-1, cols)):
        if not one.regular:
            x = x.index_select(axis, integers(one.back, x.device))
    return x

"""gate·guide + (1 − gate)·up with a gate for s×s points, and its gradients: a row of the gate serves every channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upsamplers.primitive.cpu.elements import get, put, real_of
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import U


@njit(nogil=True)
def wide_row(row: Any, gate: Any, at: int, width: int, scale: int) -> None:
    """One row of the gate, each value s times."""
    for x in range(width):
        for px in range(scale):
            row[U(x * scale + px)] = gate[U(at + x)]


def blend(kind: Any, version: int) -> Any:
    """out = up + gate·(guide − up), as one sum of two products."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims, gate = array_at(packet, 0, np.int64), array_at(packet, 1, real)
        up, up_at = array_at(packet, 2, kind), array_at(packet, 3, np.int64)
        guide, guide_at = array_at(packet, 4, kind), array_at(packet, 5, np.int64)
        out, out_at = array_at(packet, 6, kind), array_at(packet, 7, np.int64)
        row = scratch_at(packet, 8, part, parts, real)
        batch, channels, height, width, scale = dims[0], dims[1], dims[2], dims[3], dims[4]
        high, wide = scale * height, scale * width
        one = real(1)
        for item in range(batch * high * part // parts, batch * high * (part + 1) // parts):
            b, i = item // high, item % high
            wide_row(row, gate, (b * height + i // scale) * width, width, scale)
            u0, g0 = b * up_at[0] + i * up_at[2], b * guide_at[0] + i * guide_at[2]
            to = b * out_at[0] + i * out_at[2]
            if up_at[1] == 1 and guide_at[1] == 1 and out_at[1] == 1:
                for j in range(wide):
                    u1, g1, t1, value = u0 + j * up_at[3], g0 + j * guide_at[3], to + j * out_at[3], row[U(j)]
                    for c in range(channels):
                        put(out, t1 + c, value * get(guide, g1 + c) + (one - value) * get(up, u1 + c))
            elif up_at[3] == 1 and guide_at[3] == 1 and out_at[3] == 1:
                for c in range(channels):
                    u1, g1, t1 = u0 + c * up_at[1], g0 + c * guide_at[1], to + c * out_at[1]
                    for j in range(wide):
                        put(out, t1 + j, row[U(j)] * get(guide, g1 + j) + (one - row[U(j)]) * get(up, u1 + j))
            else:
                for c in range(channels):
                    u1, g1, t1 = u0 + c * up_at[1], g0 + c * guide_at[1], to + c * out_at[1]
                    for j in range(wide):
                        value = row[U(j)] * get(guide, g1 + j * guide_at[3])
                        put(out, t1 + j * out_at[3], value + (one - row[U(j)]) * get(up, u1 + j * up_at[3]))

    return kernel


def gradients(kind: Any, version: int) -> Any:
    """of_up = (1 − gate)·g, of_guide = gate·g, and for each pixel of the gate Σ g·(guide − up) over its block."""
    real = real_of(kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims, gate = array_at(packet, 0, np.int64), array_at(packet, 1, real)
        up, up_at = array_at(packet, 2, kind), array_at(packet, 3, np.int64)
        guide, guide_at = array_at(packet, 4, kind), array_at(packet, 5, np.int64)
        of_up, of_guide, out_at = array_at(packet, 6, kind), array_at(packet, 7, kind), array_at(packet, 8, np.int64)
        scratch, g, g_at = (
            scratch_at(packet, 9, part, parts, real),
            array_at(packet, 10, kind),
            array_at(packet, 11, np.int64),
        )
        of_gate = array_at(packet, 12, real)
        batch, channels, height, width, scale = dims[0], dims[1], dims[2], dims[3], dims[4]
        wide = scale * width
        row, sums = scratch, scratch[wide:]
        one = real(1)
        for item in range(batch * height * part // parts, batch * height * (part + 1) // parts):
            b, y = item // height, item % height
            wide_row(row, gate, item * width, width, scale)
            for j in range(wide):
                sums[U(j)] = 0
            for c in range(channels):
                for i in range(y * scale, (y + 1) * scale):
                    u0 = b * up_at[0] + c * up_at[1] + i * up_at[2]
                    h0 = b * guide_at[0] + c * guide_at[1] + i * guide_at[2]
                    g0 = b * g_at[0] + c * g_at[1] + i * g_at[2]
                    to = b * out_at[0] + c * out_at[1] + i * out_at[2]
                    if up_at[3] == 1 and guide_at[3] == 1 and g_at[3] == 1 and out_at[3] == 1:
                        for j in range(wide):
                            value = get(g, g0 + j)
                            put(of_up, to + j, (one - row[U(j)]) * value)
                            put(of_guide, to + j, row[U(j)] * value)
                            sums[U(j)] += value * (get(guide, h0 + j) - get(up, u0 + j))
                    else:
                        for j in range(wide):
                            value = get(g, g0 + j * g_at[3])
                            put(of_up, to + j * out_at[3], (one - row[U(j)]) * value)
                            put(of_guide, to + j * out_at[3], row[U(j)] * value)
                            sums[U(j)] += value * (get(guide, h0 + j * guide_at[3]) - get(up, u0 + j * up_at[3]))
            for x in range(width):
                total = sums[U(x * scale)]
                for px in range(1, scale):
                    total += sums[U(x * scale + px)]
                of_gate[U(item * width + x)] = total

    return kernel

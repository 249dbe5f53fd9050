"""The third pass over windows, serving both directions: scatter (∂z), in which each position gathers its own sum.

The layout of dimensions, steps and tables is that of `window`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from upsamplers.primitive.cpu.ahead import read_soon
from upsamplers.primitive.cpu.elements import real_of
from upsamplers.primitive.cpu.packet import array_at, scratch_at
from upsamplers.primitive.cpu.rows import fill_row, fold_row, join_row, split_row
from upsamplers.primitive.cpu.tile import tiles


def scatter(w_kind: Any, g_kind: Any, out_kind: Any, version: int) -> Any:
    """out[b, c, position] = Σ w · g over the kernels whose window reads the position: each row gathers its own sum.

    Rows of g are kept by phase in a ring, so that each is taken apart once for all the rows of out that it reaches.
    Here `rows` lists, after where each row's part of the list starts, the extended rows that lie in each row of out.
    """
    real = real_of(out_kind)

    def kernel(part: int, parts: int, packet: Any) -> None:
        if parts == version:
            return
        dims = array_at(packet, 0, np.int64)
        w, w_at = array_at(packet, 1, w_kind), array_at(packet, 2, np.int64)
        g, g_at = array_at(packet, 3, g_kind), array_at(packet, 4, np.int64)
        out, out_at = array_at(packet, 5, out_kind), array_at(packet, 6, np.int64)
        rows, columns = array_at(packet, 7, np.int64), array_at(packet, 8, np.int64)
        scratch = scratch_at(packet, 9, part, parts, real)
        batch, groups, per, height, width, k, up, down, lanes, step, before, inside, block, high = (
            dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7], dims[8], dims[9], dims[10],
            dims[11], dims[12], dims[13],
        )  # fmt: skip
        phases, margin, slots = up * up, (k - 1) // down, (k - 1) // down + 1
        taps_row = k * phases * step
        ring = slots * taps_row
        ring_q = slots * phases * step
        acc = ring + block * ring_q
        spare = acc + block * down * step
        across = (len(columns) + down - 1) // down
        limit = slots * slots * phases
        a_off, b_off, b_q = np.empty(limit, np.int64), np.empty(limit, np.int64), np.empty(block, np.int64)
        for q in range(block):
            b_q[q] = q * ring_q
        held = np.empty(slots, np.int64)
        fill_row(scratch, 0, acc, 0)  # what is left of and right of a row stays zero for good
        blocks = (per + block - 1) // block
        items = batch * groups * blocks * high
        owner = -1
        for item in range(items * part // parts, items * (part + 1) // parts):
            b, group, first, row = (
                item // (high * blocks * groups), item // (high * blocks) % groups, item // high % blocks * block,
                item % high,
            )  # fmt: skip
            count = min(block, per - first)
            if owner != item // high:
                owner = item // high
                held[:] = -1
            channel = group * per + first
            adds = 0
            for entry in range(rows[row], rows[row + 1]):
                u = rows[high + 1 + entry]
                y_low, y_high = max(0, (u - k + down) // down), min(height - 1, u // down)
                if y_low > y_high:
                    continue
                for y in range(y_low, y_high + 1):
                    slot, ky = y % slots, u - y * down
                    for kx in range(k):
                        for py in range(up):
                            w0 = b * w_at[0] + group * w_at[1] + (ky * k + kx) * w_at[2] + y * w_at[3] + py * w_at[4]
                            to = slot * taps_row + (kx * phases + py * up) * step + margin
                            split_row(scratch, to, step, w, w0, w_at[5], w_at[6], up, width)
                            if count > 1:
                                read_soon(w, w0 + w_at[3], 0, 1, up * width)
                    if held[slot] == y:
                        continue
                    held[slot] = y
                    for q in range(count):
                        g0 = b * g_at[0] + (channel + q) * g_at[1] + y * up * g_at[2]
                        for py in range(up):
                            to = ring + q * ring_q + (slot * phases + py * up) * step + margin
                            split_row(scratch, to, step, g, g0 + py * g_at[2], up * g_at[3], g_at[3], up, width)
                        if count > 1:
                            read_soon(g, g0 + up * g_at[2], g_at[2], up, up * width)
                for residue in range(down):
                    terms = 0
                    for y in range(y_low, y_high + 1):
                        slot = y % slots
                        for kx in range(residue, k, down):
                            shift = margin - (kx - residue) // down
                            for phase in range(phases):
                                a_off[terms] = slot * taps_row + (kx * phases + phase) * step + shift
                                b_off[terms] = (slot * phases + phase) * step + shift
                                terms += 1
                    for x in range(0, across, lanes):
                        tiles(
                            1, count, adds, scratch, acc + residue * step + x, 0, down * step,
                            scratch, x, 0, a_off, scratch, ring + x, b_off, b_q, terms,
                        )  # fmt: skip
                adds = 1
            for q in range(count):
                to = b * out_at[0] + (channel + q) * out_at[1] + row * out_at[2]
                if adds == 0:  # no window reads this row
                    for x in range(inside):
                        out[to + x * out_at[3]] = 0
                    continue
                start = acc + q * down * step
                if down > 1:
                    join_row(scratch, spare, 1, scratch, start, step, down, across)
                    start = spare
                fold_row(out, to, out_at[3], scratch, start, columns, before, inside)

    return kernel

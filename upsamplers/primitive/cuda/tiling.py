"""How the CUDA kernels cut a problem into programs: plain arithmetic on shapes and strides, the same on every GPU.

Nothing is tuned by timing at run time: a first call costs a compilation and nothing else, memory stays within its
bound, and the order of every sum depends on shapes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from torch import Tensor

HELD = 100
"""Registers of weights (or of their gradients) that a thread keeps while the channels pass: k = 5 at scale 2."""

REGISTERS, BORDER_REGISTERS = 128, 168
"""Registers of a thread that holds so much: 16 warps then share a processor; 12 where a border shows something, which
takes more addresses."""

READING = 4
"""How long it takes to read them, in channels."""

PROCESSORS, RESIDENT = 132, 512
"""A large GPU: its processors, and the threads of REGISTERS registers that one of them holds."""

MOST_READ = 8
"""How often the weights may be read at most."""

SPREAD_SUMS = 32
"""The same for the adjoint in z, which also holds many loaded gradients: with twice as many the compiler spills."""

THREADS = 128

ENOUGH_PROGRAMS = 528
"""Programs that fill a large GPU (132 processors, four programs each): channels are split until there are as many."""


def power_above(number: int) -> int:
    """The least power of two that is not less."""
    return 1 << max(number - 1, 0).bit_length()


def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor within the limit, at least 1."""
    return max(d for d in range(1, number + 1) if number % d == 0 and d <= max(limit, 1))


@dataclass(frozen=True)
class Tiles:
    """Tiles of a map: their height and width in lanes, how many there are, and how many side by side."""

    height: int
    width: int
    count: int
    across: int

    @property
    def lanes(self) -> int:
        return self.height * self.width


def tiles(height: int, width: int, lanes: int, widest: int = 32) -> Tiles:
    """Tiles at most a warp wide, so that a warp reads one stretch of a row, or few."""
    across = min(power_above(width), widest, lanes)
    down = min(power_above(height), lanes // across)
    return Tiles(down, across, ceil(height / down) * ceil(width / across), ceil(width / across))


def wrapped(height: int, width: int, lanes: int, widest: int) -> Tiles:
    """Tiles that go on in the next rows where a row ends, so that the last one alone is not full; `across` is lanes."""
    across = min(power_above(width), widest, lanes)
    down = min(power_above(height), lanes // across)
    return Tiles(down, across, ceil(ceil(height / down) * width / across), width)


def stretches(sets: int, steps: int, threads: int, registers: int) -> tuple[int, int]:
    """`sets` of weights with `steps` of channels each stand in one row: the steps of a set, of a program's stretch.

    Each program has an equal part of one set, unless stretches of the whole row, as many as run at once, take less
    time. These go on in the next set, which means to read its weights too.
    """
    splits, part = channel_spans(steps, 1, sets, threads, MOST_READ)
    at_once = max(1, 65536 // (registers * threads))
    slots = PROCESSORS * at_once
    span = ceil(sets * steps / slots)
    time = at_once * (span + READING * (1 + span / steps))
    time_of_parts = ceil(sets * splits / PROCESSORS) * (part + READING)
    if span >= 16 and sets + slots <= MOST_READ * sets and time < time_of_parts:
        return steps, span
    return splits * part, part


@dataclass(frozen=True)
class Channels:
    """How a group's channels meet a program: neighbouring lanes, channels a lane takes at once, splits of a span."""

    lanes: int
    unroll: int
    splits: int
    span: int


def channel_spans(channels: int, lanes: int, programs: int, threads: int, most: int) -> tuple[int, int]:
    """At most so many splits of the channels, of 16 steps or more, and the channels of one; `programs` without a split.

    Of the numbers of splits that nearly fill the processors, the one whose fullest processor has least to do. A map
    too small for them is split into as many as there are processors.
    """
    most = max(most, PROCESSORS // programs)
    allowed = range(1, max(1, min(most, channels // (16 * lanes))) + 1)
    slots = PROCESSORS * (RESIDENT // threads)
    filling = [n for n in allowed if 3 * programs * n >= 2 * slots] or [allowed[-1]]
    splits = min(filling, key=lambda n: ceil(programs * n / PROCESSORS) * (ceil(channels / n / lanes) + READING))
    span = ceil(ceil(channels / splits) / lanes) * lanes
    return ceil(channels / span), span


def channel_lanes(channels: int, innermost: bool) -> int:
    """Lanes side by side along channels: 1 where the row is innermost in memory, up to 16 where channels are."""
    return min(power_above(channels), 16) if innermost else 1


def channel_splits(channels: int, lanes: int, most: int, programs: int) -> Channels:
    """At most `most` channels at once in a lane; `programs` is how many there are before channels are split."""
    unroll = max(1, min(16, most, ceil(channels / lanes)))
    step = unroll * lanes
    splits = max(1, min(ceil(channels / step), ENOUGH_PROGRAMS // max(programs, 1)))
    span = ceil(ceil(channels / splits) / step) * step
    return Channels(lanes, unroll, ceil(channels / span), span)


def phase_strides(tensor: Tensor, scale: int) -> tuple[int, ...]:
    """Strides of a map [B, C, sH, sW] as batch, channel, point row, point column, phase row, phase column."""
    batch, channel, row, column = tensor.stride()
    return batch, channel, scale * row, scale * column, row, column


def weight_strides(w: Tensor, scale: int, repeats: bool) -> tuple[int, ...]:
    """Strides of kernels as batch, group, tap, point row, point column, phase row, phase column.

    A shared batch has stride 0, and so have the points where one phase `repeats`.
    """
    batch, group, tap, row, column = w.stride()
    point = 0 if repeats else scale
    return (0 if w.shape[0] == 1 else batch), group, tap, point * row, point * column, row, column


def pairs(scale: int, *maps: tuple[Tensor, tuple[int, ...]]) -> int:
    """2 where two neighbouring phases are one aligned access in every map (given with its strides), else 1."""
    together = scale % 2 == 0 and all(
        strides[-1] == 1
        and not any(s % 2 for s in strides[:-1])
        and tensor.data_ptr() % (2 * tensor.element_size()) == 0
        for tensor, strides in maps
    )
    return 2 if together else 1


def wide(*maps: Tensor) -> bool:
    """Whether an offset within a plane of some map passes 2³¹ elements; larger dimensions are always 64-bit."""
    return any(
        sum((size - 1) * stride for size, stride in zip(m.shape[-2:], m.stride()[-2:], strict=True)) >= 2**31 - 2**24
        for m in maps
    )


def tap_split(kernel_size: int, scale: int, room: int) -> tuple[int, int]:
    """Rows of phases and rows of taps whose products one thread sums at once, in so many registers."""
    phase_rows = largest_divisor(scale, room // (kernel_size**2 * scale))
    return phase_rows, largest_divisor(kernel_size, room // (kernel_size * scale * phase_rows))


def product_lanes(pixels: int, programs: int, channels: int) -> int:
    """Lanes that share a pixel's channels where pixels alone leave a GPU idle."""
    warps = max(1, ceil(pixels / 32) * programs)
    return min(8, power_above(ceil(1024 / warps)), power_above(channels))


def warps(lanes: int) -> int:
    """Warps of a program with so many lanes."""
    return max(1, lanes // 32)

"""Tap tables: which rows and columns of z each output reads, for windows of any ratio, shape and shift.

They are plain integers, computed once for a pair of sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from torch import Tensor

from upsamplers.primitive.kept import Kept

Table = tuple[tuple[int, ...], ...]
"""For each output along an axis, the position in z that each of its K taps has; −1: nothing is there."""

KEPT, BLOCKS = 64, 1024
"""Results of one function that are kept: tables of maps; what is small, and differs in every block of a map's rows."""

Function = TypeVar("Function", bound=Callable[..., Any])


def constant(function: Function, most: int = KEPT) -> Function:
    """A function of integers and tables that is computed once, and whose result a compiled or exported program holds.

    A table is known by its identity: to hash its numbers would take as long as to use them.
    """
    kept: Kept[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = Kept(most)

    def call(*given: Any) -> Any:
        key = tuple(id(one) if _is_table(one) else one for one in given)
        # the tables are kept too, so that no other has their identity meanwhile
        return (kept.get(key) or kept.keep(key, (given, function(*given))))[1]

    # What torch.compiler.assume_constant_result sets, which would import torch._dynamo, as long as all of torch takes.
    call._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return cast(Function, call)


def _is_table(given: Any) -> bool:
    return isinstance(given, tuple) and bool(given) and isinstance(given[0], tuple)


class Taps(NamedTuple):
    """Tap t of output (i, j) reads z at (rows[i][t], cols[j][t]); where either is −1, nothing: it counts as zero."""

    rows: Table  # [Ho, K]
    cols: Table  # [Wo, K]

    @classmethod
    def of(cls, rows: Tensor | Sequence[Sequence[int]], cols: Tensor | Sequence[Sequence[int]]) -> Taps:
        """From tables [Ho, K] and [Wo, K] of integers. ValueError where they are no such tables."""
        made = []
        for name, given in (("rows", rows), ("cols", cols)):
            lines = given.tolist() if isinstance(given, Tensor) else given
            if not all(isinstance(line, Sequence) and all(isinstance(n, int) for n in line) for line in lines):
                raise ValueError(f"taps: {name} must be a table [outputs, K] of integers")
            made.append(tuple(tuple(line) for line in lines))
        taps = cls(*made)
        taps.each()
        return taps

    @classmethod
    def window(cls, z_size: tuple[int, int], scale: int, kernel_size: int, border: str) -> Taps:
        """The regular k×k window around (⌊i/s⌋, ⌊j/s⌋), taps row-major."""
        one, other = (_window(side, scale, kernel_size, border) for side in z_size)
        return cls(*crossed(one, other))

    def each(self) -> int:
        """K. ValueError where the lines of the tables differ in length."""
        lengths = {len(line) for table in self for line in table}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"taps: rows and cols must have as many taps in every line; got {sorted(lengths)}")
        return lengths.pop()

    def part(self, rows: slice) -> Taps:
        """The taps of these rows of the output."""
        return Taps(_lines(self.rows, rows.start, rows.stop), self.cols)


@partial(constant, most=BLOCKS)
def _lines(table: Table, first: int, end: int) -> Table:
    return table[first:end]


@constant
def _window(side: int, scale: int, kernel_size: int, border: str) -> Table:
    period = max(2 * (side - 1), 1)

    def source(position: int) -> int:
        if border == "zero":
            return position if 0 <= position < side else -1
        if border == "replicate":
            return min(max(position, 0), side - 1)
        position %= period
        return min(position, period - position, side - 1)

    return tuple(
        tuple(source(i // scale + k - kernel_size // 2) for k in range(kernel_size)) for i in range(scale * side)
    )


@constant
def crossed(rows: Table, cols: Table) -> tuple[Table, Table]:
    """Tables of a window's rows and columns as tables of its taps, row-major: every row with every column."""
    high, wide = len(rows[0]), len(cols[0])
    return tuple(tuple(n for n in line for _ in range(wide)) for line in rows), tuple(line * high for line in cols)


@partial(constant, most=BLOCKS)
def span(table: Table) -> tuple[int, int]:
    """The smallest and the largest number in a table."""
    return min(map(min, table)), max(map(max, table))


class Runs(NamedTuple):
    """The lines of a table, and which outputs have each; a line of many outputs stands several times."""

    lines: Table  # [R, K]
    members: Table  # [R, L], the last one again where there are fewer
    back: tuple[int, ...]  # where each output is among the members
    order: tuple[int, ...]  # the members, one after another
    regular: bool  # whether these are the outputs in order, each once

    @property
    def size(self) -> tuple[int, int]:
        """R and L."""
        return len(self.lines), len(self.members[0])


@partial(constant, most=BLOCKS)
def runs(table: Table) -> Runs:
    """Outputs along an axis by what they read."""
    found: dict[tuple[int, ...], list[int]] = {}
    for output, line in enumerate(table):
        found.setdefault(line, []).append(output)
    length = _best([len(one) for one in found.values()])
    parts = [(line, one[n : n + length]) for line, one in found.items() for n in range(0, len(one), length)]
    members = tuple(tuple(one + one[-1:] * (length - len(one))) for _, one in parts)
    back = [0] * len(table)
    for number, (_, one) in enumerate(parts):
        for place, output in enumerate(one):
            back[output] = number * length + place
    order = tuple(output for one in members for output in one)
    return Runs(tuple(line for line, _ in parts), members, tuple(back), order, order == tuple(range(len(table))))


READING = 2
"""What it costs to gather what a tile reads along an axis, in outputs of it that are multiplied."""


def _best(lengths: Sequence[int]) -> int:
    """How many outputs along an axis a tile has: longer runs are parted, shorter ones are padded."""
    return min(set(lengths), key=lambda length: (sum(-(-n // length) for n in lengths) * (length + READING), -length))


def products(taps: Taps) -> int:
    """Pairs of an output and a tap that the tiles multiply for each channel; more than O·K where they are padded."""
    rows, cols = runs(taps.rows), runs(taps.cols)
    return rows.size[0] * rows.size[1] * cols.size[0] * cols.size[1] * taps.each()

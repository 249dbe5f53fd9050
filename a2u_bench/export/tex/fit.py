"""Makes a LaTeX table fit: into a paper's column, else over its whole width, else with names folded; and into pages.

Widths are those of Computer Modern; the fonts of most papers are narrower.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from a2u_bench.export.tex.text import BREAKS

COLUMN, TEXT = 229.0, 344.0
"""Points: the narrowest column and the narrowest text, of `article` in two columns and in one, less a hair."""

HEIGHTS = {False: 340.0, True: 400.0}
"""Points that rows may take on the shortest page, `article`'s, beside caption, heading and notes: in a column, and over
the whole width."""


@dataclass(frozen=True)
class TypeSize:
    """A size of type: its name, points of its quad and from line to line, and the space at each side of a column, as it
    should be and at least."""

    name: str
    quad: float
    line: float
    gap: float
    least: float


SIZES = (
    TypeSize("small", 9.25, 11.0, 6.0, 6.0),
    TypeSize("footnotesize", 8.5, 9.5, 4.0, 2.5),
    TypeSize("scriptsize", 7.97, 8.0, 3.0, 2.0),
)

WIDTHS = {
    **dict.fromkeys("ijl.,:;'!|[]", 0.28),
    **dict.fromkeys(" -I", 0.36),
    **dict.fromkeys("frst()_", 0.4),
    **dict.fromkeys("cez", 0.45),
    **dict.fromkeys("kvxy", 0.53),
    **dict.fromkeys("bdhnpquSJ", 0.56),
    **dict.fromkeys("EFLPZw", 0.72),
    **dict.fromkeys("ABCHKNRTUVXY", 0.75),
    **dict.fromkeys("DGOQ&+=±×≥≤−≈", 0.79),
    **dict.fromkeys("mM%@", 0.92),
    "m": 0.84,
    "W": 1.03,
}
"""Quads of letters; of all others half a one."""

BOLD = 1.15  # times as wide
HANG = 1.0  # quads by which lines after the first are moved in
FOLDS = 2  # lines of a name in a paper's column
THIN = 0.17  # quads of the space at ±

_PIECES = re.compile(rf"{BREAKS.pattern}| ")


@dataclass(frozen=True)
class TexColumn:
    """How wide a column is in quads, and what its texts are where they may be folded."""

    width: float
    head: float = 0.0  # of what stands over it
    folds: Sequence[str] = ()


@dataclass(frozen=True)
class Fit:
    """How a table is set. `folded` is the place of the column whose texts go over several lines of `room` points."""

    wide: bool  # over both columns of a page
    size: TypeSize
    gap: float  # points at each side of a column
    folded: int | None = None
    room: float = 0.0
    over: float = 0.0  # points by which it is still too wide


def fit(columns: Sequence[TexColumn]) -> Fit:
    """The plainest way that fits: in a column, there with names on two lines, over the whole width, there with names on
    as many lines as they take."""
    gaps = 2 * max(1, len(columns) - 1)
    for wide, room in ((False, COLUMN), (True, TEXT)):
        for size in SIZES:
            gap = (room - sum(column.width for column in columns) * size.quad) / gaps
            if gap >= size.least:
                return Fit(wide, size, min(size.gap, math.floor(10 * gap) / 10))
        if found := _folded(columns, wide, room):
            return found
    return Fit(True, size, size.least, over=gaps * (size.least - gap))


def _folded(columns: Sequence[TexColumn], wide: bool, room: float) -> Fit | None:
    """The table with the widest names over several lines; None where they do not fit even so."""
    folded = max(range(len(columns)), key=lambda place: columns[place].width * bool(columns[place].folds), default=0)
    if not columns or not columns[folded].folds:
        return None
    texts = columns[folded].folds
    pieces = max(quads(piece) for text in texts for piece in _PIECES.split(text)) + HANG
    least = max(pieces, columns[folded].head)
    others = sum(column.width for place, column in enumerate(columns) if place != folded)
    for size in SIZES[1:]:
        left = room - others * size.quad - 2 * size.least * (len(columns) - 1)
        most = max(lines_of(text, left / size.quad) for text in texts)
        if left >= least * size.quad and (wide or most <= FOLDS):
            return Fit(wide, size, size.least, folded, left)
    return None


def quads(text: str, bold: bool = False) -> float:
    """How wide a text is."""
    return sum(WIDTHS.get(letter, 0.5) for letter in text) * (BOLD if bold else 1)


def lines_of(text: str, room: float) -> int:
    """Lines that a text takes where each has so many quads, those after the first less HANG."""
    count, used = 1, 0.0
    for piece in filter(None, _PIECES.split(text)):
        wide = quads(f"{piece} ")
        if used and used + wide > room - (HANG if count > 1 else 0):
            count, used = count + 1, 0.0
        used += wide
    return count


def pages(lines: Sequence[int], chosen: Fit) -> list[range]:
    """The rows of each page, where they take so many lines each: none is too high, none much emptier than another."""
    heights = [count * chosen.size.line for count in lines]
    total, room = sum(heights), HEIGHTS[chosen.wide]
    even = total / max(1, math.ceil(total / room)) + max(heights, default=0.0)
    found, begin, used = [], 0, 0.0
    for row, height in enumerate(heights):
        if row > begin and used + height > min(room, even):
            found.append(range(begin, row))
            begin, used = row, 0.0
        used += height
    return [*found, range(begin, len(lines))]

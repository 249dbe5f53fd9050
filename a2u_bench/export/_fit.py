"""Makes a LaTeX table fit: into a paper's column, else over its whole width, else in smaller type with names folded.

Widths are those of Computer Modern; the fonts of most papers are narrower.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COLUMN, TEXT = 226.0, 341.0
"""Points: a little less than the narrowest column and the narrowest text, of `article` in two columns and in one."""

SIZES = (("small", 9.25, 6.0), ("footnotesize", 8.5, 4.0), ("scriptsize", 7.97, 3.0))
"""The name of a size, points of its quad, and the space at each side of a column."""

UNFOLDED = 2
"""So many of the sizes are tried before a table goes over the whole width, and before names are folded."""

WIDTHS = {
    **dict.fromkeys("ijl.,:;'!|[]", 0.28),
    **dict.fromkeys(" frst()-_", 0.39),
    **dict.fromkeys("cez", 0.45),
    **dict.fromkeys("bdhknpquvxy", 0.56),
    **dict.fromkeys("mwMWQO=+±×≥≤−%@", 0.83),
    **dict.fromkeys("ABCDEFGHJKLNPRSTUVXYZ&", 0.72),
}
"""Quads of letters; of all others half a one."""

BOLD = 1.15  # times as wide
HANG = 1.0  # quads by which lines after the first are moved in
BREAKS = re.compile(r"(?<=[,:;/=_])(?=\S)")
"""Where a name, a list or a command may go on in the next line, beside its blanks."""

PIECES = re.compile(rf"{BREAKS.pattern}| ")


@dataclass(frozen=True)
class TexColumn:
    """What is in a column: its heading, its texts, whether some are bold, and whether they may be folded."""

    heading: tuple[str, str]  # the label, and the unit under it
    texts: Sequence[str]
    bold: bool
    folds: bool


@dataclass(frozen=True)
class Fit:
    """How a table is set. `folded` is the place of the column whose texts go over several lines."""

    wide: bool  # over both columns of a page
    size: str
    gap: float  # points at each side of a column
    folded: int | None = None
    over: float = 0.0  # points by which it is still too wide


def fit(columns: Sequence[TexColumn]) -> Fit:
    """The plainest way that fits."""
    for wide, room, sizes in ((False, COLUMN, SIZES[:UNFOLDED]), (True, TEXT, SIZES[:UNFOLDED])):
        for size, quad, gap in sizes:
            if _total(columns, quad, gap) <= room:
                return Fit(wide, size, gap)
    foldable = [place for place, column in enumerate(columns) if column.folds]
    folded = max(foldable, key=lambda place: width(columns[place]), default=None)
    widths = [_total(columns, quad, gap, folded) for _, quad, gap in SIZES]
    smallest = len(SIZES) - 1
    place = next((place for place, used in enumerate(widths) if used <= TEXT), smallest)
    size, _, gap = SIZES[place]
    return Fit(True, size, gap, folded, max(0.0, widths[smallest] - TEXT))


def width(column: TexColumn, pieces: bool = False) -> float:
    """Quads of the longest text, or of the longest piece of one that is folded."""
    texts = column.texts if not pieces else [part for text in column.texts for part in PIECES.split(text)]
    longest = max(map(_quads, texts), default=0.0) * (BOLD if column.bold else 1)
    return max(*map(_quads, column.heading), longest + (HANG if pieces else 0))


def _quads(text: str) -> float:
    return sum(WIDTHS.get(letter, 0.5) for letter in text)


def _total(columns: Sequence[TexColumn], quad: float, gap: float, folded: int | None = None) -> float:
    used = sum(width(column, pieces=place == folded) for place, column in enumerate(columns))
    return used * quad + 2 * gap * (len(columns) - 1)

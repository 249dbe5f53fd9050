"""Numbers that stand for names where a figure has no room for these, and what they stand for below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from a2u_bench.export.plots import page
from a2u_bench.export.plots.places import Named
from a2u_bench.sanitize import plain

LINE = 2.7  # mm of a line's height
BETWEEN = 1.5  # times the size of the type
MOST = 0.4
"""Of a slide's height that what they stand for may take."""


@dataclass(frozen=True)
class Numbers:
    """What is written below a figure, and the numbers that it explains, by name."""

    lines: tuple[str, ...]
    given: dict[str, int]

    @property
    def height(self) -> float:
        """Millimetres of a column's figure that it takes."""
        return LINE * len(self.lines)

    def draw(self, figure: Figure) -> None:
        """Put it below everything else."""
        if self.lines:
            text = "\n".join(self.lines)
            figure.supxlabel(text, x=0.01, ha="left", fontsize=page.small(), color=page.GREY, linespacing=1.1)


def numbers(names: Sequence[str]) -> Numbers:
    """`1 A2U, rank 2   2 CARAFE` in lines that fit the figure; of a slide as many as leave room for its axes."""
    highest, between = page.highest(), BETWEEN * page.small()
    most = len(names) if highest is None else int(MOST * highest / LINE) - 1
    lines: list[list[str]] = []
    used, given = page.width(), dict[str, int]()
    for number, name in enumerate(dict.fromkeys(names), 1):
        text = f"{number} {plain(name)}"
        wide = float(TextPath((0, 0), text, size=page.small()).get_extents().width) + between
        if used + wide > 0.98 * page.width():
            if len(lines) == most:
                break
            lines.append([])
            used = 0.0
        lines[-1].append(text)
        used += wide
        given[name] = number
    told = ["no room for the names of the others"] if len(given) < len(set(names)) else []
    return Numbers((*("   ".join(line) for line in lines), *told), given)


def until_named(draw: Callable[[Numbers], tuple[Figure, list[Named]]], numbered: Sequence[str] = ()) -> Figure:
    """The figure in which each point has its name, or where there is no room for that a number, as these names have
    from the beginning; `draw` returns what found no place."""
    names = list(numbered)
    while True:
        figure, left = draw(numbers(names))
        new = [name for name in dict.fromkeys(point.text for point in left) if name not in names]
        if not new:
            return figure
        names += new  # what they stand for takes room, so that others may have none now

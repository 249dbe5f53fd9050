"""Labels beside what they name: each goes where it covers nothing, or nowhere."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from a2u_bench.export.plots.page import GREY, darker, points, small
from a2u_bench.sanitize import plain

LONGEST = 20  # letters of a line of a label
RADII = (4.0, 6.0, 9.0, 13.0, 18.0, 24.0)  # points between what is named and its name
LED = 6.0  # beyond this many a hair line leads from the one to the other
DIRECTIONS = tuple(math.radians(22.5 * step) for step in (0, 2, 14, 4, 12, 6, 10, 8, 1, 15, 3, 13, 7, 9, 5, 11))


@dataclass(frozen=True, eq=False)  # two at one place are two
class Named:
    """A point in the axes' own coordinates, its name, and the colour of both."""

    x: float
    y: float
    text: str
    colour: str


def beside(
    axes: Axes, groups: Sequence[Sequence[Named]], path: Sequence[tuple[float, float]] = (), radius: float = 2.5
) -> int:
    """Name the points, group by group and in each the nearest places first, and return how many have found no place.

    Names and the lines that lead to them keep clear of each other, of all points (discs of `radius` points), of the
    straight lines of `path`, and of the axes' edge.
    """
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # the layout must stand before anything is measured on it
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    pixel = points(figure.dpi / 72)  # what a point of a column's figure takes here
    inside = axes.get_window_extent(renderer).padded(-pixel)
    spots = {point: _pixels(axes, (point.x, point.y)) for group in groups for point in group}
    discs = {point: _square(*spot, radius * pixel) for point, spot in spots.items()}
    corners = [_pixels(axes, corner) for corner in path]
    walls = [_square(*spot, 0.5) for ends in pairwise(corners) for spot in _between(*ends, 60)]
    taken: list[Bbox] = []
    unnamed = 0
    for group in groups:
        waiting = list(group)
        for distance in RADII:
            for point in list(waiting):
                text = wrapped(point.text)
                probe = axes.figure.text(0, 0, text, fontsize=small(), linespacing=0.95)
                size = probe.get_window_extent(renderer)
                probe.remove()
                spot = spots[point]
                others = [disc for disc in discs.values() if not _cover(disc, _square(*spot, 0.5))]
                covered, crossed = [*taken, *walls, *discs.values()], [*taken, *others]
                strangers = others if distance <= LED else []
                found = _free(*spot, size.width, size.height, distance * pixel, covered, crossed, strangers, inside)
                if found is None:
                    continue
                waiting.remove(point)
                box, line = found
                axes.annotate(
                    text,
                    (point.x, point.y),
                    xytext=(72 * (box.x0 - spot[0]) / figure.dpi, 72 * (box.y0 - spot[1]) / figure.dpi),
                    textcoords="offset points",
                    fontsize=small(),
                    linespacing=0.95,
                    color=darker(point.colour),
                    ha="left",
                    va="bottom",
                )
                taken.append(box.padded(pixel))
                if distance > LED:
                    ends = axes.transData.inverted().transform([line[0], line[-1]])
                    axes.plot(ends[:, 0], ends[:, 1], color=GREY, linewidth=points(0.3), scalex=False, scaley=False)
                    taken += [_square(*part, 0.5) for part in line]
        unnamed += len(waiting)
    return unnamed


def _free(  # noqa: PLR0913  # a place, a size and what is in the way
    x: float,
    y: float,
    width: float,
    height: float,
    distance: float,
    covered: Sequence[Bbox],
    crossed: Sequence[Bbox],
    strangers: Sequence[Bbox],
    inside: Bbox,
) -> tuple[Bbox, list[tuple[float, float]]] | None:
    """A box at this distance from the point, in the first direction in which it covers nothing, and the line to it."""
    for angle in DIRECTIONS:
        right, up = math.cos(angle), math.sin(angle)
        middle_x = x + right * distance + _lean(right) * width / 2
        middle_y = y + up * distance + _lean(up) * height / 2
        box = Bbox.from_bounds(middle_x - width / 2, middle_y - height / 2, width, height)
        within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        if not within or any(_cover(box, other) for other in covered):
            continue
        end = (min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1))
        line = _between((x, y), end, 8)
        if any(_gap(box, other) < _gap(box, _square(x, y, 0.5)) for other in strangers):
            continue  # it would seem to name the other one
        if not any(_cover(_square(*spot, 0.5), other) for spot in line[1:] for other in crossed):
            return box, line
    return None


def _pixels(axes: Axes, point: tuple[float, float]) -> tuple[float, float]:
    x, y = axes.transData.transform(point)
    return float(x), float(y)


def _between(start: tuple[float, float], end: tuple[float, float], parts: int) -> list[tuple[float, float]]:
    """Points on the straight line from one to the other."""
    steps = [part / parts for part in range(parts + 1)]
    return [(start[0] + (end[0] - start[0]) * step, start[1] + (end[1] - start[1]) * step) for step in steps]


def _square(x: float, y: float, half: float) -> Bbox:
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _cover(one: Bbox, other: Bbox) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


def _gap(one: Bbox, other: Bbox) -> float:
    """Pixels between the nearest points of two boxes."""
    right, up = max(one.x0 - other.x1, other.x0 - one.x1, 0), max(one.y0 - other.y1, other.y0 - one.y1, 0)
    return math.hypot(right, up)


def _lean(part: float) -> float:
    """How far a box moves off its point: wholly to one side along the diagonals, less where it stands beside."""
    return max(-1.0, min(1.0, math.sqrt(2) * part))


def apart(wanted: Sequence[float], gap: Sequence[float], low: float, high: float) -> list[float]:
    """Heights as near to the wanted ones as may be, in their order, each `gap` tall and none over another.

    Where `low` to `high` cannot hold them all they are squeezed evenly.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    squeeze = min(1.0, (high - low) / sum(gap)) if sum(gap) else 1.0
    placed = list(wanted)
    edge = low
    for i in order:
        placed[i] = max(wanted[i], edge + gap[i] * squeeze / 2)
        edge = placed[i] + gap[i] * squeeze / 2
    edge = high
    for i in reversed(order):
        placed[i] = min(placed[i], edge - gap[i] * squeeze / 2)
        edge = placed[i] - gap[i] * squeeze / 2
    return placed


def wrapped(text: str, letters: int = LONGEST) -> str:
    """The text in lines of at most so many letters, broken at spaces, commas and colons."""
    spaced = " ".join(plain(text).replace(",", ", ").replace(":", ": ").split())
    return "\n".join(textwrap.wrap(spaced, letters, break_on_hyphens=False)) or "?"

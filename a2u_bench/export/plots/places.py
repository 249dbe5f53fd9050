"""The room in the axes of a figure: what is taken of it, and where in the rest a name finds a place."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from a2u_bench.export.plots.page import points, small
from a2u_bench.sanitize import plain

LONGEST = 20  # letters of a line of a label
RADII = (4.0, 6.0, 9.0, 13.0, 18.0, 24.0)  # points between what is named and its name
LED = 6.0  # beyond this many a hair line leads from the one to the other
FEW = 40  # points of a figure; where there are more, lines would cross it all
FAR = 80.0  # points beyond which a number, explained elsewhere, reads better than a line
STEP = 2.0  # points between places that are tried where none around what is named is free
MOST = 120  # of these places, the nearest ones, or as many near and far
CLEAR = (("texts", "lines", "points"), ("texts",), ())
"""What the line to a number does not cross, from the best to the last resort."""

DIRECTIONS = tuple(math.radians(22.5 * step) for step in (0, 2, 14, 4, 12, 6, 10, 8, 1, 15, 3, 13, 7, 9, 5, 11))

Segment = tuple[tuple[float, float], tuple[float, float]]
Boxes = NDArray[np.float64]  # [N, 4]: left, bottom, right, top


@dataclass(frozen=True, eq=False)  # two at one place are two
class Named:
    """A point in the axes' own coordinates, its name, and the colour of both."""

    x: float
    y: float
    text: str
    colour: str


@dataclass(frozen=True)
class Label:
    """A text, in pixels where it stands and where the line to it begins and ends, if there is one."""

    point: Named
    text: str
    at: tuple[float, float]
    away: tuple[float, float]  # from the point
    line: Segment | None


class Room:
    """What is taken of the axes, in pixels, and the names that found a place in the rest."""

    def __init__(self, axes: Axes, named: Sequence[Named], lines: Sequence[Segment], radius: float) -> None:
        figure = axes.figure.get_figure(root=True)
        assert figure is not None
        figure.draw_without_rendering()  # the layout must stand before anything is measured on it
        self.axes, self.renderer = axes, figure.canvas.get_renderer()  # type: ignore[attr-defined]
        self.pixel = points(figure.dpi / 72)  # what a point of a column's figure takes here
        self.radius = radius * self.pixel
        inside = axes.get_window_extent(self.renderer).padded(-self.pixel)
        self.inside = np.array(inside.extents)
        self.spots = {point: self._at((point.x, point.y)) for point in named}
        self.discs = _squares(list(self.spots.values()), self.radius)
        ends = [(self._at(start), self._at(end)) for start, end in lines]
        self.walls = _squares([spot for one in ends for spot in _between(*one, 2 * self.pixel)], self.pixel)
        others = [*axes.texts, *filter(None, [axes.get_legend()])]
        taken = [one.get_window_extent(self.renderer).extents for one in others]
        self.texts = np.array(taken, dtype=float).reshape(-1, 4)
        self.lines = self.texts[:0]
        self.sizes: dict[str, tuple[float, float]] = {}
        self.labels: list[Label] = []

    def copy(self) -> Room:
        """The same room, to be filled in another way."""
        one = copy(self)
        one.labels = []
        return one

    def names(self, groups: Iterable[Sequence[Named]]) -> list[Named]:
        """Name the points of each group after another, and return those that found no place."""
        left: list[Named] = []
        for group in groups:
            waiting = list(group)
            for distance in RADII:
                waiting = [point for point in waiting if not self._around(point, wrapped(point.text), distance)]
            left += waiting
        if len(self.spots) > FEW:
            return left
        return [point for point in left if not self._anywhere(point, wrapped(point.text), FAR, LED)]

    def numbers(self, group: Sequence[Named], given: Mapping[str, int]) -> list[Named]:
        """The same with their numbers, at the nearest place, if need be with a line that crosses points and lines, and
        at last texts too."""
        left = list(group)
        for clear in CLEAR:
            left = [p for p in left if not self._anywhere(p, str(given[p.text]), math.inf, 0.0, clear)]
        return left

    def alone(self, point: Named) -> float:
        """How far a point is from the nearest other one."""
        x, y = self.spots[point]
        return min((math.dist((x, y), spot) for other, spot in self.spots.items() if other is not point), default=0.0)

    def _around(self, point: Named, text: str, distance: float) -> bool:
        """Name a point at this distance, in the first direction in which that covers nothing."""
        spot, size = np.array(self.spots[point]), np.array(self._size(text))
        ways = np.array([(math.cos(angle), math.sin(angle)) for angle in DIRECTIONS])
        leans = np.array([[_lean(part) for part in way] for way in ways])
        corners = spot + ways * distance * self.pixel + (leans - 1) * size / 2
        boxes = np.concatenate([corners, corners + size], axis=1)
        return self._first(point, text, boxes[self._is_free(boxes)], leads=distance > LED)

    def _anywhere(self, point: Named, text: str, most: float, least: float, clear: Sequence[str] = CLEAR[0]) -> bool:
        """Name a point at the nearest free place, at most and at least so many points away, with a line to it that is
        `clear` of these."""
        size, step = np.array(self._size(text)), STEP * self.pixel
        left, bottom, right, top = self.inside
        places = np.meshgrid(np.arange(left, right - size[0], step), np.arange(bottom, top - size[1], step))
        corners = np.stack(places, axis=-1).reshape(-1, 2)
        boxes = np.concatenate([corners, corners + size], axis=1)
        gaps = _gaps(boxes, np.tile(self.spots[point], 2)) / self.pixel
        near = np.flatnonzero((gaps <= most) & (gaps > least + self.radius / self.pixel))
        near = near[np.argsort(gaps[near], kind="stable")]
        free = near[self._is_free(boxes[near])]
        free = free[:: 1 if clear == CLEAR[0] else max(1, len(free) // MOST)][:MOST]
        return self._first(point, text, boxes[free], leads=True, clear=clear)

    def _first(self, point: Named, text: str, boxes: Boxes, leads: bool, clear: Sequence[str] = CLEAR[0]) -> bool:
        """Name a point in the first of these free boxes that a straight line leads to which is `clear` of these;
        without a line, where it seems to name no other one."""
        spot = self.spots[point]
        here = np.tile(spot, 2)
        others = self.discs[~_cover(self.discs, here)]
        crossable = {"texts": self.texts, "lines": self.lines, "points": others}
        crossed = np.concatenate([self.texts[:0], *(crossable[one] for one in clear)])
        for box in boxes:
            if not leads and (_gaps(others, box) < _gaps(here[None], box)).any():
                continue
            for end in _ends(spot, box)[: None if leads else 1]:
                line = _squares(_between(spot, end, self.pixel)[1:], self.pixel / 2)
                if not _cover(line[:, None], crossed[None]).any():
                    self._take(point, text, box, end, line if leads else line[:0])
                    return True
        return False

    def _take(self, point: Named, text: str, box: Boxes, end: tuple[float, float], line: Boxes) -> None:
        x, y = self.spots[point]
        share = min(1.0, self.radius / max(math.dist((x, y), end), 1e-9))
        start = (x + (end[0] - x) * share, y + (end[1] - y) * share)  # where the marker ends
        self.labels.append(Label(point, text, (x, y), (box[0] - x, box[1] - y), (start, end) if len(line) else None))
        self.texts = np.concatenate([self.texts, box[None] + self.pixel * np.array([-1, -1, 1, 1])])
        self.lines = np.concatenate([self.lines, line])

    def _is_free(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Which boxes are inside the axes and cover nothing."""
        within: NDArray[np.bool_] = np.all(
            np.hstack([boxes[:, :2] >= self.inside[:2], boxes[:, 2:] <= self.inside[2:]]), axis=1
        )
        covered = np.concatenate([self.texts, self.lines, self.walls, self.discs])
        within[within] = ~_cover(boxes[within][:, None], covered[None]).any(axis=1)
        return within

    def _size(self, text: str) -> tuple[float, float]:
        """Pixels of a text's width and height."""
        if text not in self.sizes:
            probe = self.axes.figure.text(0, 0, text, fontsize=small(), linespacing=0.95)
            extent = probe.get_window_extent(self.renderer)
            probe.remove()
            self.sizes[text] = (extent.width, extent.height)
        return self.sizes[text]

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        x, y = self.axes.transData.transform(point)
        return float(x), float(y)


def _ends(spot: tuple[float, float], box: Boxes) -> list[tuple[float, float]]:
    """Where a line to a box may end: at its nearest point, or near the one or the other end of its nearest edge."""
    x, y = (float(np.clip(part, low, high)) for part, low, high in zip(spot, box[:2], box[2:], strict=True))
    inset = 0.15 * float(box[2] - box[0])
    return [(x, y), *((float(end), y) for end in (box[0] + inset, box[2] - inset) if y != spot[1])]


def _between(start: tuple[float, float], end: tuple[float, float], step: float) -> NDArray[np.float64]:
    """Points on the straight line from one to the other, at most a step apart: [N, 2]."""
    return np.linspace(start, end, 1 + max(1, math.ceil(math.dist(start, end) / step)))


def _squares(middles: Sequence[Any] | NDArray[np.float64], half: float) -> Boxes:
    spots = np.asarray(middles, dtype=float).reshape(-1, 2)
    return np.concatenate([spots - half, spots + half], axis=1)


def _cover(some: Boxes, other: Boxes) -> NDArray[np.bool_]:
    """Which boxes cover a part of the other one; of two arrays as numpy pairs them."""
    across = (some[..., 0] < other[..., 2]) & (other[..., 0] < some[..., 2])
    return across & (some[..., 1] < other[..., 3]) & (other[..., 1] < some[..., 3])


def _gaps(boxes: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Pixels between the nearest points of each box and the other one."""
    apart = np.maximum(np.maximum(boxes[:, :2] - other[2:], other[:2] - boxes[:, 2:]), 0)
    return np.hypot(apart[:, 0], apart[:, 1])


def _lean(part: float) -> float:
    """How far a box moves off its point: wholly to one side along the diagonals, less where it stands beside."""
    return max(-1.0, min(1.0, math.sqrt(2) * part))


def wrapped(text: str, letters: int = LONGEST) -> str:
    """The text in lines of at most so many letters, broken at spaces, commas and colons."""
    spaced = " ".join(plain(text).replace(",", ", ").replace(":", ": ").split())
    return "\n".join(textwrap.wrap(spaced, letters, break_on_hyphens=False)) or "?"

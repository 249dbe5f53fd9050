"""Names beside what they name: each covers nothing, and a line leads to those that had to go away from it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes

from a2u_bench.export.plots.page import GREY, darker, points, small
from a2u_bench.export.plots.places import FEW, Label, Named, Room, Segment, wrapped

__all__ = ["Named", "Segment", "apart", "beside", "wrapped"]

TRIES = 8
"""Orders in which few points are named until each has its name."""


def beside(
    axes: Axes,
    groups: Sequence[Sequence[Named]],
    lines: Sequence[Segment] = (),
    radius: float = 2.5,
    numbers: Mapping[str, int] | None = None,
) -> list[Named]:
    """Name the points, group by group and in each the nearest places first, and return those for which there is no
    place. Those that have a number get that in place of their name.

    Names and the lines that lead to them keep clear of each other, of all points (discs of `radius` points), of other
    texts of the axes, and of its edge; names of the straight `lines` as well.
    """
    given = numbers or {}
    everyone = [point for group in groups for point in group]
    named = [[point for point in group if point.text not in given] for group in groups]
    numbered = [point for point in everyone if point.text in given]
    room = Room(axes, everyone, lines, radius)
    tries = []
    for order in _orders(room, len(everyone)):
        one = room.copy()
        left = one.names([sorted(group, key=order) for group in named])
        left += one.numbers(numbered, given)
        tries.append((one, left))
        if not left:
            break
    best, left = min(tries, key=lambda tried: len(tried[1]))
    for label in best.labels:
        _draw(axes, label)
    return left


def _orders(room: Room, count: int) -> list[Callable[[Named], float]]:
    """In which orders to name so many points: as they are given, the crowded first, by chance but always the same."""

    def by_chance(seed: int) -> Callable[[Named], float]:
        return lambda point: random.Random(f"{seed} {point.text} {point.x} {point.y}").random()

    orders = [lambda point: 0.0, room.alone, *map(by_chance, range(TRIES - 2))]
    return orders if count <= FEW else orders[:1]


def _draw(axes: Axes, label: Label) -> None:
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    axes.annotate(
        label.text,
        (label.point.x, label.point.y),
        xytext=(72 * label.away[0] / figure.dpi, 72 * label.away[1] / figure.dpi),
        textcoords="offset points",
        fontsize=small(),
        linespacing=0.95,
        color=darker(label.point.colour),
        ha="left",
        va="bottom",
    )
    if label.line:
        ends = axes.transData.inverted().transform(label.line)
        axes.plot(ends[:, 0], ends[:, 1], color=GREY, linewidth=points(0.3), scalex=False, scaley=False)


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

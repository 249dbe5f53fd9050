"""Latency against memory, work and, where networks were trained, quality; what nothing beats is filled and named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from a2u_bench import units
from a2u_bench.columns import BASES, BY_NAME, RANKED, RATIO, VERDICT
from a2u_bench.export.plots import page
from a2u_bench.export.plots.labels import Named, Segment, beside
from a2u_bench.export.plots.numbers import Numbers, until_named
from a2u_bench.export.plots.places import FEW
from a2u_bench.export.plots.rows import NAME, drawable, workloads
from a2u_bench.judge import pareto, verdicts
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.scores import CEILING

AGAINST = ("peak_memory", "macs", *RANKED)
PANEL = 52.0  # mm of height
BROAD = 2  # panels beside each other on a slide that are wide enough for a label on one line


def draw(frame: pd.DataFrame, convention: str = "mac", reading: Reading | None = None) -> Iterator[tuple[str, Figure]]:
    """One figure a workload, with a panel for each other quantity that two operators or more have.

    Latencies are drawn as they are judged: as ratios to the reference, with their intervals, where all have one.
    """
    for words, group in workloads(drawable(frame, "latency")):
        panels = [name for name in AGAINST if name in group and _is_known(group, name).sum() > 1]
        if panels:
            yield words, _figure(words, group, panels, convention, reading)


def _figure(words: str, group: pd.DataFrame, panels: Sequence[str], convention: str, reading: Reading | None) -> Figure:
    """The figure in which every point has its name; of many, the variants have numbers."""
    names, usual = [str(name) for name in group[NAME]], _usual(group)
    variants = [name for name in names if name not in usual] if len(names) > FEW else []
    return until_named(lambda below: _drawn(words, group, panels, convention, reading, below), variants)


def _usual(group: pd.DataFrame) -> set[str]:
    """The names of operators at their defaults."""
    return set(group.loc[(group["options"] == group["operator"]).fillna(False).astype(bool), NAME])


def _drawn(
    words: str,
    group: pd.DataFrame,
    panels: Sequence[str],
    convention: str,
    reading: Reading | None,
    below: Numbers,
) -> tuple[Figure, list[Named]]:
    """The figure with these numbers in place of names, and the points that have neither."""
    wide = page.is_wide()
    figure = page.sheet(8 + PANEL * (1 if wide else len(panels)) + below.height)
    page.caption(figure, words, "Filled: nothing beats it significantly")
    below.draw(figure)
    shape = (1, len(panels)) if wide else (len(panels), 1)
    stack = figure.subplots(*shape, sharex=True, squeeze=False).ravel()
    across = RATIO if verdicts.are_ordered_by_ratio(group, reading).all() else "latency"
    scale, unit = page.scaled(group[across].tolist(), "s") if across == "latency" else (units.UNSCALED, "")
    colour = page.colouring([str(name) for name in group["operator"]])
    reach = group[[end for end in (across, f"{across}_low", f"{across}_high") if end in group]].astype(float)
    page.logarithmic(stack[0].xaxis, scale.of(reach.min().min()), scale.of(reach.max().max()))
    work, factor = units.CONVENTIONS[convention]
    usual = _usual(group)
    drawn = []
    for axes, name in zip(stack, panels, strict=True):
        shown = _is_known(group, name)
        known = group[shown]
        values = known[name].astype(float) * (factor if name == "macs" else 1)
        column = BY_NAME[name]
        if column.better == "higher":
            own, word = units.UNSCALED, f" [{column.unit}]" if column.unit else ""
        else:
            own, word = page.scaled(values.tolist(), column.unit)
            page.logarithmic(axes.yaxis, own.of(values.min()), own.of(values.max()))
        axes.set_ylabel((work if name == "macs" else column.label) + word)
        axes.grid()
        if name == "gain" and CEILING in group and group[CEILING].notna().any():
            _ceiling(axes, float(group[CEILING].dropna().iloc[0]))
        points = [
            Named(scale.of(x), own.of(y), text, colour(str(operator))[0])
            for x, y, text, operator in zip(known[across], values, known[NAME], known["operator"], strict=True)
        ]
        judged = group.assign(**{name: group[name].where(shown)})  # all, so that latency is judged as it is drawn
        front = pareto.front(judged, ["latency", name], reading)[shown].tolist()
        bars = _whiskers(axes, known, across, scale, points)
        _mark(axes, points, front, [colour(str(operator))[1] for operator in known["operator"]], column.better)
        drawn.append((axes, points, front, bars))
    label = f"latency{unit}" if across == "latency" else _beside(group)
    for axes in stack if wide else stack[-1:]:
        axes.set_xlabel(label.replace(", ", ",\n") if wide and len(panels) > BROAD else label)
    left: list[Named] = []
    for axes, points, front, bars in drawn:  # after all panels stand: names are placed on the final layout
        best = [point for point, first in zip(points, front, strict=True) if first]
        rest = [point for point, first in zip(points, front, strict=True) if not first]
        plain, variants = ([p for p in rest if (p.text not in usual) == several] for several in (False, True))
        left += beside(axes, [best, plain, variants], [*pairwise(_steps(best)), *bars], numbers=below.given)
    return figure, left


def _is_known(group: pd.DataFrame, name: str) -> pd.Series:
    """Which rows have a quantity that can be drawn: along a logarithmic axis a positive one."""
    is_drawn = group[name].notna() if BY_NAME[name].better == "higher" else (group[name] > 0).fillna(False)
    return is_drawn.astype(bool)


def _ceiling(axes: Axes, gain: float) -> None:
    """The line that no convex 3×3 kernel goes over."""
    axes.axhline(gain, color=page.GREY, linewidth=page.points(0.7), linestyle="--")
    axes.annotate(
        f"ceiling of convex{chr(10) if page.is_wide() else ' '}3×3 kernels",
        (0, gain),
        xycoords=("axes fraction", "data"),
        xytext=(2, -2),
        textcoords="offset points",
        va="top",
        fontsize=page.small(),
        color=page.GREY,
    )


def _beside(group: pd.DataFrame) -> str:
    """What the ratios of these rows are multiples of."""
    own = group.loc[group[VERDICT].isin(BASES), NAME]
    return f"latency, multiple of {own.iloc[0]}'s" if len(own) else "latency, multiple of the reference's"


def _whiskers(
    axes: Axes, known: pd.DataFrame, across: str, scale: units.Scale, points: Sequence[Named]
) -> list[Segment]:
    """The interval of each point, from end to end."""
    if f"{across}_low" not in known:
        return []
    lows, highs = (known[f"{across}_{end}"].fillna(known[across]) for end in ("low", "high"))
    bars = [
        ((scale.of(low), point.y), (scale.of(high), point.y))
        for point, low, high in zip(points, lows, highs, strict=True)
    ]
    for point, bar in zip(points, bars, strict=True):
        axes.plot(*zip(*bar, strict=True), color=point.colour, linewidth=page.points(0.7), alpha=0.6)
    return bars


def _mark(axes: Axes, points: Sequence[Named], front: Sequence[bool], markers: Sequence[str], better: str) -> None:
    """Filled and joined by a step where nothing beats them, hollow where something does."""
    for point, best, marker in zip(points, front, markers, strict=True):
        face = point.colour if best else "white"
        axes.plot(
            point.x,
            point.y,
            marker=marker,
            color=point.colour,
            markerfacecolor=face,
            markersize=page.points(3.6),
            markeredgewidth=page.points(0.7),
        )
    edge = _steps([point for point, best in zip(points, front, strict=True) if best])
    if edge:
        axes.plot(*zip(*edge, strict=True), color=page.GREY, linewidth=page.points(0.6), zorder=0.9)


def _steps(front: Sequence[Named]) -> list[tuple[float, float]]:
    """The corners of the stairs through the points of the front."""
    edge = sorted((point.x, point.y) for point in front)
    return edge[:1] + [corner for (_, before), (x, y) in pairwise(edge) for corner in ((x, before), (x, y))]

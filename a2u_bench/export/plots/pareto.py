"""Latency against memory, work and, where networks were trained, quality; what nothing beats is filled and named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from a2u_bench import units
from a2u_bench.columns import BY_NAME, RANKED, RATIO, VERDICT
from a2u_bench.export.plots import page
from a2u_bench.export.plots.labels import Named, beside
from a2u_bench.export.plots.rows import NAME, drawable, workloads
from a2u_bench.judge import pareto
from a2u_bench.judge.reading import Reading

AGAINST = ("peak_memory", "macs", *RANKED)
PANEL = 52.0  # mm of height


def draw(frame: pd.DataFrame, convention: str = "mac", reading: Reading | None = None) -> Iterator[tuple[str, Figure]]:
    """One figure a workload, with a panel for each other quantity that two operators or more have.

    Latencies are drawn as ratios to the reference, with their intervals, where all are known.
    """
    for words, group in workloads(drawable(frame, "latency")):
        panels = [name for name in AGAINST if name in group and (group[name] > 0).fillna(False).sum() > 1]
        if panels:
            yield words, _figure(words, group, panels, convention, reading)


def _figure(words: str, group: pd.DataFrame, panels: Sequence[str], convention: str, reading: Reading | None) -> Figure:
    wide = page.is_wide()
    figure = page.sheet(8 + PANEL * (1 if wide else len(panels)))
    page.caption(figure, words, "Filled: nothing is significantly better in both")
    shape = (1, len(panels)) if wide else (len(panels), 1)
    stack = figure.subplots(*shape, sharex=True, squeeze=False).ravel()
    across = RATIO if RATIO in group and group[RATIO].notna().all() else "latency"
    scale, unit = page.scaled(group[across].tolist(), "s") if across == "latency" else (units.UNSCALED, "")
    colour = page.colouring([str(name) for name in group["operator"]])
    page.logarithmic(stack[0].xaxis, scale.of(group[across].min()), scale.of(group[across].max()))
    work, factor = units.CONVENTIONS[convention]
    usual = set(group.loc[(group["options"] == group["operator"]).fillna(False).astype(bool), NAME])
    drawn = []
    for axes, name in zip(stack, panels, strict=True):
        known = group[(group[name] > 0).fillna(False).astype(bool)]
        values = known[name].astype(float) * (factor if name == "macs" else 1)
        column = BY_NAME[name]
        if column.better == "higher":
            own, word = units.UNSCALED, f" [{column.unit}]" if column.unit else ""
        else:
            own, word = page.scaled(values.tolist(), column.unit)
            page.logarithmic(axes.yaxis, own.of(values.min()), own.of(values.max()))
        axes.set_ylabel((work if name == "macs" else column.label) + word)
        axes.grid()
        points = [
            Named(scale.of(x), own.of(y), text, colour(str(operator))[0])
            for x, y, text, operator in zip(known[across], values, known[NAME], known["operator"], strict=True)
        ]
        front = pareto.front(known, ["latency", name], reading).tolist()
        _whiskers(axes, known, across, scale, points)
        _mark(axes, points, front, [colour(str(operator))[1] for operator in known["operator"]], column.better)
        drawn.append((axes, points, front))
    for axes in stack if wide else stack[-1:]:
        axes.set_xlabel(f"latency{unit}" if across == "latency" else _beside(group))
    for axes, points, front in drawn:  # after all panels stand: names are placed on the final layout
        best = [point for point, first in zip(points, front, strict=True) if first]
        rest = [point for point, first in zip(points, front, strict=True) if not first]
        plain, variants = ([p for p in rest if (p.text not in usual) == several] for several in (False, True))
        left = beside(axes, [best, plain, variants], _steps(best))
        if left:
            axes.annotate(
                f"{left} without a name",
                (1, 0),
                xytext=(-1, 2),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="right",
                fontsize=page.small(),
                color=page.GREY,
            )
    return figure


def _beside(group: pd.DataFrame) -> str:
    """What the ratios of these rows are multiples of."""
    own = group.loc[group[VERDICT].isin(["reference", "baseline"]), NAME]
    return f"latency, multiple of {own.iloc[0]}'s" if len(own) else "latency, multiple of the reference's"


def _whiskers(axes: Axes, known: pd.DataFrame, across: str, scale: units.Scale, points: Sequence[Named]) -> None:
    """The interval of each point, from end to end."""
    if f"{across}_low" not in known:
        return
    ends = zip(
        points, known[f"{across}_low"].fillna(known[across]), known[f"{across}_high"].fillna(known[across]), strict=True
    )
    for point, low, high in ends:
        axes.plot(
            [scale.of(low), scale.of(high)], [point.y] * 2, color=point.colour, linewidth=page.points(0.7), alpha=0.6
        )


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

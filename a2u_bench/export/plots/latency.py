"""Latency against scale, channels, size or runtime: a line an operator, named at its end, over the speed of light."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from a2u_bench import units
from a2u_bench.export.plots import page
from a2u_bench.export.plots.labels import Named, Segment, apart, beside, wrapped
from a2u_bench.export.plots.numbers import Numbers, until_named
from a2u_bench.export.plots.rows import NAME, drawable, workloads

SIZE = "size"
RUNTIME, PLACE = "runtime", "place"
AGAINST = {"scale": ("scale",), "channels": ("channels",), SIZE: ("batch", "height", "width"), RUNTIME: (RUNTIME,)}
"""What latency can be drawn against, and the axes that vary along it."""

LABELS = {"scale": "scale", "channels": "channels of z", SIZE: "size of z: B·H·W [points]", RUNTIME: "runtime"}
LINE = 2.6  # mm of height that a line of a name takes
EDGE = 0.05  # of the width, left and right of all points


def draw(frame: pd.DataFrame, against: str) -> Iterator[tuple[str, Figure]]:
    """One figure for each workload in which two values or more of `against` were measured."""
    rows = drawable(frame, "latency")
    size = rows["batch"] * rows["height"] * rows["width"]
    rows = rows.assign(**{SIZE: size})
    for words, group in workloads(rows, AGAINST[against]):
        if group[against].nunique() > 1:
            order = {name: place for place, name in enumerate(dict.fromkeys(group[RUNTIME]), 1)}
            place = group[RUNTIME].map(order) if against == RUNTIME else group[against]
            yield words, _figure(words, group.assign(**{PLACE: place.astype(float)}), against)


def _figure(words: str, group: pd.DataFrame, against: str) -> Figure:
    return until_named(lambda below: _drawn(words, group, against, below))


def _drawn(words: str, group: pd.DataFrame, against: str, below: Numbers) -> tuple[Figure, list[Named]]:
    """The figure with these numbers in place of names, and the ends of lines that have neither."""
    names = group[NAME].unique().tolist()
    colour = page.colouring([str(name) for name in group["operator"]])
    texts = {name: wrapped(name, 22) for name in names}
    tall = sum(text.count("\n") + 1 for text in texts.values()) * LINE
    figure = page.sheet(max(62.0, tall + 20) + below.height)
    page.caption(figure, words)
    below.draw(figure)
    axes, margin = figure.subplots(1, 2, width_ratios=(1.75, 1), sharey=True)
    margin.set_axis_off()
    scale, unit = page.scaled(group["latency"].tolist(), "s")
    ends: dict[str, tuple[float, float, str]] = {}
    early: list[Named] = []  # ends before the right edge, so it is named where it ends
    drawn: list[Segment] = []
    heights: list[float] = []
    for name, line in group.groupby(NAME, sort=False):
        line = line.sort_values(PLACE).drop_duplicates(PLACE)
        hue, marker = colour(str(line["operator"].iloc[0]))
        xs, ys = line[PLACE].tolist(), [scale.of(value) for value in line["latency"]]
        dashes = _dashes(group, line)
        axes.plot(xs, ys, color=hue, marker=marker, markersize=page.points(2.8), linestyle=dashes, markeredgewidth=0)
        lows, highs = _ends(line, scale)
        page.whiskers(axes, xs, ys, lows, highs, colour=hue)
        heights += [*ys, *lows, *highs]
        drawn += [*pairwise(zip(xs, ys, strict=True))]
        drawn += [((x, low), (x, high)) for x, low, high in zip(xs, lows, highs, strict=True)]
        if xs[-1] == group[PLACE].max():
            ends[str(name)] = (xs[-1], ys[-1], hue)
        else:
            early.append(Named(xs[-1], ys[-1], str(name), hue))
    floors = _floors(axes, group, scale.exponent)
    page.logarithmic(axes.yaxis, min([*heights, *floors]), max(heights))
    ticks = group.drop_duplicates(PLACE).sort_values(PLACE)
    if against == RUNTIME:
        axes.set_xlim(0.7, len(ticks) + 0.3)
        axes.set_xticks(ticks[PLACE].tolist(), ticks[RUNTIME].tolist(), fontsize=page.small())
    else:
        low, high = ticks[PLACE].min(), ticks[PLACE].max()
        page.logarithmic(axes.xaxis, low, high)
        axes.set_xlim(low * (low / high) ** EDGE, high * (high / low) ** EDGE)
        axes.set_xticks(ticks[PLACE].tolist())
    axes.minorticks_off()
    axes.set_xlabel(LABELS[against])
    axes.set_ylabel(f"latency{unit}")
    axes.grid()
    if floors:
        axes.legend(loc="best", frameon=False, fontsize=page.small(), borderpad=0, handlelength=1.8)
    _names(figure, axes, margin, ends, texts)
    return figure, beside(axes, [early], drawn, numbers=below.given)


def _ends(line: pd.DataFrame, scale: units.Scale) -> tuple[list[float], list[float]]:
    """Both ends of each latency's interval; the latency itself where the interval is unknown."""
    low, high = (line[f"latency_{end}"].fillna(line["latency"]).astype(float) for end in ("low", "high"))
    return [scale.of(value) for value in low], [scale.of(value) for value in high]


def _dashes(group: pd.DataFrame, line: pd.DataFrame) -> str | tuple[int, tuple[int, ...]]:
    """A pattern for each setting of one operator: they share its colour."""
    settings = group.loc[group["operator"] == line["operator"].iloc[0], NAME].unique().tolist()
    patterns = ("-", (0, (4, 1)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (6, 1, 1, 1, 1, 1)))
    return patterns[settings.index(line[NAME].iloc[0]) % len(patterns)]


def _floors(axes: Axes, group: pd.DataFrame, exponent: int) -> list[float]:
    """A thin line at the least floor of the operators, which bounds them all; its heights, none where none is known."""
    if "floor" not in group:
        return []
    known = group[(group["floor"] > 0).fillna(False).astype(bool)]
    if known.empty:
        return []
    least = known.groupby(PLACE)["floor"].min().astype(float) / 10.0**exponent
    heights, xs = least.tolist(), [float(x) for x in least.index]
    (line,) = axes.plot(xs, heights, color=page.GREY, label="speed of light, least of these", zorder=1.5)
    line.set(linewidth=page.points(0.5), linestyle=(0, (3, 2)))
    return heights


def _names(
    figure: Figure, axes: Axes, margin: Axes, ends: dict[str, tuple[float, float, str]], texts: dict[str, str]
) -> None:
    """Each line's name in the right margin, at the height of its end where there is room, with a hair line to it."""
    figure.draw_without_rendering()
    axes.set_ylim(axes.get_ylim())  # what is drawn from here on moves nothing
    box, pixel = axes.get_window_extent(), page.points(figure.dpi / 72)
    points = [axes.transData.transform((x, y))[1] for x, y, _ in ends.values()]
    gaps = [(texts[name].count("\n") + 1) * page.SMALLEST * 1.08 * pixel for name in ends]
    heights = apart(points, gaps, box.y0 - 8 * pixel, box.y1 + 4 * pixel)
    for (name, (x, y, hue)), height in zip(ends.items(), heights, strict=True):
        end, thin = (height - box.y0) / box.height, page.points(0.3)
        lead = ConnectionPatch((x, y), (0.0, end), axes.transData, margin.transAxes, color=page.GREY, linewidth=thin)
        lead.set_in_layout(False)
        figure.add_artist(lead)
        margin.plot([0.0, 0.04], [end, end], color=page.GREY, linewidth=thin, transform=margin.transAxes, clip_on=False)
        margin.text(
            *(0.06, end, texts[name]),
            transform=margin.transAxes,
            color=page.darker(hue),
            fontsize=page.small(),
            va="center",
            linespacing=0.95,
        )

"""How near each operator comes to what the machine could do: speed of light ÷ latency, the best on top."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from a2u_bench.export.plots import page
from a2u_bench.export.plots.rows import NAME, drawable, workloads
from a2u_bench.tables.notes import beyond


def draw(frame: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """One figure a workload: a dot for each operator, with the interval that its latency allows."""
    for words, group in workloads(drawable(frame, "latency", "floor")):
        yield words, _figure(words, group)


def _figure(words: str, group: pd.DataFrame) -> Figure:
    group = group.assign(share=group["floor"] / group["latency"]).sort_values("share", ascending=False, kind="stable")
    colour = page.colouring([str(name) for name in group["operator"]])
    figure = page.sheet(24 + 3.1 * len(group))
    page.caption(figure, words, *beyond(group))
    axes, size = figure.subplots(), page.row_type(figure, len(group))
    shares = (100 * group["share"]).astype(float).tolist()
    low, high = (
        (100 * group["floor"] / group[f"latency_{end}"]).fillna(100 * group["share"]).astype(float).tolist()
        for end in ("high", "low")
    )
    for place, (share, start, end, operator) in enumerate(zip(shares, low, high, group["operator"], strict=True)):
        hue, marker = colour(str(operator))
        axes.plot([start, end], [place, place], color=hue, linewidth=page.points(1.2), alpha=0.6, solid_capstyle="butt")
        axes.plot(share, place, marker=marker, color=hue, markersize=page.points(3.2), markeredgewidth=0)
        left = share > 30  # no room on the other side
        axes.annotate(
            _percent(share),
            (min(share, start), place) if left else (max(share, end), place),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center_baseline",
            fontsize=size,
        )
    page.logarithmic(axes.xaxis, min(low), max(100.0, *high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axes.axvline(100, color=page.GREY, linewidth=page.points(0.8))
    page.rows_of(axes, group[NAME].tolist(), size)
    axes.set_xlabel("share of the speed of light reached")
    return figure


def _percent(share: float) -> str:
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"

"""Memory of each operator: the output and the workspace on top of it make the peak; what is kept for backward below."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from a2u_bench.export._looks import COLOURS
from a2u_bench.export.plots import page
from a2u_bench.export.plots.rows import NAME, drawable, workloads
from a2u_bench.units import exact

OUTPUT, PEAK, SAVED = "output_memory", "peak_memory", "saved_memory"


def draw(frame: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """One figure a workload: a bar for each operator, the smallest peak on top."""
    for words, group in workloads(drawable(frame, PEAK)):
        yield words, _figure(words, group)


def _figure(words: str, group: pd.DataFrame) -> Figure:
    group = group.sort_values(PEAK, kind="stable")
    saved = bool(SAVED in group and (group[SAVED] > 0).fillna(False).any())
    split = bool(OUTPUT in group and (group[OUTPUT] > 0).fillna(False).all())
    figure = page.sheet(26 + (4.2 if saved else 3.1) * len(group))
    page.caption(figure, words)
    axes, size = figure.subplots(), page.row_type(figure, len(group))
    scale, unit = page.scaled(group[PEAK].tolist(), "B")
    peak = [scale.of(value) for value in group[PEAK]]
    places = [float(place) for place in range(len(group))]
    height, shift = (0.36, 0.2) if saved else (0.62, 0.0)
    upper = [place - shift for place in places]
    if split:
        output = [scale.of(value) for value in group[OUTPUT]]
        axes.barh(upper, output, height, color=COLOURS[5], label="output")
        work = [most - least for most, least in zip(peak, output, strict=True)]
        axes.barh(upper, work, height, left=output, color=COLOURS[0], label="workspace (peak − output)")
    else:
        axes.barh(upper, peak, height, color=COLOURS[0], label="peak above the inputs")
    kept = [0.0] * len(group)
    if saved:
        kept = [scale.of(value) for value in group[SAVED].fillna(0)]
        axes.barh([place + shift for place in places], kept, height, color=COLOURS[4], label="saved for backward")
    most = max(*peak, *kept)
    for place, value in zip(upper, group[PEAK], strict=True):
        axes.text(
            scale.of(value) + most * 0.01,
            place,
            exact(float(value), scale),
            va="center_baseline",
            fontsize=size,
        )
    axes.set_xlim(0, most * 1.13)
    page.rows_of(axes, group[NAME].tolist(), size)
    axes.set_xlabel(f"memory above the inputs{unit}")
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower left",
        ncols=2 if saved and split else 3,
        frameon=False,
        fontsize=page.small(),
        handlelength=1,
        columnspacing=1.2,
    )
    return figure

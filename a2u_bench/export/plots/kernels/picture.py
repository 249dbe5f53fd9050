"""One picture of kernels: a column an operator, a row a point; above them the image and the maps of entropy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from a2u_bench.export.plots import page
from a2u_bench.export.plots.kernels.look import Array, Look, reach
from a2u_bench.export.plots.labels import wrapped

NARROW = 2  # operators that fit one column of a paper
FLAT = 1e-6  # bits
CELL = 25.0  # mm of the side of a kernel, at most


def draw(
    image: Array, looks: Sequence[Look], points: Sequence[tuple[int, int]], words: tuple[str, str], group: int = 0
) -> Figure:
    """The figure; call it, and save it, inside `page.style()`. `words`: what was drawn, and the key that always stands
    above it."""
    columns = 1 + len(looks)
    width = page.COLUMN if len(looks) <= NARROW else page.TEXT
    tall = width / columns * image.shape[0] / image.shape[1]
    cell = min(width / columns, CELL)
    figure = page.sheet(tall + 12 + (cell + 2.5) * len(points) + 9, width)
    page.caption(figure, *words)
    grid = figure.subplots(1 + len(points), columns, squeeze=False, height_ratios=[tall + 6, *[cell] * len(points)])
    around = reach(looks, points, group)
    _image(grid[0, 0], image, points)
    maps = [look.map() for look in looks]
    ends = _ends([values for values, look in zip(maps, looks, strict=True) if look.taps > 1])
    drawn = [_map(grid[0, column], *of, ends) for column, of in enumerate(zip(looks, maps, strict=True), start=1)]
    if bits := [image for image, look in zip(drawn, looks, strict=True) if look.taps > 1]:
        bar = figure.colorbar(bits[0], ax=list(grid[0, 1:]), fraction=0.04, pad=0.02, aspect=12)
        bar.set_label("entropy [bits]", fontsize=page.small())
        bar.outline.set_linewidth(0)
    for row, (x, y) in enumerate(points, start=1):
        _neighbourhood(grid[row, 0], image, looks[0].scale, x, y, around)
        grid[row, 0].set_ylabel(str(row), rotation=0, ha="right", va="center", fontweight="bold")
        for column, look in enumerate(looks, start=1):
            _kernel(grid[row, column], look.kernel(min(group, look.groups - 1), y, x), around)
    return figure


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _image(axes: Axes, image: Array, points: Sequence[tuple[int, int]]) -> None:
    axes.imshow(image)
    _bare(axes)
    axes.set_title("image", fontsize=page.small(), pad=2)
    for number, (x, y) in enumerate(points, start=1):
        for edge, width in (("white", 1.4), ("black", 0.6)):  # to be seen on any ground
            size, thick = page.points(2.2), page.points(width)
            axes.plot(x, y, "o", markersize=size, mfc="none", markeredgecolor=edge, markeredgewidth=thick)
        left = x > image.shape[1] * 0.85
        axes.annotate(
            str(number),
            (x, y),
            xytext=(-3 if left else 3, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=page.small(),
            fontweight="bold",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )


def _ends(maps: Sequence[Array]) -> tuple[float, float]:
    """The ends of one scale for all of these maps; a bit to each side where they are flat: rounding is no structure."""
    low, high = (min(map(np.min, maps)), max(map(np.max, maps))) if maps else (0.0, 0.0)
    return (float(low) - 1, float(low) + 1) if high - low < FLAT else (float(low), float(high))


def _map(axes: Axes, look: Look, values: Array, scale: tuple[float, float]) -> AxesImage:
    """The map of one operator on the scale of all; of kernels of one tap that tap, on its own scale."""
    low, high = float(values.min()), float(values.max())
    ends = _ends([values]) if look.taps == 1 else scale
    image = axes.imshow(values, cmap="cividis", vmin=ends[0], vmax=ends[1], interpolation="nearest")
    _bare(axes)
    axes.set_title(wrapped(look.name, 22), fontsize=page.small(), pad=2)
    span = f"{low:.2f}" if high - low < FLAT else f"{low:.2f}–{high:.2f}"
    spans = f"entropy {span}\nof {np.log2(look.taps):.2f} bits"
    told = f"its one weight:\n{low:.2g} to {high:.2g}" if look.taps == 1 else spans
    axes.set_xlabel(told, fontsize=page.small(), labelpad=2)
    return image


def _neighbourhood(axes: Axes, image: Array, scale: int, x: int, y: int, around: int) -> None:
    """The pixels under the low-res points that a kernel may read, and the one that is made."""
    left, top = (x // scale - around) * scale, (y // scale - around) * scale
    side = (2 * around + 1) * scale
    part = np.ones((side, side, 3))
    rows = slice(max(top, 0), min(top + side, image.shape[0]))
    columns = slice(max(left, 0), min(left + side, image.shape[1]))
    part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    axes.imshow(part, interpolation="nearest")
    axes.add_patch(
        Rectangle((x - left - 0.5, y - top - 0.5), 1, 1, fill=False, edgecolor="white", linewidth=page.points(1.6))
    )
    axes.add_patch(
        Rectangle((x - left - 0.5, y - top - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=page.points(0.7))
    )
    _bare(axes)


def _kernel(axes: Axes, kernel: Array, around: int) -> None:
    """A kernel over the same low-res points as the neighbourhood beside it; grey is what it does not read."""
    half = kernel.shape[0] // 2
    if half > around:
        kernel = kernel[half - around : half + around + 1, half - around : half + around + 1]
        half = around
    low, high = float(np.nanmin(kernel)), float(np.nanmax(kernel))
    most = max(abs(low), abs(high)) or 1.0
    extent = (-half - 0.5, half + 0.5, half + 0.5, -half - 0.5)
    signed = low < 0
    axes.imshow(
        kernel,
        cmap="PuOr" if signed else "cividis",
        vmin=-most if signed else 0,
        vmax=most,
        extent=extent,
        interpolation="nearest",
    )
    axes.set_xlim(-around - 0.5, around + 0.5)
    axes.set_ylim(around + 0.5, -around - 0.5)
    axes.set_facecolor("#eeeeee")
    _bare(axes)
    axes.set_xlabel(f"{low:.3g} to {high:.3g}" if kernel.size > 1 else f"{low:.3g}", fontsize=page.small(), labelpad=1)

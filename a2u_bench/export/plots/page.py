"""What every figure shares: the width of a paper's column, type, colours that the colour-blind tell apart, saving.

Figures are made without pyplot, so nothing is global; text from files is never read as mathematics.
"""

from __future__ import annotations

import io
import logging
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from a2u_bench import units
from a2u_bench.export._looks import MARKERS, looks
from a2u_bench.sanitize import plain

COLUMN, TEXT = 85.0, 178.0
"""Widths in mm: one column of a paper in two columns, and its whole text."""

INK, GREY, FAINT = "#222222", "#6b6b6b", "#d5d5d5"
ABOUT_ROWS = 18.0  # mm of a chart's height that its axis and legend take
DOTS = 300  # per inch of a PNG
BASE, SMALLEST = 7, 6  # points of type, and of the smallest


@dataclass(frozen=True)
class Style:
    """How large everything is: the figure's width in mm, how many times the type and the lines of a column, and the
    height in mm that a figure may not pass."""

    width: float
    factor: float
    highest: float | None = None


STYLES = {"column": Style(COLUMN, 1.0), "talk": Style(254.0, 2.3, 143.0)}
"""A column of a paper, and a slide of 16:9, at which type stands as large as a slide's own."""

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": BASE,
    "axes.labelsize": BASE,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "axes.linewidth": 0.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.minor.width": 0.3,
    "ytick.minor.width": 0.3,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.0,
    "axes.axisbelow": True,
    "text.parse_math": False,
    "pdf.fonttype": 42,  # outlines that a publisher's checks accept
    "svg.hashsalt": "a2u-bench",  # the same picture is the same file
}


@contextmanager
def style(name: str = "column", settings: bool = False) -> Iterator[None]:
    """The look of every figure, one of STYLES; both drawing and saving happen inside. `settings`: what was measured
    stands above."""
    chosen = STYLES[name]
    numbers = {key: value for key, value in STYLE.items() if isinstance(value, (int, float)) and _grows(key)}
    sizes = {key: value * chosen.factor for key, value in numbers.items()}
    before = _NOW.set((chosen, settings))
    with matplotlib.rc_context({**STYLE, **sizes}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a stranger's letters become boxes
        try:
            yield
        finally:
            _NOW.reset(before)


_NOW: ContextVar[tuple[Style, bool]] = ContextVar("style", default=(STYLES["column"], False))


def _grows(name: str) -> bool:
    """Whether a setting is a length or a size of type."""
    return name.endswith(("size", "linewidth", ".width"))


def points(size: float) -> float:
    """Points of type, of a line or of a marker, where a column's figure has so many."""
    return size * _NOW.get()[0].factor


def small() -> float:
    """Points of the smallest type."""
    return points(SMALLEST)


def width() -> float:
    """Points that a figure is wide."""
    return _NOW.get()[0].width * 72 / 25.4


def highest() -> float | None:
    """The height that a figure may not pass, in mm of a column's figure."""
    chosen = _NOW.get()[0]
    return None if chosen.highest is None else chosen.highest / chosen.factor


def is_wide() -> bool:
    """Whether the figure is wider than high, so that panels stand side by side."""
    return _NOW.get()[0].highest is not None


def sheet(height: float, width: float | None = None) -> Figure:
    """An empty figure, in mm of a column's figure, whose parts are laid out without overlap; as large as the style has
    it."""
    chosen = _NOW.get()[0]
    across = chosen.width if width is None else width * chosen.factor
    tall = min(height * chosen.factor, chosen.highest or math.inf)
    figure = Figure(
        figsize=(across / 25.4, tall / 25.4),
        dpi=DOTS,  # letters are as wide when they are placed as when they are saved
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, hspace=0.03, wspace=0.03),
    )
    FigureCanvasAgg(figure)
    return figure


def caption(figure: Figure, text: str, key: str = "") -> None:
    """Small and grey above everything, in lines that fit the width: what was measured, where that is asked for, and
    the key to what is drawn."""
    told = ". ".join(filter(None, [text if _NOW.get()[1] else "", key]))
    if not told:
        return
    letters = int(figure.get_figwidth() * 25.4 / points(1.28))
    whole = plain(told).replace(" thread", "\u00a0thread")
    figure.suptitle(
        textwrap.fill(whole, letters, break_on_hyphens=False), x=0.01, ha="left", fontsize=small(), color=GREY
    )


def save(figure: Figure, form: str) -> bytes:
    """The figure as a PNG, SVG or PDF; the same figure gives the same bytes."""
    out = io.BytesIO()
    dated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    figure.savefig(out, format=form, dpi=DOTS, metadata=dated[form])
    return out.getvalue()


def logarithmic(axis: Axis, least: float, most: float) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5; at powers of ten where it is long, evenly where short."""
    axes = axis.axes
    spans = most / least if least > 0 else 1
    room = 1.25 if spans > 3 else 1.1
    (axes.set_xscale if axis.axis_name == "x" else axes.set_yscale)("log")  # type: ignore[attr-defined]
    axis.set_view_interval(least / room, most * room, ignore=True)
    if spans > 3:
        axis.set_major_locator(LogLocator(10, (1.0,) if spans > 300 else (1.0, 2.0, 5.0), numticks=12))
        axis.set_minor_locator(LogLocator(10, tuple(range(2, 10)), numticks=40))
    else:
        axis.set_major_locator(MaxNLocator(4))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def scaled(values: Sequence[float], unit: str) -> tuple[units.Scale, str]:
    """The prefix that suits these values, and the unit with it in brackets, for an axis."""
    scale = units.scale_for(values)
    return scale, f" [{scale.prefix}{unit}]" if scale.prefix + unit else ""


def colouring(names: Sequence[str]) -> Callable[[str], tuple[str, str]]:
    """A colour and a marker for each operator, the same in every figure."""
    found = looks(names)
    return lambda name: (found[name][0], MARKERS[found[name][1]])


def whiskers(
    axes: Axes, xs: Sequence[float], ys: Sequence[float], low: Sequence[float], high: Sequence[float], *, colour: str
) -> None:
    """The interval of each height, from its lower end to its upper one."""
    reach = [
        [y - least for y, least in zip(ys, low, strict=True)],
        [most - y for y, most in zip(ys, high, strict=True)],
    ]
    thin = points(0.6)
    axes.errorbar(xs, ys, yerr=reach, fmt="none", ecolor=colour, elinewidth=thin, capthick=thin, capsize=points(1.2))


def darker(colour: str) -> str:
    """The colour as ink for small type, which light orange and sky blue are too pale for."""
    red, green, blue = (0.75 * part for part in to_rgb(colour))
    return to_hex((red, green, blue))


def row_type(figure: Figure, rows: int) -> float:
    """Points of type that so many rows of a horizontal chart leave room for."""
    room = figure.get_figheight() * 72 - points(ABOUT_ROWS * 72 / 25.4)
    return min(small(), 0.85 * room / max(1, rows))


def rows_of(axes: Axes, names: Sequence[str], size: float) -> None:
    """A horizontal chart's names at its left, the first on top."""
    axes.set_yticks(range(len(names)), labels=[plain(name) for name in names], fontsize=size)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")

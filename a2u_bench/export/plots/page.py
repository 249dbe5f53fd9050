"""What every figure shares: the width of a paper's column, type, colours that the colour-blind tell apart, saving.

Figures are made without pyplot, so nothing is global; text from files is never read as mathematics.
"""

from __future__ import annotations

import io
import logging
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from a2u_bench import units
from a2u_bench.sanitize import plain

COLUMN, TEXT = 85.0, 178.0
"""Widths in mm: one column of a paper in two columns, and its whole text."""

INK, GREY, FAINT = "#222222", "#6b6b6b", "#d5d5d5"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""M. Okabe and K. Ito, Color Universal Design (2008); its yellow is left out: unreadable as a line on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DOTS = 300  # per inch of a PNG
SMALLEST = 6  # points of type

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.labelsize": 7,
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
def style() -> Iterator[None]:
    """The look of every figure; both drawing and saving happen inside."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a stranger's letters become boxes
        yield


def sheet(height: float, width: float = COLUMN) -> Figure:
    """An empty figure, in mm, whose parts are laid out without overlap."""
    figure = Figure(
        figsize=(width / 25.4, height / 25.4),
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, hspace=0.03, wspace=0.03),
    )
    FigureCanvasAgg(figure)
    return figure


def caption(figure: Figure, text: str) -> None:
    """What was measured, small and grey above everything, broken into lines that fit the width."""
    letters = int(figure.get_figwidth() * 25.4 / 1.28)
    whole = plain(text).replace(" thread", "\u00a0thread")
    figure.suptitle(
        textwrap.fill(whole, letters, break_on_hyphens=False), x=0.01, ha="left", fontsize=SMALLEST, color=GREY
    )


def save(figure: Figure, form: str) -> bytes:
    """The figure as a PNG, SVG or PDF; the same figure gives the same bytes."""
    out = io.BytesIO()
    dated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    figure.savefig(out, format=form, dpi=DOTS, metadata=dated[form])
    return out.getvalue()


def logarithmic(axis: Axis, least: float, most: float) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5, or at powers of ten where it is long."""
    axes = axis.axes
    spans = most / least if least > 0 else 1
    room = 1.25 if spans > 3 else 1.1
    (axes.set_xscale if axis.axis_name == "x" else axes.set_yscale)("log")  # type: ignore[attr-defined]
    axis.set_view_interval(least / room, most * room, ignore=True)
    axis.set_major_locator(LogLocator(10, (1.0,) if spans > 300 else (1.0, 2.0, 5.0), numticks=12))
    axis.set_minor_locator(LogLocator(10, tuple(range(2, 10)), numticks=40))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def scaled(values: Sequence[float], unit: str) -> tuple[units.Scale, str]:
    """The prefix that suits these values, and the unit with it in brackets, for an axis."""
    scale = units.scale_for(values)
    return scale, f" [{scale.prefix}{unit}]" if scale.prefix + unit else ""


def colouring(names: Sequence[str]) -> Callable[[str], tuple[str, str]]:
    """A colour and a marker for each operator, the same in every figure of the same operators."""
    order = {name: number for number, name in enumerate(sorted(set(names)))}
    # Beyond seven operators the colours come again, each with another marker.
    return lambda name: (
        COLOURS[order[name] % len(COLOURS)],
        MARKERS[(order[name] + order[name] // len(COLOURS)) % len(MARKERS)],
    )


def darker(colour: str) -> str:
    """The colour as ink for small type, which light orange and sky blue are too pale for."""
    red, green, blue = (0.75 * part for part in to_rgb(colour))
    return to_hex((red, green, blue))


def rows_of(axes: Axes, names: Sequence[str]) -> None:
    """A horizontal chart's names at its left, the first on top."""
    axes.set_yticks(range(len(names)), labels=[plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")

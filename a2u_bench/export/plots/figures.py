"""Every kind of figure by name: which rows it needs, and how a run becomes files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from a2u_bench.errors import unknown
from a2u_bench.export.plots import latency, memory, page, pareto, share
from a2u_bench.judge.reading import Reading

FORMATS = ("png", "svg", "pdf")
MOST = 12
"""Pictures of one kind; a run with more workloads has to be narrowed, or every one of them is looked at by no one."""


class Undrawable(Exception):
    """The rows hold nothing for this kind; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Kind:
    """A kind of figure: how to draw one a workload, and what to say where there is nothing to draw."""

    draw: Callable[[pd.DataFrame, str, Reading | None], Iterable[tuple[str, Figure]]]
    missing: str


KINDS: dict[str, Kind] = {
    "pareto": Kind(
        pareto.draw,
        "no two cases that ended ok have a latency and a peak memory or MACs",
    ),
    "scale": Kind(lambda frame, *_: latency.draw(frame, "scale"), "fewer than two scales; measure with --scale 2,4"),
    "channels": Kind(
        lambda frame, *_: latency.draw(frame, "channels"),
        "fewer than two numbers of channels; measure with --shape 1x32x32x32,1x64x32x32",
    ),
    "size": Kind(
        lambda frame, *_: latency.draw(frame, "size"),
        "fewer than two sizes; measure with --shape 1x64x32x32,1x64x64x64",
    ),
    "runtime": Kind(
        lambda frame, *_: latency.draw(frame, "runtime"),
        "fewer than two runtimes; measure with --runtime eager,onnxruntime",
    ),
    "floor": Kind(lambda frame, *_: share.draw(frame), "no case that ended ok has a speed of light and a latency"),
    "memory": Kind(lambda frame, *_: memory.draw(frame), "no case that ended ok has a peak memory"),
}


@dataclass(frozen=True)
class Picture:
    """One figure as a file: its name without folder, what it shows, its bytes."""

    name: str
    title: str
    data: bytes


def pictures(
    frame: pd.DataFrame,
    kind: str,
    forms: Iterable[str],
    convention: str = "mac",
    reading: Reading | None = None,
    *,
    style: str = "column",
    settings: bool = False,
) -> Iterator[Picture]:
    """The figures of one kind, one a workload, in each format and in the style for a column of a paper or for a talk;
    `settings`: what was measured stands above them.

    Raises UsageError for an unknown kind or format, Undrawable where the rows do not hold what it shows.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    forms = list(dict.fromkeys(forms))
    for form in forms:
        if form not in FORMATS:
            raise unknown("format", form, FORMATS)
    with page.style(style, settings):
        made = 0
        for number, (title, figure) in enumerate(_bounded(KINDS[kind].draw(frame, convention, reading), kind), start=1):
            made = number
            label = kind if number == 1 else f"{kind}-{number}"
            for form in forms:
                yield Picture(f"{label}.{form}", title, page.save(figure, form))
        if not made:
            raise Undrawable(f"{kind}: {KINDS[kind].missing}")


def _bounded(drawn: Iterable[tuple[str, Figure]], kind: str) -> Iterator[tuple[str, Figure]]:
    for number, one in enumerate(drawn, start=1):
        if number > MOST:
            raise Undrawable(f"{kind}: more than {MOST} workloads; choose some with --filter, such as dtype=float32")
        yield one

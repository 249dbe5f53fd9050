"""The progress bar of a run, on standard error: what runs now, how much is done, the most time that is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from a2u_bench.spec import Case
from a2u_bench.suites.plan import Plan
from a2u_bench.units import minutes

DOING = {"compile": "compiling kernels for", "check": "checking", "warm_up": "warming up"}


@contextmanager
def progress(console: Console | None = None) -> Iterator[Bar]:
    """A bar that is drawn while the block runs; where standard error is no terminal, a line for each finished case."""
    console = console or Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", markup=False),
    )
    # No thread that redraws by the clock: it would run while a case is being timed.
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as bar:
        yield Bar(bar, console)


class Bar:
    """A listener that draws."""

    def __init__(self, bar: Progress, console: Console) -> None:
        self._bar, self._console = bar, console
        self._task = bar.add_task("starting", total=1.0, left="")
        self._checking = bar.add_task("", total=1.0, left="", visible=False)  # has a line of its own
        self._rows = self._total = 0

    def planned(self, plan: Plan, finished: int) -> None:
        self._total = len(plan.cases) + len(plan.skipped) - finished
        self._update(total=float(max(self._total, 1)))

    def doing(self, case: Case, step: str) -> None:
        description = f"{DOING.get(step, step)} {_label(case)}"
        if step == "check":
            self._update(description="timing comes next")
            total = float(max(self._total, 1))
            self._bar.update(self._checking, visible=True, total=total, description=description, refresh=True)
            self._bar.advance(self._checking)
        else:
            self._update(description=description)

    def round_done(self, done: float, seconds_left: float) -> None:
        self._bar.update(self._checking, visible=False)
        self._update(completed=done, left=f"{minutes(seconds_left)} left at most", description="timing")

    def row_done(self, row: Mapping[str, Any]) -> None:
        self._rows += 1
        self._update()
        reason = f": {row['reason']}" if row["reason"] else ""
        if row["status"] != "ok" or not self._console.is_terminal:
            # What an operator or a file says is text, never markup.
            self._console.print(Text(f"{self._rows}/{self._total} {row['options']} {row['status']}{_plain(reason)}"))

    def _update(self, **fields: Any) -> None:
        self._bar.update(self._task, refresh=True, **fields)


def _label(case: Case) -> str:
    batch, channels, height, width = case.shape
    return f"{case.options} {batch}×{channels}×{height}×{width} ×{case.scale}"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in text)

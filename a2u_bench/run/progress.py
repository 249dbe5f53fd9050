"""The progress bar of a run, on standard error: what runs now, how much is done, the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from a2u_bench.sanitize import plain
from a2u_bench.units import minutes

DOING = {"compile": "compiling kernels for", "check": "checking", "try": "trying", "warm_up": "warming up"}


class Listener(Protocol):
    """What is told of a run while it goes on: called between measurements, never during one."""

    def planned(self, rows: int, work: float) -> None:
        """The run begins: so many rows will come, of so much work."""

    def doing(self, point: Any, step: str) -> None:
        """This step of this case or training begins: "compile", "check", "try", "warm_up" or ""."""

    def advanced(self, done: float, seconds_left: float, what: str) -> None:
        """So much of the work is done, that of what runs now in part; the seconds that are left; what is done now."""

    def row_done(self, row: Mapping[str, Any]) -> None:
        """A case or training ended and its row is stored."""


class Silence:
    """A listener that does nothing."""

    def planned(self, rows: int, work: float) -> None: ...
    def doing(self, point: Any, step: str) -> None: ...
    def advanced(self, done: float, seconds_left: float, what: str) -> None: ...
    def row_done(self, row: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Labels:
    """The words for what a run is of: for a case or training, for its row, and for the time that is left."""

    point: Callable[[Any], str]
    row: Callable[[Mapping[str, Any]], str]
    left: str
    done: str  # the word for rows that ended


def _of_case(case: Any) -> str:
    batch, channels, height, width = case.shape
    return f"{case.options} {batch}×{channels}×{height}×{width} ×{case.scale}"


def _of_row(row: Mapping[str, Any]) -> str:
    runtime = "" if row.get("runtime") in (None, "eager") else f" {row['runtime']}"
    return f"{row['options']}{runtime} {row['status']}" + (f": {row['reason']}" if row["reason"] else "")


CASES = Labels(_of_case, _of_row, "up to about {} left", "timed")
TRIALS = Labels(_of_case, _of_row, "{} left", "tried")


@contextmanager
def progress(console: Console | None = None, labels: Labels = CASES) -> Iterator[Bar]:
    """A bar that is drawn while the block runs; where standard error is no terminal, a line for each phase and row."""
    console = console or Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.fields[rows]}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", markup=False),
    )
    # No thread that redraws by the clock: it would run while a case is being timed.
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as bar:
        yield Bar(bar, console, labels)


class Bar:
    """A listener that draws."""

    def __init__(self, bar: Progress, console: Console, labels: Labels) -> None:
        self._bar, self._console, self._labels = bar, console, labels
        self._task = bar.add_task("starting", total=1.0, left="", rows="")
        self._checking = bar.add_task("", total=1.0, left="", rows="", visible=False)  # has a line of its own
        self._rows = self._checked = self._total = 0
        self._told: set[tuple[str, str]] = set()
        self._phase = ""
        self._work, self._done = 1.0, 0.0

    def planned(self, rows: int, work: float) -> None:
        self._total, self._work = rows, max(work, 1.0)
        self._update(total=self._work, rows=f"{self._labels.done} 0/{rows}")

    def doing(self, point: Any, step: str) -> None:
        description = plain(f"{DOING.get(step, step)} {self._labels.point(point)}").strip()
        if step != "check":
            self._update(description=description)
            return
        self._checked += 1
        self._say_phase("check", f"checking {self._total} {'case' if self._total == 1 else 'cases'}")
        self._update(description="timing comes next")
        count = max(self._total, self._checked, 1)  # references of an earlier run are checked too
        total, rows = float(count), f"checked {self._checked}/{count}"
        self._bar.update(self._checking, total=total, completed=self._checked, description=description, rows=rows)
        self._bar.update(self._checking, visible=True, refresh=True)

    def advanced(self, done: float, seconds_left: float, what: str) -> None:
        self._bar.update(self._checking, visible=False)
        left = self._labels.left.format(minutes(seconds_left))
        self._say_phase("time", left)
        self._reach(done, left=left, description=plain(what))

    def row_done(self, row: Mapping[str, Any]) -> None:
        self._rows += 1
        self._reach(self._work * self._rows / max(self._total, 1))
        reason = str(row["status"]), str(row["reason"])
        is_new = row["status"] == "ok" or reason not in self._told
        self._told.add(reason)
        # What an operator or a file says is text, never markup. Beside a bar that counts them rows have no number.
        if not self._console.is_terminal:
            said = self._labels.row(row if is_new else {**row, "reason": "as above"})
            self._console.print(Text(plain(f"{self._rows}/{self._total} {said}")))
        elif row["status"] != "ok" and is_new:
            self._console.print(Text(plain(self._labels.row(row))))

    def _say_phase(self, phase: str, text: str) -> None:
        """A line where a phase begins, for whoever has no bar: the first row may be minutes away."""
        if not self._console.is_terminal and phase != self._phase:
            self._console.print(Text(plain(text)))
        self._phase = phase

    def _reach(self, done: float, **fields: Any) -> None:
        """So much of the work is done, whichever way that is known."""
        self._done = max(self._done, done)
        rows = f"{self._labels.done} {self._done / self._work * self._total:.0f}/{self._total}"
        self._update(completed=self._done, rows=rows, **fields)

    def _update(self, **fields: Any) -> None:
        self._bar.update(self._task, refresh=True, **fields)

"""The progress bar of a training, on standard error: which pair and epoch, its loss and PSNR, the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from a2u_bench.plain import plain
from a2u_bench.quality.trial import Trial
from a2u_bench.record import BY_NAME, RANKED
from a2u_bench.units import minutes

if TYPE_CHECKING:
    from a2u_bench.quality.train import Progress as Step

REDRAWN = 0.25
"""Seconds between drawings: a step may take a millisecond."""


class Watcher(Protocol):
    """What a run tells whoever watches it."""

    def planned(self, trials: Sequence[Trial]) -> None:
        """These trials will be trained, in this order."""

    def doing(self, trial: Trial) -> None:
        """This trial begins, or goes on from its checkpoint."""

    def step(self, step: Step) -> None:
        """A step of it is done."""

    def row_done(self, row: Mapping[str, Any]) -> None:
        """It ended, and its row is stored."""


class Silence:
    """A watcher that does nothing."""

    def planned(self, trials: Sequence[Trial]) -> None: ...
    def doing(self, trial: Trial) -> None: ...
    def step(self, step: Step) -> None: ...
    def row_done(self, row: Mapping[str, Any]) -> None: ...


@contextmanager
def progress(console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[Bar]:
    """A bar that is drawn while the block runs; where standard error is no terminal, a line for each finished trial."""
    console = console or Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.fields[rows]}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as bar:
        yield Bar(bar, console, clock)


class Bar:
    """A watcher that draws. Work is counted in epochs; the time left supposes that those to come last as long."""

    def __init__(self, bar: Progress, console: Console, clock: Callable[[], float]) -> None:
        self._bar, self._console, self._clock = bar, console, clock
        self._task = bar.add_task("starting", total=1.0, left="", rows="")
        self._trial: Trial | None = None
        self._epochs = self._finished = self._begun = self._trained = 0.0
        self._rows = self._total = 0
        self._start = self._drawn = clock()

    def planned(self, trials: Sequence[Trial]) -> None:
        self._total, self._epochs = len(trials), float(sum(trial.epochs for trial in trials))
        self._update(total=max(self._epochs, 1.0), rows=f"0/{self._total}")

    def doing(self, trial: Trial) -> None:
        self._trial, self._begun = trial, -1.0
        self._update(description=_name(trial))

    def step(self, step: Step) -> None:
        if self._begun < 0:  # where it went on from: what was trained before took none of this run's time
            self._begun = float(int(step.epochs)) if step.epochs % 1 else step.epochs - 1
        now, trial = self._clock(), self._trial
        if trial is None or now - self._drawn < REDRAWN:
            return
        self._drawn = now
        done = self._finished + step.epochs
        own = self._trained + step.epochs - self._begun
        left = (now - self._start) / own * (self._epochs - done) if own else 0.0
        said = f"{_name(trial)} epoch {min(int(step.epochs) + 1, trial.epochs)}/{trial.epochs}"
        self._update(
            completed=done,
            left=f"{minutes(left)} left",
            description=f"{said} loss {step.loss:.4f} PSNR {step.psnr:.1f} dB",
        )

    def row_done(self, row: Mapping[str, Any]) -> None:
        self._rows += 1
        self._finished += row["epochs"]
        self._trained += row["epochs"] - max(self._begun, 0.0)
        self._update(completed=self._finished, rows=f"{self._rows}/{self._total}")
        if row["status"] != "ok" or not self._console.is_terminal:
            said = _worth(row) or f"{row['status']}: {row['reason']}"
            name = plain(f"{row['pair']} seed {row['seed']}")
            self._console.print(Text(plain(f"{self._rows}/{self._total} {name} {said}")))

    def _update(self, **fields: Any) -> None:
        self._bar.update(self._task, refresh=True, **fields)


def _worth(row: Mapping[str, Any]) -> str:
    """What ranks the row, in words; "" where it is unknown."""
    for name in RANKED:
        if row.get(name) is not None:
            column = BY_NAME[name]
            return f"{column.label} {row[name]:.2f} {column.unit}" if column.unit else f"{column.label} {row[name]:.4g}"
    return ""


def _name(trial: Trial) -> str:
    return plain(f"{trial.pair} seed {trial.seed}")

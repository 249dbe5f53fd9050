"""How far trainings have come, for the progress bar: which pair and epoch, its loss and PSNR, the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from a2u_bench.columns import BY_NAME, RANKED
from a2u_bench.quality.trial import Trial
from a2u_bench.run import progress as bars
from a2u_bench.run.progress import Labels, Listener, Silence

if TYPE_CHECKING:
    from a2u_bench.quality.train import Progress as Step

REDRAWN = 0.25
"""Seconds between drawings: a step may take a millisecond."""


@contextmanager
def progress(console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[Watcher]:
    """A bar that is drawn while the block runs; where standard error is no terminal, a line for each finished trial."""
    with bars.progress(console, TRIALS) as bar:
        yield Watcher(bar, clock)


class Watcher:
    """Work is counted in epochs; the time left supposes that those to come last as long as those that were trained."""

    def __init__(self, listener: Listener | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._listener, self._clock = listener or Silence(), clock
        self._trial: Trial | None = None
        self._epochs = self._finished = self._begun = self._trained = 0.0
        self._start = self._drawn = clock()

    def planned(self, trials: Sequence[Trial]) -> None:
        """These trials will be trained, in this order."""
        self._epochs = float(sum(trial.epochs for trial in trials))
        self._listener.planned(len(trials), self._epochs)

    def doing(self, trial: Trial) -> None:
        """This trial begins, or goes on from its checkpoint."""
        self._trial, self._begun = trial, -1.0
        self._listener.doing(trial, "")

    def step(self, step: Step) -> None:
        """A step of it is done."""
        if self._begun < 0:  # where it went on from: what was trained before took none of this run's time
            self._begun = float(int(step.epochs)) if step.epochs % 1 else step.epochs - 1
        now, trial = self._clock(), self._trial
        if trial is None or now - self._drawn < REDRAWN:
            return
        self._drawn = now
        done, own = self._finished + step.epochs, self._trained + step.epochs - self._begun
        left = (now - self._start) / own * (self._epochs - done) if own else 0.0
        said = f"{_of_trial(trial)} epoch {min(int(step.epochs) + 1, trial.epochs)}/{trial.epochs}"
        self._listener.advanced(done, left, f"{said} loss {step.loss:.4f} PSNR {step.psnr:.1f} dB")

    def row_done(self, row: Mapping[str, Any]) -> None:
        """It ended, and its row is stored."""
        self._finished += row["epochs"]
        self._trained += row["epochs"] - max(self._begun, 0.0)
        self._listener.row_done(row)


def _of_trial(trial: Trial) -> str:
    return f"{trial.pair} seed {trial.seed}"


def _of_row(row: Mapping[str, Any]) -> str:
    """What ranks the row, in words, or why there is nothing that does."""
    name = f"{row['pair']} seed {row['seed']}"
    for column in (BY_NAME[ranked] for ranked in RANKED if row.get(ranked) is not None):
        value = row[column.name]
        return f"{name} {column.label} " + (f"{value:.2f} {column.unit}" if column.unit else f"{value:.4g}")
    return f"{name} {row['status']}: {row['reason']}"


TRIALS = Labels(_of_trial, _of_row, "{} left", "trained")

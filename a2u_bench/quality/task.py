"""The task: what a network is trained for. It has pairs, presets and data of its own; all else is the same for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from a2u_bench.errors import UsageError, unknown
from a2u_bench.quality import matting, photographs, presets, reconstruction, restoration
from a2u_bench.quality.pairs import RECONSTRUCTION, Pair, Ways
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.train import Examples
from a2u_bench.quality.trial import Trial


class Subject(Protocol):
    """What one training is about: what is built, what it is trained on, and what it is worth then."""

    def network(self, pair: Pair) -> nn.Module:
        """The untrained network with a pair in it. Impossible where the pair does not fit."""

    def examples(self, device: torch.device) -> Examples:
        """What it is trained on."""

    def scores(self, network: nn.Module, device: torch.device) -> dict[str, Any]:
        """What the trained network's outputs are worth, by column; `photographs` has what is kept of each of them.

        Diverged where they are no finite numbers.
        """


class Problem(Protocol):
    """A task with its data."""

    @property
    def name(self) -> str:
        """Of the data."""

    @property
    def sha256(self) -> Mapping[str, str]:
        """Of each of its files."""

    @property
    def images(self) -> int:
        """How many are trained on."""

    @property
    def test_images(self) -> int:
        """How many are scored."""

    def part(self, trial: Trial) -> Subject:
        """What a trial is about."""


FOLDS = 3

Cells = Sequence[tuple[str | None, str | None]]
"""Features and a guide of each, or neither."""


def _one_cell(problem: Any, preset: Preset, features: Sequence[str], guides: Sequence[str], folds: int | None) -> Cells:
    return ((None, None),)


@dataclass(frozen=True)
class Task:
    """One thing that is trained for; `data` and `preset` are what is taken where none is named.

    `cells` gives the features and guides of its trainings, where it has such. UsageError for what there is not.
    """

    name: str
    data: str
    preset: str
    ways: Ways
    presets: Mapping[str, Preset]
    load: Callable[[str, Preset], Problem]
    cells: Callable[[Any, Preset, Sequence[str], Sequence[str], int | None], Cells] = _one_cell
    has_folds: bool = False

    def folds(self, features: object, guide: object, folds: int | None) -> int | None:
        """How many folds there are, None in a task without. UsageError where one of these is named and it has none."""
        given = {"--features": features, "--guide": guide, "--folds": folds}
        named = [flag for flag, value in given.items() if value is not None and value != []]
        if named and not self.has_folds:
            raise UsageError(f"{named[0]} is of --task restoration; this is {self.name}")
        return (FOLDS if folds is None else folds) if self.has_folds else None


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("reconstruction", "natural", "short", RECONSTRUCTION, presets.RECONSTRUCTION, reconstruction.load),
        Task("matting", "synthetic", "short", matting.WAYS, presets.MATTING, matting.load),
        Task(
            *("restoration", photographs.PHOTOGRAPHS, "quick", restoration.WAYS, presets.RESTORATION, restoration.load),
            cells=restoration.cells,
            has_folds=True,
        ),
    )
}


def task(name: str) -> Task:
    """The task of that name. UsageError, with the nearest match, for an unknown name."""
    try:
        return TASKS[name]
    except KeyError:
        raise unknown("task", name, TASKS) from None

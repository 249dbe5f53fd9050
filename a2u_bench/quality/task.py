"""The task: what a network is trained for. It has pairs, presets and data of its own; all else is the same for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from a2u_bench.errors import unknown
from a2u_bench.quality import matting, presets, reconstruction
from a2u_bench.quality.pairs import RECONSTRUCTION, Pair, Ways
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.train import Examples


class Problem(Protocol):
    """A task with its data: what is built, what it is trained on, and what it is worth then."""

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

    def network(self, pair: Pair) -> nn.Module:
        """The untrained network with a pair in it. Impossible where the pair does not fit."""

    def examples(self, device: torch.device) -> Examples:
        """What it is trained on."""

    def scores(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """What the trained network's outputs are worth, by column. Diverged where they are no finite numbers."""


@dataclass(frozen=True)
class Task:
    """One thing that networks are trained for; `data` is what is taken where none is named."""

    name: str
    data: str
    ways: Ways
    presets: Mapping[str, Preset]
    load: Callable[[str, Preset], Problem]


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("reconstruction", "natural", RECONSTRUCTION, presets.RECONSTRUCTION, reconstruction.load),
        Task("matting", "synthetic", matting.WAYS, presets.MATTING, matting.load),
    )
}


def task(name: str) -> Task:
    """The task of that name. UsageError, with the nearest match, for an unknown name."""
    try:
        return TASKS[name]
    except KeyError:
        raise unknown("task", name, TASKS) from None

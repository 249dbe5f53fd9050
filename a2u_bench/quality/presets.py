"""How long and how a network of each task is trained: the papers' schedule, and one for two cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from a2u_bench.errors import UsageError, unknown


@dataclass(frozen=True)
class Preset:
    """A training: how many images and epochs, which optimiser, and how its learning rate falls."""

    name: str
    epochs: int
    train_images: int | None  # None: all
    test_images: int | None
    optimiser: Literal["sgd", "adam"]
    learning_rate: float
    drops: tuple[float, ...]  # shares of the epochs after which the rate falls to a tenth; none: along a cosine
    batch: int = 100
    momentum: float = 0.9
    side: int | None = None  # pixels of a side of what is trained on, where the data do not tell
    warmup: float = 0.0  # share of the steps in which the rate rises
    cells: tuple[tuple[str, str], ...] = ()  # features and their guides, where a task has such

    def changed(
        self,
        epochs: int | None = None,
        train_images: int | None = None,
        test_images: int | None = None,
        learning_rate: float | None = None,
    ) -> Preset:
        """The same with what is given in place of its own. UsageError for a learning rate out of range."""
        if learning_rate is not None and not 0 < learning_rate < 1e3:
            raise UsageError(f"--learning-rate {learning_rate}: out of range; allowed: above 0, below 1000")
        return replace(
            self,
            epochs=epochs or self.epochs,
            train_images=train_images or self.train_images,
            test_images=test_images or self.test_images,
            learning_rate=learning_rate or self.learning_rate,
        )


RECONSTRUCTION: Mapping[str, Preset] = {
    "paper": Preset("paper", 100, None, None, "sgd", 0.01, (0.5, 0.7, 0.85)),
    "short": Preset("short", 3, 12_000, 2_000, "adam", 2e-3, ()),
}

MATTING: Mapping[str, Preset] = {
    "paper": Preset("paper", 30, 96_000, None, "adam", 0.01, (20 / 30, 26 / 30), batch=16, side=512),
    "short": Preset("short", 5, 640, 100, "adam", 1e-3, (), batch=4, side=32),
}
"""Published: 30 epochs of 6,000 batches of 16, crops of 512 pixels, Adam at 0.01, a tenth of it after 20 and 26."""


PROFILE = (("seg", "mix"), ("seg", "shallow"), ("gabor", "mix"))
"""Sharp regions whose guide tells them, sharp regions whose guide must be understood, and no sharp edge at all."""

RESTORATION: Mapping[str, Preset] = {
    "full": Preset("full", 8, 500, 48, "adam", 1e-2, (), batch=4, side=36, warmup=0.1, cells=PROFILE),
    "quick": Preset("quick", 2, 500, 48, "adam", 1e-2, (), batch=4, side=36, warmup=0.1, cells=PROFILE[:1]),
}
"""1,000 steps; and 250, after which wide kernels and those that mix channels are still on their way."""


def preset(name: str, among: Mapping[str, Preset] = RECONSTRUCTION) -> Preset:
    """The preset of that name. UsageError, with the nearest match, for an unknown name."""
    try:
        return among[name]
    except KeyError:
        raise unknown("preset", name, among) from None

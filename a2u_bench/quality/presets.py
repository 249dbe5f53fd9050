"""How long and how a network is trained: the papers' schedule, and one for two cores."""

from __future__ import annotations

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

    def changed(
        self,
        epochs: int | None = None,
        train_images: int | None = None,
        test_images: int | None = None,
        learning_rate: float | None = None,
    ) -> Preset:
        """The same with what is given in place of its own. UsageError for a learning rate that is none."""
        if learning_rate is not None and not 0 < learning_rate < 1e3:
            raise UsageError(f"--learning-rate {learning_rate}: out of range; allowed: above 0, below 1000")
        return replace(
            self,
            epochs=epochs or self.epochs,
            train_images=train_images or self.train_images,
            test_images=test_images or self.test_images,
            learning_rate=learning_rate or self.learning_rate,
        )


PRESETS = {
    "paper": Preset("paper", 100, None, None, "sgd", 0.01, (0.5, 0.7, 0.85)),
    "short": Preset("short", 3, 12_000, 2_000, "adam", 2e-3, ()),
}


def preset(name: str) -> Preset:
    """The preset of that name. UsageError, with the nearest match, where there is none."""
    try:
        return PRESETS[name]
    except KeyError:
        raise unknown("preset", name, PRESETS) from None

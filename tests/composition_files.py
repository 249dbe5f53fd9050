"""A tiny set laid out as Composition-1k is: two foregrounds, two backgrounds, three test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {"cat": (40, 24), "fern": (20, 48)}
"""Width and height of each foreground."""


def write_composition(folder: Path) -> Path:
    """The folder, with the set in it."""
    random = np.random.default_rng(0)

    def save(name: str, pixels: np.ndarray) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)

    def colours(width: int, height: int) -> np.ndarray:
        return random.integers(0, 256, (height, width, 3), dtype=np.uint8)

    def alpha(width: int, height: int) -> np.ndarray:
        """From 0 at the left edge to 255 at the right one, both over a quarter of the width."""
        ramp = np.clip(np.linspace(-0.5, 1.5, width), 0, 1) * 255
        return np.broadcast_to(ramp.astype(np.uint8), (height, width)).copy()

    for name, size in SIZES.items():
        save(f"Training_set/fg/{name}.jpg", colours(*size))
        save(f"Training_set/alpha/{name}.png", alpha(*size))
    for name in ("one", "two"):
        save(f"Training_set/bg/{name}.png", colours(36, 30))
    for name in ("dog_0", "dog_1", "owl_0"):
        true = alpha(33, 18)
        save(f"Test_set/merged/{name}.png", colours(33, 18))
        save(f"Test_set/trimaps/{name}.png", np.where((true > 0) & (true < 255), 128, true).astype(np.uint8))
    save("Test_set/alpha/dog.png", alpha(33, 18))
    save("Test_set/alpha/owl_0.png", alpha(33, 18))
    return folder

"""Crops of the photographs that scikit-image ships inside its package: data that needs no network and no licence.

Training and test crops are of different photographs, so that no pixel of a test crop is ever trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2u_bench.errors import BenchError

TRAIN = (
    *("astronaut.png", "camera.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"),
    *("brick.png", "gravel.png", "hubble_deep_field.jpg"),
)
TEST = ("chelsea.png", "coins.png", "grass.png")
"""A cat, coins and grass: smooth fur, hard edges and fine texture. Only files that the package itself contains."""


def crops(names: tuple[str, ...], count: int, side: int, seed: int) -> NDArray[np.uint8]:
    """`count` square crops [count, side, side] in grey, as many of each photograph as of the others, or one more.

    Positions are uniform, from `seed` and the photograph's name alone.
    """
    found = []
    for index, name in enumerate(names):
        image = photograph(name)
        share = (count - index + len(names) - 1) // len(names)
        random = np.random.default_rng([seed, *name.encode()])
        rows = random.integers(0, image.shape[0] - side + 1, share)
        columns = random.integers(0, image.shape[1] - side + 1, share)
        windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
        found.append(windows[rows, columns])
    return np.concatenate(found)


def photograph(name: str) -> NDArray[np.uint8]:
    """One photograph in grey, [H, W], from the installed package. BenchError where it is not there."""
    from skimage import color, data, io, util

    path = Path(data.__file__).parent / name
    if not path.is_file():
        raise BenchError(f"the installed scikit-image has no {name} inside its package; --data DIR takes other images")
    image = io.imread(path)
    grey: NDArray[np.uint8] = util.img_as_ubyte(color.rgb2gray(image[..., :3])) if image.ndim == 3 else image
    return grey

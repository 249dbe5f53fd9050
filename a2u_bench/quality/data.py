"""The images of a training: named, loaded once, and held in memory as one tensor for training and one for testing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from a2u_bench.errors import BenchError, UsageError
from a2u_bench.quality import fashion, natural

SIDE = 32
"""Pixels of an image's side: it is halved three times."""

NATURAL_TRAIN, NATURAL_TEST = 12_000, 1_500
"""Crops of the natural set."""


@dataclass(frozen=True)
class Images:
    """One data set: train and test [N, 1, 32, 32], float32 in [0, 1]; where the pixels came from, by SHA-256."""

    name: str
    train: Tensor
    test: Tensor
    sha256: dict[str, str]


def load(text: str, train: int | None = None, test: int | None = None, seed: int = 0) -> Images:
    """The data set `natural`, `fashion-mnist`, or a folder of IDX files; at most so many images for each purpose.

    Fewer images are a random choice, fixed by `seed` and not by the seed of a training. Images of another size are
    resized (bilinear) to 32×32, as the papers do with Fashion-MNIST's 28×28. UsageError for a name that is neither,
    and for a folder whose files are missing or damaged; BenchError for Fashion-MNIST that is.
    """
    if text == "natural":
        crops = natural.crops(natural.TRAIN, train or NATURAL_TRAIN, SIDE, seed)
        test_crops = natural.crops(natural.TEST, min(test or NATURAL_TEST, NATURAL_TEST), SIDE, seed)
        return Images(text, _images(crops), _images(test_crops), {})
    if text == fashion.NAME:
        found = fashion.read_published()
    elif text and (os.path.exists(text) or "/" in text):  # of any text, a name that is too long too
        try:
            found = fashion.read_folder(Path(text))
        except (BenchError, OSError) as error:  # a path that was named, with nothing to read at it
            raise UsageError(f"--data {getattr(error, 'strerror', None) or error}") from None
    else:
        raise UsageError(f"--data {text!r}: no such data; allowed: natural, {fashion.NAME}, or a folder of IDX files")
    return Images(found.name, _chosen(found.train, train, seed), _chosen(found.test, test, seed), found.sha256)


def _chosen(images: NDArray[np.uint8], count: int | None, seed: int) -> Tensor:
    if count is not None and count < len(images):
        images = images[np.sort(np.random.default_rng(seed).permutation(len(images))[:count])]
    return _images(images)


def _images(images: NDArray[np.uint8]) -> Tensor:
    """Bytes [N, H, W] as float32 [N, 1, 32, 32] in [0, 1]."""
    tensor = torch.from_numpy(np.array(images)).unsqueeze(1).to(torch.float32) / 255
    if tensor.shape[2:] == (SIDE, SIDE):
        return tensor
    return functional.interpolate(tensor, size=(SIDE, SIDE), mode="bilinear", align_corners=False)

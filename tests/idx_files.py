"""IDX files for tests, written byte by byte from the format's description."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    """An array as the content of an IDX file of unsigned bytes."""
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_images(folder: Path, train: int = 8, test: int = 4, side: int = 28, seed: int = 0) -> Path:
    """A folder of smooth random images, named as MNIST's; the training file is gzipped."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)

    def images(count: int) -> NDArray[np.uint8]:
        rows, columns = np.mgrid[0:side, 0:side] / side
        waves = [np.sin(6 * (a * rows + b * columns) + c) for a, b, c in random.random((count, 3))]
        return (127 * (1 + np.array(waves))).astype(np.uint8)

    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images(train)), mtime=0))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images(test)))
    return folder

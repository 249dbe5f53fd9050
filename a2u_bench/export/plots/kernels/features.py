"""Features of a picture for operators that come without a network: fixed random filters of its 3×3 patches.

An upsampler's weights alone tell nothing of the network that fed it. Random filters keep edges and colours where they
are, which is what the kernels react to; what is printed, and `--settings` draws, says that the features are these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lift(image: NDArray[np.float64], channels: int, seed: int) -> NDArray[np.float64]:
    """Features [channels, H, W] of a picture [H, W, 3]: each of mean 0 and variance 1 over the picture."""
    random = np.random.default_rng(seed)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))  # [H, W, 3, 3, 3]
    filters = random.standard_normal((channels, 3, 3, 3))
    features = np.tensordot(filters, patches, axes=([1, 2, 3], [2, 3, 4]))
    features -= features.mean((1, 2), keepdims=True)
    deviation = features.std((1, 2), keepdims=True)
    return features / np.where(deviation > 0, deviation, 1)


def normalised(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """A picture [H, W, 3] as encoders are fed it: [3, H, W], each channel of mean 0 and variance 1."""
    deviation = image.std((0, 1))
    return ((image - image.mean((0, 1))) / np.where(deviation > 0, deviation, 1)).transpose(2, 0, 1).copy()


def halve(features: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """Means over s×s blocks: [C, sH, sW] gives [C, H, W]."""
    channels, height, width = features.shape
    blocks = features.reshape(channels, height // scale, scale, width // scale, scale)
    return blocks.mean((2, 4))

"""Feature maps of photographs that are to be restored, and the guides that tell of them: 16 channels at full size.

Features F:

* `seg`: the class of each pixel's region, one of 16, as 16 maps of 0 and 1. Regions are Felzenszwalb and Huttenlocher's
  (IJCV 59(2), 2004), so that boundaries lie on the photograph's edges; classes by k-means over their mean colours.
* `gabor`: moduli of Gabor filters of four frequencies and four directions over the grey photograph: no sharp edge.
* `relu3`: three random layers of 3×3 convolution, standardisation and ReLU.

Guides:

* `mix`: F under a random rotation of its channels, plus half as much of the photograph's texture T.
* `nl`: the same behind one more random layer with ReLU, so that F is in it, but not linearly.
* `shallow`: T alone, one random layer with leaky ReLU: the boundaries are in it, F is not.

Classes, means and deviations are those of the photographs that are trained on. All is drawn from one seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from a2u_bench.quality.photographs import Picture

CHANNELS = 16
FEATURES = ("seg", "gabor", "relu3")
GUIDES = ("mix", "nl", "shallow")

TEXTURE = 0.5
"""Of the photograph's texture in a mixed guide, where F has 1."""

REGIONS = {"scale": 100, "sigma": 0.5, "min_size": 150}
JITTER, PIXELS = 0.5, 2_000
"""What is added to a region's mean colour (CIE Lab) before classes are made, and how many of a photograph's pixels."""

FREQUENCIES, DIRECTIONS = (0.06, 0.09, 0.135, 0.2), 4
"""Of the Gabor filters, in cycles a pixel."""

LEAK = 0.1

Maps = list[Tensor]
"""One [C, H, W] for each photograph, those trained on first."""


@dataclass(frozen=True)
class FeaturesAndGuide:
    """Features and their guide, each with the means of the photographs trained on taken off, and of unit deviation."""

    features: Maps
    guide: Maps


def make(pictures: Sequence[Picture], trained: int, features: str, guide: str, seed: int) -> FeaturesAndGuide:
    """Both of every photograph; the first `trained` of them decide what is fitted."""
    random = torch.Generator().manual_seed(seed)
    images = [torch.from_numpy(picture) for picture in pictures]
    found = _normal({"seg": _classes, "gabor": _gabor, "relu3": _layers}[features](images, trained, random), trained)
    return FeaturesAndGuide(found, _normal(_guide(guide, images, found, trained, random), trained))


def _guide(name: str, images: Maps, features: Maps, trained: int, random: torch.Generator) -> Maps:
    texture = _layer(images, trained, random, lambda x: functional.leaky_relu(x, LEAK))
    if name == "shallow":
        return texture
    rotation = torch.linalg.qr(torch.randn(CHANNELS, CHANNELS, generator=random)).Q
    size = _deviation(texture[:trained])
    mixed = [
        torch.einsum("oc,chw->ohw", rotation, f) + TEXTURE * t / size for f, t in zip(features, texture, strict=True)
    ]
    return _layer(mixed, trained, random, torch.relu) if name == "nl" else mixed


def _layers(images: Maps, trained: int, random: torch.Generator) -> Maps:
    for _ in range(3):
        images = _layer(images, trained, random, torch.relu)
    return images


def _layer(maps: Maps, trained: int, random: torch.Generator, activation: Callable[[Tensor], Tensor]) -> Maps:
    """A random 3×3 convolution, each channel standardised over the photographs trained on, and an activation."""
    kernel = torch.randn(CHANNELS, len(maps[0]), 3, 3, generator=random) / (9 * len(maps[0])) ** 0.5
    out = [functional.conv2d(functional.pad(x[None], (1, 1, 1, 1), mode="replicate"), kernel)[0] for x in maps]
    every = torch.cat([x.flatten(1) for x in out[:trained]], 1)
    mean, deviation = every.mean(1)[:, None, None], every.std(1).clamp(min=1e-6)[:, None, None]
    return [activation((x - mean) / deviation) for x in out]


def _normal(maps: Maps, trained: int) -> Maps:
    """The mean of each channel taken off, and one deviation divided out, those of the photographs trained on."""
    mean = torch.cat([x.flatten(1) for x in maps[:trained]], 1).mean(1)[:, None, None]
    centred = [x - mean for x in maps]
    size = _deviation(centred[:trained])
    return [x / size for x in centred]


def _deviation(maps: Maps) -> float:
    """The root of the mean square over all channels."""
    total = sum(float(x.square().sum(dtype=torch.float64)) for x in maps)
    return float(max(total / sum(x.numel() for x in maps), 1e-12) ** 0.5)


def _classes(images: Maps, trained: int, random: torch.Generator) -> Maps:
    """One-hot classes of the regions."""
    from scipy.cluster.vq import kmeans2, vq

    draws = np.random.default_rng(int(torch.randint(1 << 62, (), generator=random)))
    colours = [_region_colours(image.numpy().tobytes(), tuple(image.shape[1:])) for image in images]
    some = []
    for colour in colours[:trained]:
        flat = colour.reshape(-1, 3)
        picked = flat[draws.integers(len(flat), size=PIXELS)]
        some.append(picked + JITTER * draws.standard_normal(picked.shape))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)  # a class that no region has
        centres, _ = kmeans2(np.concatenate(some), CHANNELS, minit="++", seed=draws)
    found = []
    for colour in colours:
        classes = torch.from_numpy(vq(colour.reshape(-1, 3), centres)[0]).long().view(colour.shape[:2])
        found.append(functional.one_hot(classes, CHANNELS).permute(2, 0, 1).float())
    return found


@cache
def _region_colours(pixels: bytes, size: tuple[int, int]) -> NDArray[np.float64]:
    """Each pixel's region's mean colour, [H, W, 3] in CIE Lab."""
    from skimage.color import rgb2lab
    from skimage.segmentation import felzenszwalb

    image = np.frombuffer(pixels, dtype=np.float32).reshape(3, *size).transpose(1, 2, 0)
    regions = felzenszwalb(image, **REGIONS)
    lab = rgb2lab(image).astype(np.float64)
    count = np.bincount(regions.ravel())
    means = np.stack([np.bincount(regions.ravel(), lab[..., c].ravel()) / count for c in range(3)], -1)
    found: NDArray[np.float64] = means[regions]
    return found


def _gabor(images: Maps, trained: int, random: torch.Generator) -> Maps:
    """Moduli of the filtered grey photograph; nothing is fitted or drawn."""
    from scipy.signal import fftconvolve
    from skimage.filters import gabor_kernel

    kernels = [
        gabor_kernel(frequency, np.pi * turn / DIRECTIONS) for frequency in FREQUENCIES for turn in range(DIRECTIONS)
    ]
    found = []
    for image in images:
        grey = image.mean(0).numpy()
        reach = max(max(kernel.shape) for kernel in kernels) // 2 + 1
        padded = np.pad(grey, min(reach, min(grey.shape) - 1), mode="reflect")
        cut = (padded.shape[0] - grey.shape[0]) // 2
        moduli = [np.abs(fftconvolve(padded, kernel, mode="same")) for kernel in kernels]
        whole = np.stack([modulus[cut : cut + grey.shape[0], cut : cut + grey.shape[1]] for modulus in moduli])
        found.append(torch.from_numpy(whole.astype(np.float32)))
    return found

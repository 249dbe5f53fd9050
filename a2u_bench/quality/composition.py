"""Composition-1k as its licence holders lay it out: foregrounds to compose crops of, and test images with trimaps.

    DIR/Training_set/fg       photographs of foregrounds
    DIR/Training_set/alpha    their alphas, under the same names
    DIR/Training_set/bg       backgrounds of any names; or train2014, as COCO calls them
    DIR/Test_set/merged       composed images, NAME_0.png, NAME_1.png, …
    DIR/Test_set/trimaps      their trimaps, under the same names
    DIR/Test_set/alpha        their alphas: NAME_0.png, or NAME.png for all of a foreground

Files are PNG or JPEG, 8 bits a channel; endings may differ where names are the same. Foregrounds and a choice of the
backgrounds are read once and stay in memory; test images are read one by one when a trained network is scored. What
is read is told by a SHA-256 over the paths and sizes of the files, not over what is in them: there are gigabytes.

Ning Xu, Brian Price, Scott Cohen, Thomas Huang, "Deep Image Matting", CVPR 2017, arXiv 1703.03872.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from a2u_bench.errors import BenchError
from a2u_bench.quality.mattes import UNKNOWN, trimap

TRAIN, TEST = "Training_set", "Test_set"
BACKGROUNDS = ("bg", "train2014")
MOST_BACKGROUNDS = 2_000
"""Backgrounds that are held, a choice by the seed where there are more."""

WIDEST = 14
"""Pixels by which the unknown region of a training crop is wider than its alpha's, at most."""

ENDINGS, FORMATS = (".png", ".jpg", ".jpeg"), ("PNG", "JPEG")
SIDES = (16, 8_192)
SHARE = 0.5
"""Of the memory that is free, what images may take."""

Pixels = NDArray[np.uint8]
Read = TypeVar("Read")


@dataclass(frozen=True)
class Composed:
    """Crops of foregrounds [H, W, 4], RGB and alpha, over backgrounds [H, W, 3]: another one each time.

    A crop lies around a pixel that is neither foreground nor background, over any part of any background, and is
    mirrored half of the time. Its trimap leaves unknown what lies within 1 to 14 pixels of such pixels.
    """

    fronts: Sequence[Pixels]
    backs: Sequence[Pixels]
    side: int
    count: int

    def __len__(self) -> int:
        return self.count

    def batch(self, picked: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs [B, 4, S, S] and alphas [B, 1, S, S]; foregrounds take turns."""
        draws = np.random.default_rng(int(torch.randint(1 << 62, (), generator=random)))
        indices = picked.tolist()
        inputs = np.empty((len(indices), 4, self.side, self.side), dtype=np.float32)
        alphas = np.empty((len(indices), 1, self.side, self.side), dtype=np.float32)
        for place, index in enumerate(indices):
            front = self._window(self.fronts[index % len(self.fronts)], draws)
            back = self._window(self.backs[int(draws.integers(len(self.backs)))], draws)
            alpha = front[..., 3] / 255
            mixed = alpha[..., None] * front[..., :3] + (1 - alpha[..., None]) * back
            inputs[place, :3] = mixed.transpose(2, 0, 1) / 255
            inputs[place, 3] = trimap(alpha, int(draws.integers(1, WIDEST + 1)))
            alphas[place, 0] = alpha
        return torch.from_numpy(inputs), torch.from_numpy(alphas)

    def _window(self, image: Pixels, draws: np.random.Generator) -> Pixels:
        """A square of an image; where there is an alpha, around one of its pixels that are neither 0 nor 255."""
        height, width = image.shape[:2]
        row, column = (int(draws.integers(0, length - self.side + 1)) for length in (height, width))
        if image.shape[2] == 4:
            between = np.flatnonzero((image[..., 3] > 0) & (image[..., 3] < 255))
            if len(between):
                centre = divmod(int(between[draws.integers(len(between))]), width)
                row = min(max(centre[0] - self.side // 2, 0), height - self.side)
                column = min(max(centre[1] - self.side // 2, 0), width - self.side)
        window = image[row : row + self.side, column : column + self.side]
        return window[:, ::-1] if draws.integers(2) else window


@dataclass(frozen=True)
class Triples:
    """Test images, each read when its turn comes: input [4, H, W], and alpha [H, W]."""

    paths: tuple[tuple[Path, Path, Path], ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[tuple[Tensor, NDArray[np.float32]]]:
        for merged, known, true in self.paths:
            said = _pixels(known, "L")
            if not ((said > 0) & (said < 255)).any():
                raise BenchError(f"{known}: leaves no pixel unknown, so there is nothing to score")
            map_ = np.where(said == 255, 1.0, np.where(said == 0, 0.0, UNKNOWN))
            image = np.concatenate([_pixels(merged, "RGB").transpose(2, 0, 1) / 255, map_[None]])
            yield torch.from_numpy(image.astype(np.float32)), (_pixels(true, "L") / 255).astype(np.float32)


@dataclass(frozen=True)
class Composition:
    """What a folder holds; its name is the folder's, and the first digits of the checksum of its listing."""

    name: str
    crops: Composed
    tests: Triples
    sha256: dict[str, str]


def read(folder: Path, side: int, count: int, test_images: int | None, seed: int = 0) -> Composition:
    """The set in a folder, to train on `count` crops of `side` pixels an epoch and to score `test_images`, or all.

    BenchError, in one line, for files that are missing, damaged, too large, without partner, of another size than
    their partner, or links that lead out of the folder, and for more pixels than half of the free memory holds.
    """
    parts = {name: _files(folder, f"{TRAIN}/{name}") for name in ("fg", "alpha")}
    held = next((name for name in BACKGROUNDS if (folder / TRAIN / name).is_dir()), BACKGROUNDS[0])
    backs = _some(list(_files(folder, f"{TRAIN}/{held}").values()), MOST_BACKGROUNDS, seed)
    fronts = [(path, _partner(path, parts["alpha"], path.stem)) for path in parts["fg"].values()]
    needed = sum(4 * _area(_same_size(pair), side) for pair in fronts) + sum(3 * _area(_size(b), side) for b in backs)
    free = int(SHARE * psutil.virtual_memory().available)
    if needed > free:
        raise BenchError(f"{folder}: its images take {needed >> 20} MiB of memory; allowed here: {free >> 20} MiB")
    known, true = (_files(folder, f"{TEST}/{name}") for name in ("trimaps", "alpha"))
    triples = []
    for path in _some(list(_files(folder, f"{TEST}/merged").values()), test_images, seed):
        triple = (path, _partner(path, known, path.stem), _partner(path, true, path.stem, _without_number(path.stem)))
        _same_size(triple)
        triples.append(triple)
    every = sorted({path for group in (*fronts, backs, *triples) for path in group})
    listing = "".join(f"{path.relative_to(folder)} {path.stat().st_size}\n" for path in every)
    digest = hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()
    crops = Composed(
        [np.dstack([_pixels(a, "RGB", side), _pixels(b, "L", side)]) for a, b in fronts],
        [_pixels(path, "RGB", side) for path in backs],
        side,
        count,
    )
    return Composition(f"{folder.resolve().name}-{digest[:8]}", crops, Triples(tuple(triples)), {"listing": digest})


def _files(folder: Path, name: str) -> dict[str, Path]:
    """The images of a folder by their names without endings, sorted."""
    inside = folder / name
    if not inside.is_dir():
        raise BenchError(f"{inside}: no such folder; expected {TRAIN}/{{fg,alpha,bg}}, {TEST}/{{merged,trimaps,alpha}}")
    found = {path.stem: path for path in sorted(inside.iterdir()) if path.suffix.lower() in ENDINGS}
    if not found:
        raise BenchError(f"{inside}: no image in it; allowed: files that end in {', '.join(ENDINGS)}")
    root = folder.resolve()
    for path in found.values():
        if not path.resolve().is_relative_to(root):
            raise BenchError(f"{path}: is a link out of {folder}; allowed: files within it")
    return found


def _partner(path: Path, others: dict[str, Path], *names: str) -> Path:
    for name in names:
        if name in others:
            return others[name]
    where = next(iter(others.values())).parent
    raise BenchError(f"{path}: has no partner in {where}; expected one named {names[-1]}.png")


def _without_number(name: str) -> str:
    return re.sub(r"_\d{1,6}$", "", name)


def _some(paths: list[Path], most: int | None, seed: int) -> list[Path]:
    if most is None or len(paths) <= most:
        return paths
    return [paths[index] for index in np.sort(np.random.default_rng(seed).permutation(len(paths))[:most])]


def _area(size: tuple[int, int], side: int) -> int:
    """Pixels of an image that is enlarged so that a crop fits."""
    scale = max(1.0, side / min(size))
    return round(scale * size[0]) * round(scale * size[1])


def _same_size(paths: Sequence[Path]) -> tuple[int, int]:
    sizes = [_size(path) for path in paths]
    for path, size in zip(paths[1:], sizes[1:], strict=True):
        if size != sizes[0]:
            shown = [f"{width}×{height}" for width, height in (size, sizes[0])]
            raise BenchError(f"{path}: {shown[0]} pixels, but {paths[0].name} has {shown[1]}")
    return sizes[0]


def _size(path: Path) -> tuple[int, int]:
    """Width and height, from the header alone."""
    return _opened(path, lambda image: image.size)


def _pixels(path: Path, mode: str, side: int = 0) -> Pixels:
    """The image in this mode, enlarged where its shorter side is less than `side`."""

    def decode(image: Image.Image) -> Pixels:
        scale = max(1.0, side / min(image.size))
        size = (round(scale * image.width), round(scale * image.height))
        converted = image.convert(mode)
        return np.asarray(converted if scale == 1 else converted.resize(size, Image.Resampling.BILINEAR))

    return _opened(path, decode)


def _opened(path: Path, use: Callable[[Image.Image], Read]) -> Read:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the decoder, on what it had to guess
        try:
            with Image.open(path, formats=FORMATS) as image:
                if not all(SIDES[0] <= length <= SIDES[1] for length in image.size):
                    size = f"{image.width}×{image.height}"
                    raise BenchError(f"{path}: {size} pixels; allowed: sides from {SIDES[0]} to {SIDES[1]}")
                if image.mode.startswith(("I", "F")):
                    raise BenchError(f"{path}: {image.mode} has more than 8 bits a channel, which are not read")
                return use(image)
        except BenchError:
            raise
        except Exception as error:  # a damaged file makes a decoder raise anything
            raise BenchError(
                f"{path}: cannot be read as PNG or JPEG ({type(error).__name__}: {_line(error)})"
            ) from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())

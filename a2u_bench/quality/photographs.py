"""Photographs that features are made of: those that scikit-image ships, others to confirm with, or a person's folder.

Each is halved by 2×2 means, so that its edges are sharp to the pixel and no block of a JPEG is left. Folds take turns:
of n folds the f-th tests on the photographs f, f + n, f + 2n, … and trains on all others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2u_bench.errors import BenchError, UsageError

PHOTOGRAPHS, OTHERS = "photographs", "other-photographs"

NAMES = (
    *("astronaut.png", "chelsea.png", "coffee.png"),
    *("coins.png", "camera.png", "rocket.jpg"),
    *("brick.png", "gravel.png", "grass.png"),
    *("text.png", "page.png", "moon.png"),
)
"""Of three folds each has a person or an animal, things, a texture, and something flat."""

OTHER_NAMES = (
    *("motorcycle_left.png", "ihc.png", "retina.jpg"),
    *("hubble_deep_field.jpg", "clock_motion.png", "grace_hopper.jpg"),
)
"""None of them shows what one of NAMES does. The last is matplotlib's."""

ENDINGS, FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"), ("PNG", "JPEG", "TIFF", "BMP")
MOST, LARGEST = 200, 4_096
"""Photographs of a folder, and pixels of a side."""

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Photographs:
    """Photographs [3, H, W] in [0, 1], halved, sides even, by name; where the pixels came from, by SHA-256."""

    name: str
    pictures: dict[str, Picture]
    sha256: dict[str, str]

    def fold(self, number: int, folds: int) -> tuple[list[str], list[str]]:
        """The names that one of so many folds trains on, and those that it tests on."""
        names = list(self.pictures)
        test = names[number::folds]
        return [name for name in names if name not in test], test


def load(text: str, side: int) -> Photographs:
    """The photographs of that name or in that folder, each at least `side` pixels wide and high once it is halved.

    UsageError for a name that is neither, and for a folder with fewer than two photographs, or one that is damaged,
    too small or too large.
    """
    if text in (PHOTOGRAPHS, OTHERS):
        return _read(text, [_packaged(name) for name in (NAMES if text == PHOTOGRAPHS else OTHER_NAMES)], side)
    if not text or not (Path(text).exists() or "/" in text):
        raise UsageError(f"--data {text!r}: no such data; allowed: {PHOTOGRAPHS}, {OTHERS}, or a folder of photographs")
    folder = Path(text)
    if not folder.is_dir():
        raise UsageError(f"--data {text}: no such folder; allowed: a folder of photographs")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
    if not 2 <= len(paths) <= MOST:
        raise UsageError(f"--data {text}: {len(paths)} photographs in it; allowed: 2 to {MOST}, {', '.join(ENDINGS)}")
    found = _read("", paths, side)
    digest = hashlib.sha256("".join(found.sha256.values()).encode()).hexdigest()
    return Photographs(f"{folder.resolve().name}-{digest[:8]}", found.pictures, found.sha256)


def _packaged(name: str) -> Path:
    """Where a photograph lies in the installed package. BenchError where it does not."""
    import matplotlib
    from skimage import data

    places = (Path(data.__file__).parent, Path(matplotlib.get_data_path()) / "sample_data")
    for place in places:
        if (place / name).is_file():
            return place / name
    raise BenchError(f"no {name} in the installed scikit-image and matplotlib; --data DIR takes other photographs")


def _read(name: str, paths: list[Path], side: int) -> Photographs:
    pictures, digests = {}, {}
    for path in paths:
        pictures[path.name] = _halved(path, side)
        digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return Photographs(name, pictures, digests)


def _halved(path: Path, side: int) -> Picture:
    """[3, H, W]: 2×2 means, grey ones three times."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if max(width, height) > LARGEST or min(width, height) < 2 * side:
                raise UsageError(
                    f"--data {path}: is {width}×{height} pixels; allowed: sides of {2 * side} to {LARGEST}"
                )
            pixels = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    except (OSError, SyntaxError, ValueError) as error:
        why = " ".join(str(error).split())
        raise UsageError(f"--data {path}: cannot be read as a photograph: {why}") from None
    height, width = (length // 4 * 4 for length in pixels.shape[:2])
    whole = pixels[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return np.ascontiguousarray(whole.mean((1, 3)).transpose(2, 0, 1))

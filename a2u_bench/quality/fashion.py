"""Fashion-MNIST and folders like it: where the IDX files lie, whether they are what was published, and fetching them.

Han Xiao, Kashif Rasul, Roland Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", arXiv 1708.07747, 2017; MIT licence. Labels are not needed and not read.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2u_bench.errors import BenchError, UsageError
from a2u_bench.quality import idx

NAME = "fashion-mnist"
FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
PUBLISHED = {
    "train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
}
"""SHA-256 of each file's content, decompressed: gzip files of the same content may differ."""

INSTALLED = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist has the files."""

SOURCES = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
LARGEST_DOWNLOAD = 64 << 20  # bytes; the larger file has 26 million
SIDES = (4, 256)


@dataclass(frozen=True)
class Folder:
    """Images of a folder as bytes [N, H, W], the name of the data set, and the SHA-256 of each file's content."""

    name: str
    train: NDArray[np.uint8]
    test: NDArray[np.uint8]
    sha256: dict[str, str]


def read_folder(folder: Path) -> Folder:
    """The images in a folder of IDX files named as MNIST's are, plain or gzipped.

    The published Fashion-MNIST is told by its checksums; other data gets a name of its own. BenchError where a file is
    missing or damaged, where only one of the two is the published one, and where the two differ in size.
    """
    if not folder.is_dir():
        raise UsageError(f"--data {folder}: no such folder; allowed: natural, {NAME}, or a folder of IDX files")
    found = {part: idx.read(_file(folder, name), 3) for part, name in FILES.items()}
    sha256 = {part: file.sha256 for part, file in found.items()}
    wrong = [part for part in FILES if sha256[part] != PUBLISHED[part]]
    if len(wrong) == 1:
        raise BenchError(
            f"{_file(folder, FILES[wrong[0]])}: wrong checksum {sha256[wrong[0]][:12]}…; the other file is "
            f"Fashion-MNIST's, of which this one has {PUBLISHED[wrong[0]][:12]}…"
        )
    train, test = found["train"].values, found["test"].values
    if train.shape[1:] != test.shape[1:]:
        raise BenchError(f"{folder}: training images are {_sides(train)}, test images {_sides(test)}")
    if not all(SIDES[0] <= side <= SIDES[1] for side in train.shape[1:]):
        raise BenchError(f"{folder}: images are {_sides(train)}; allowed: sides from {SIDES[0]} to {SIDES[1]}")
    digest = hashlib.sha256("".join(sha256.values()).encode()).hexdigest()
    name = f"{folder.resolve().name}-{digest[:8]}" if wrong else NAME
    return Folder(name, train, test, sha256)


def read_published(installed: Path = INSTALLED, cache: Path | None = None) -> Folder:
    """Fashion-MNIST itself: as Debian installs it, else from the cache, into which it is downloaded once.

    BenchError where files differ from the published ones, or where there are none and the network has none either.
    """
    folder = installed if _has_files(installed) else cache or cache_folder()
    if not _has_files(folder):
        _download(folder)
    read = read_folder(folder)
    if read.name != NAME:
        parts = ", ".join(f"{FILES[part]} {digest[:12]}…" for part, digest in read.sha256.items())
        raise BenchError(f"{folder}: wrong checksum: not the published Fashion-MNIST ({parts}); remove the folder")
    return read


def cache_folder() -> Path:
    """Where a download is kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "a2u-bench" / NAME


def _file(folder: Path, name: str) -> Path:
    """The plain file where there is one, else the gzipped one."""
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"


def _has_files(folder: Path) -> bool:
    return all(_file(folder, name).exists() for name in FILES.values())


def _download(folder: Path) -> None:
    tried = []
    for source in SOURCES:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for part, name in FILES.items():
                _fetch(f"{source}{name}.gz", folder / f"{name}.gz", part)
            return
        except (OSError, HTTPException) as error:
            tried.append(f"{source.split('/')[2]}: {getattr(error, 'reason', None) or error}")
    raise BenchError(
        f"Fashion-MNIST is neither in {INSTALLED} nor in {folder}, and cannot be downloaded ({'; '.join(tried)}); "
        "apt-get install dataset-fashion-mnist, name a folder with --data DIR, or take --data natural"
    )


def _fetch(address: str, path: Path, part: str) -> None:
    """One file, checked before it gets its name, so that a name always stands for a whole and right file."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        content = answer.read(LARGEST_DOWNLOAD + 1)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, suffix=".gz")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        digest = idx.read(Path(draft), 3).sha256
        if digest != PUBLISHED[part]:
            raise BenchError(f"{address}: wrong checksum {digest[:12]}…; expected {PUBLISHED[part][:12]}…")
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _sides(images: NDArray[np.uint8]) -> str:
    return "×".join(map(str, images.shape[1:]))

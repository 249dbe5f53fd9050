"""A picture from a stranger as a small array: its size is bounded before a pixel is decoded.

The bundled one is the face of Chelsea the cat, cut and scaled down from scikit-image's sample: CC0 by its
photographer, Stéfan van der Walt.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from a2u_bench.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

BUNDLED = Path(__file__).parent / "chelsea.png"

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MOST_BYTES = 64 << 20
MOST_PIXELS = 50_000_000
SMALLEST = 16  # pixels of the shorter side, below which no neighbourhood is worth a look


def read_image(path: Path, longest: int) -> tuple[NDArray[np.float64], float]:
    """The picture as [H, W, 3] in [0, 1], scaled down to `longest` pixels of its longer side, and by how much.

    UsageError, in one line, for what is no picture, is damaged, too large or too small.
    """
    from PIL import Image

    try:
        if not path.is_file():
            raise UsageError(f"--image {path}: {'is no file' if path.exists() else 'no such file'}; allowed: a picture")
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"--image {path}: larger than {MOST_BYTES >> 20} MiB; scale it down first")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"--image {str(path)!r}: {getattr(error, 'strerror', None) or error}") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the decoder, on what it had to guess
        try:
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    size = f"{image.width}×{image.height}"
                    raise UsageError(f"--image {path}: {size} is more than {MOST_PIXELS} pixels; scale it down first")
                image.draft("RGB", (longest, longest))
                colours = _colours(image)
                before = image.width if image.width >= image.height else image.height
        except UsageError:
            raise
        except Exception as error:  # a damaged file makes a decoder raise anything
            raise UsageError(
                f"--image {path}: cannot be read as a picture ({type(error).__name__}); allowed: {', '.join(FORMATS)}"
            ) from None
        colours.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    pixels = np.asarray(colours, dtype=np.float64) / 255
    if min(pixels.shape[:2]) < SMALLEST:
        size = f"{pixels.shape[1]}×{pixels.shape[0]}"
        raise UsageError(f"--image {path}: {size} after scaling is too small; allowed: sides from {SMALLEST}")
    return pixels, max(pixels.shape[:2]) / before


def _colours(image: Image.Image) -> Image.Image:
    """The picture in RGB; one of 16 bits or of floating-point numbers is stretched over its own range."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = float(values.min()), float(values.max())
        grey = (values - low) / (high - low if high > low else 1) * 255
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    return image.convert("RGB")

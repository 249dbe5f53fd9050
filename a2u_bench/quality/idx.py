"""IDX files, MNIST's format: unsigned bytes, read whole, and bounded before anything is allocated.

Layout (big-endian): two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as 32 bits,
then the values, row-major, to the end of the file. A name that ends in `.gz` is decompressed while it is read.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2u_bench.errors import BenchError

UNSIGNED_BYTE = 8
LARGEST = 1 << 29
"""Most values of one file: ten times MNIST's 47 million, so that a false header cannot ask for all memory."""

CHUNK = 1 << 20


@dataclass(frozen=True)
class IdxFile:
    """The values [dimensions of the header], and the SHA-256 of the file's content, decompressed."""

    values: NDArray[np.uint8]
    sha256: str


def read(path: Path, dimensions: int, largest: int = LARGEST) -> IdxFile:
    """The IDX file at `path`, which must have this many dimensions and at most `largest` values.

    Raises BenchError, in one line with the path, for a file that is missing, cannot be read or decompressed, is no
    IDX file of bytes, has other dimensions, is larger than allowed, or is shorter or longer than its header says.
    """
    try:
        if not path.is_file():
            raise BenchError(f"{path}: no such file; expected an IDX file")
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return _read(file, path, dimensions, largest)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BenchError(f"{path}: damaged gzip file: {error}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BenchError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _read(file: BufferedIOBase, path: Path, dimensions: int, largest: int) -> IdxFile:
    magic = file.read(4)
    if len(magic) < 4:
        raise BenchError(f"{path}: truncated: {len(magic)} bytes, too few for the header of an IDX file")
    if magic != bytes((0, 0, UNSIGNED_BYTE, dimensions)):
        expected = bytes((0, 0, UNSIGNED_BYTE, dimensions)).hex(" ")
        raise BenchError(
            f"{path}: wrong magic number {magic.hex(' ')}; expected {expected}, an IDX file of bytes in "
            f"{dimensions} dimension{'s' if dimensions > 1 else ''}"
        )
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise BenchError(f"{path}: truncated within its header")
    sizes = struct.unpack(f">{dimensions}I", header)
    count = math.prod(sizes)
    shape = "×".join(map(str, sizes))
    if not 0 < count <= largest:
        raise BenchError(f"{path}: its header says {shape} values; allowed: 1 to {largest}")
    digest = hashlib.sha256(magic + header)
    # Grown by what is really there: a short file with a large header allocates no more than it holds.
    content = bytearray()
    while chunk := file.read(min(CHUNK, count + 1 - len(content))):
        content += chunk
        digest.update(chunk)
    if len(content) < count:
        raise BenchError(f"{path}: truncated: its header says {shape} values, {len(content)} are there")
    if len(content) > count:
        raise BenchError(f"{path}: longer than its header says ({shape} values)")
    return IdxFile(np.frombuffer(content, np.uint8).reshape(sizes), digest.hexdigest())

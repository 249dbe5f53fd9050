"""What the C library does with memory that torch frees: hand it back to the system, or keep it for the next call.

By default it hands back large blocks, and the next call pays a page fault for each 4 KiB of its output: several times
what a fast kernel takes. Whether it does so depends on where the block lies in the heap, so that one process pays and
the next does not. A program that keeps its memory, as a server does, never pays: that is what is measured by default.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

from a2u_bench.operators import Impossible

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # as glibc's malloc.h numbers them
PAD = 1 << 28  # bytes that are asked of the system at once


def keep_freed_blocks() -> None:
    """From now on this process keeps every block that it frees. Impossible where the C library is not glibc.

    The same as MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456 in the
    environment of a process: no block is mapped by itself, and the top of the heap is never given back.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            if all(mallopt(name, value) for name, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1), (TOP_PAD, PAD))):
                return
    raise Impossible("freed blocks can be kept with glibc's allocator alone")

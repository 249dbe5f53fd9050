"""How CPU kernels run: compiled once and cached on disk, by as many threads as torch has, or by one where none is safe.

numba's workqueue layer aborts the process under concurrent callers, so only OpenMP and TBB are used. A process forked
after OpenMP has started may not use it, and runs its kernels on one thread.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import torch

logger = logging.getLogger("upsamplers")

SMALL = 1 << 16
"""Multiply-adds below which one thread is faster than waking others."""

_lock = threading.Lock()
_announced: set[str] = set()


@functools.cache
def sources_digest() -> str:
    """What the kernels were compiled from. numba itself watches only the file that a cached function stands in."""
    parts = sorted(Path(__file__).parent.glob("cpu_*.py"))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def cached(function: Callable[..., None]) -> Any:
    """The kernel, cached on disk under the digest of all sources; in memory alone where no folder is writable."""
    kernel: Any = function
    try:
        kernel.enable_caching()
        kernel._cache._cache_file._source_stamp = sources_digest()
    except (RuntimeError, AttributeError) as reason:
        logger.info("CPU kernels are not cached on disk: %s", reason)
    return kernel


def _launch() -> tuple[str, int] | None:
    try:
        name = numba.threading_layer()
    except ValueError:
        name = None
    if name is None:
        asked = str(numba.config.THREADING_LAYER).lower()
        threads = torch.get_num_threads()
        for layer in ("omp", "tbb") if asked in ("default", "workqueue") else (asked,):
            numba.config.THREADING_LAYER = layer
            try:
                numba.get_num_threads()
                name = numba.threading_layer()
                break
            except (ValueError, ImportError):
                continue
        if torch.get_num_threads() != threads:  # both may share one OpenMP runtime
            torch.set_num_threads(threads)
    return (name, os.getpid()) if name in ("omp", "tbb") else None


@functools.cache
def _layer() -> tuple[str, int] | None:
    with _lock:
        layer = _launch()
    if layer is None:
        logger.warning("numba has neither OpenMP nor TBB here: CPU kernels run on one thread")
    return layer


def threads() -> int:
    """How many threads a kernel may use now."""
    wanted = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
    if wanted == 1:
        return 1
    layer = _layer()
    if layer is None or (layer[0] == "omp" and layer[1] != os.getpid()):
        return 1
    return wanted


def parts_for(work: int, items: int) -> int:
    """In how many parts to split this many multiply-adds and independent items."""
    return 1 if work < SMALL else max(1, min(threads(), items))


def run(name: str, serial: Any, parallel: Any, parts: int, *arguments: Any) -> None:
    """Run a kernel in `parts` parts: `serial(part, parts, …)` alone, or `parallel(parts, …)`."""
    kernel = serial if parts == 1 else parallel
    key = f"{name} {parts == 1} {arguments[1].dtype}"
    if key not in _announced:
        _announced.add(key)
        signature = tuple(numba.typeof(argument) for argument in ((0, 1) if parts == 1 else (1,)) + arguments)
        logger.info("preparing the CPU kernel %s for %s (compiled once, then cached)", name, arguments[1].dtype)
        kernel.compile(signature)
    if parts == 1:
        kernel(0, 1, *arguments)
        return
    before = numba.get_num_threads()
    numba.set_num_threads(parts)
    try:
        kernel(parts, *arguments)
    finally:
        numba.set_num_threads(before)

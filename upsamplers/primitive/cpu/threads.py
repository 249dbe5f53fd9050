"""How CPU kernels run: compiled once and cached on disk, by as many threads as torch has, or by one where none is safe.

numba's workqueue layer aborts the process under concurrent callers, so only OpenMP and TBB are used. A process forked
after OpenMP has started may not use it, and runs its kernels on one thread.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from upsamplers.primitive.cpu.elements import KINDS
from upsamplers.primitive.cpu.packet import SIGNATURE, share

numba: Any = importlib.import_module("numba")  # its type hints leave out half of what it exports
logger = logging.getLogger("upsamplers")

SMALL = 1 << 16
"""Multiply-adds below which one thread is faster than waking others."""

_lock = threading.Lock()


@functools.cache
def version() -> int:
    """A number for what the kernels are compiled from; numba's cache knows only the file that a kernel stands in.

    It is negative, so that no count of parts equals it: a kernel that names it is cached under it.
    """
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return -1 - int.from_bytes(hashlib.sha256(sources).digest()[:7], "big")


@functools.cache
def compiled(factory: Callable[..., Any], *types: torch.dtype) -> Any:
    """A kernel for these types of tensors, from the cache on disk or compiled into it."""
    what = f"{factory.__module__.rpartition('.')[2]}.{factory.__name__} for {', '.join(str(one) for one in types)}"
    logger.info("preparing the CPU kernel %s (compiled once, then cached on disk)", what)
    kernel = factory(*(KINDS[one] for one in types), version())
    with _lock:
        try:
            return numba.cfunc(SIGNATURE, cache=True)(kernel)
        except RuntimeError as reason:  # no folder to cache in
            logger.info("CPU kernels are not cached on disk: %s", reason)
            return numba.cfunc(SIGNATURE)(kernel)


@functools.cache
def _shared() -> Any:
    try:
        return numba.njit(nogil=True, parallel=True, cache=True)(share)
    except RuntimeError:
        return numba.njit(nogil=True, parallel=True)(share)


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


def run(kernel: Any, parts: int, packet: Any) -> None:
    """Run a kernel in `parts` parts on a packet, an array of ctypes' integers."""
    if parts == 1:
        kernel.ctypes(0, 1, packet)
        return
    before = numba.get_num_threads()
    numba.set_num_threads(parts)
    try:
        _shared()(parts, kernel.address, np.frombuffer(packet, np.int64))
    finally:
        numba.set_num_threads(before)

"""How long numba compiles: the first run in a new place pays for kernels that every later one reads from a cache."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def compiling() -> Iterator[list[float]]:
    """A list that holds, afterwards, the seconds in which kernels were compiled inside; empty where none was."""
    found: list[float] = []
    if "numba" not in sys.modules:
        yield found
        return
    from numba.core import event

    with event.install_timer("numba:compile", found.append):
        yield found

"""How long kernels are compiled: the first run in a new place pays for what every later one reads from a cache."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def compiling(tell: Callable[[bool], None] = lambda begins: None) -> Iterator[list[float]]:
    """A list that holds, afterwards, the seconds in which kernels were compiled inside; empty where none was.

    `tell` hears when numba begins (True) and ends; of Triton, which compiles ahead (`ahead`), only the end is known.
    """
    found: list[float] = []
    with ExitStack() as stack:
        if "numba" in sys.modules:
            stack.enter_context(_numba(found, tell))
        if "triton" in sys.modules:
            stack.enter_context(_triton(found))
        yield found


@contextmanager
def _numba(found: list[float], tell: Callable[[bool], None]) -> Iterator[None]:
    from numba.core import event

    class CompileListener(event.Listener):
        """Counts nested compilations as one, as numba's timer does."""

        depth = 0

        def on_start(self, _: Any) -> None:
            self.depth += 1
            tell(True)

        def on_end(self, _: Any) -> None:
            self.depth -= 1
            tell(self.depth > 0)

    with event.install_timer("numba:compile", found.append), event.install_listener("numba:compile", CompileListener()):
        yield


@contextmanager
def _triton(found: list[float]) -> Iterator[None]:
    """Triton tells how long it took since 3.4."""
    knobs: Any = getattr(sys.modules["triton"], "knobs", None)
    if not hasattr(getattr(knobs, "compilation", None), "listener"):
        yield
        return

    def listener(*, times: Any, cache_hit: bool, **_: Any) -> None:
        if not cache_hit:
            found.append(times.total * 1e-6)

    before, knobs.compilation.listener = knobs.compilation.listener, listener
    try:
        yield
    finally:
        knobs.compilation.listener = before

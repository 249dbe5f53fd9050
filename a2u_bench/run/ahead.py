"""Compiling ahead: kernels of a GPU are compiled before anything is checked or timed, by as many processes as cores.

Each case is called once and forgotten; what was compiled stays in the compilers' caches on disk. A mark beside Triton's
says so, and a later run starts none of these processes. On a CPU there is nothing to gain: numba keeps an index of what
it compiled that two processes must not write at once.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from a2u_bench.case import Case
from a2u_bench.errors import BenchError
from a2u_bench.machine.system import usable_cores
from a2u_bench.operators.devices import visible_gpu
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.processes import Worker

if TYPE_CHECKING:
    from a2u_bench.run.block import Shared

ROOM = 1 << 30
"""Bytes of a GPU that a process needs beside its case: its context, and what libraries keep."""

MAPS = 16
"""Maps of the size of its output that a case takes, about, in training."""


def compile_ahead(cases: Iterable[Case], shared: Shared) -> float:
    """Compile what these cases will run, where nobody has; the seconds that it took.

    A case whose compilation took too long ends here. What fails otherwise is left to its check, which says why; so is
    what no process could be started for, since a GPU may have no room for as many as there are cores.
    """
    marks = _marks([case for case in cases if case.device == "cuda"])
    waiting = [case for case, mark in marks.items() if not mark.exists()]
    if not waiting:
        return 0.0
    begin = shared.clock()
    crew = _Crew(shared, deque(_spread(waiting)), marks)
    at_once = _at_once(waiting)
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for work in [threads.submit(crew.work) for _ in range(at_once)]:
                work.result()
        except BaseException:
            crew.stop()
            raise
    return shared.clock() - begin


class _Crew:
    """What the processes have before them, and those that are at it."""

    def __init__(self, shared: Shared, waiting: deque[Case], marks: Mapping[Case, Path]) -> None:
        self._shared, self._waiting, self._marks = shared, waiting, marks
        self._busy: list[Worker] = []

    def work(self) -> None:
        """Compile until nothing waits, in a process of its own; in another where that one is lost, in none where none
        starts."""
        while self._waiting:
            try:
                with self._shared.start_beside(self._waiting[0]) as worker:
                    self._busy.append(worker)
                    try:
                        while self._one(worker, self._waiting.popleft()):
                            pass
                    finally:
                        self._busy.remove(worker)
            except IndexError:  # another took the last one
                continue
            except BenchError:
                return

    def stop(self) -> None:
        """Leave what waits, and end what runs."""
        self._waiting.clear()
        for worker in list(self._busy):
            worker.__exit__(None, None, None)

    def _one(self, worker: Worker, case: Case) -> bool:
        """Whether the process can go on after this case."""
        shared = self._shared
        shared.doing(case, "compile")
        try:
            worker.ask("predict", case, shared.settings.memory_limit)
            worker.ask("build", case)
            if worker.ask("compile", case):
                _set(self._marks[case])
            worker.ask("drop", case)
        except CaseEnded as end:
            if end.status == "timeout":
                shared.ended[case.id] = end
            return not end.lost
        return True


def _spread(cases: Sequence[Case]) -> list[Case]:
    """The first case of each operator, then the second of each, and so on: variants share kernels, and whoever comes
    later finds them compiled."""
    by_operator: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        by_operator.setdefault((case.operator, case.mode), []).append(case)
    return [case for case in chain(*zip_longest(*by_operator.values())) if case is not None]


def _at_once(cases: Sequence[Case]) -> int:
    """How many processes: one for each core, and no more than fit into the GPU's memory."""
    free = None
    with suppress(RuntimeError, AssertionError):  # no CUDA here
        free = None if (gpu := visible_gpu()) is None else gpu.free_memory()
    most = min(len(cases), usable_cores())
    if free is None:
        return most
    largest = max(case.batch * case.channels * case.height * case.width * case.scale**2 for case in cases)
    return max(1, min(most, free // (ROOM + 4 * MAPS * largest)))


def _marks(cases: Sequence[Case]) -> dict[Case, Path]:
    """The file of each case that is there once its kernels are, for this machine, these programs and these sources."""
    if not cases:
        return {}
    root = os.environ.get("TRITON_CACHE_DIR")
    home = Path(os.environ.get("TRITON_HOME") or Path.home())
    folder = (Path(root) if root else home / ".triton" / "cache") / "a2u-bench"
    programs = [(name, _version(name)) for name in ("torch", "triton", "pytorch-triton")]
    alike = platform.node(), os.environ.get("CUDA_VISIBLE_DEVICES"), programs, _sources()
    return {case: folder / hashlib.sha256(repr((case.id, *alike)).encode()).hexdigest() for case in cases}


def _set(mark: Path) -> None:
    with suppress(OSError):  # the next run compiles ahead again, and finds all in the cache
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _sources() -> str:
    """A digest of our kernels and of the operators that call them."""
    found = hashlib.sha256()
    places = getattr(find_spec("upsamplers"), "submodule_search_locations", None) or ()
    for path in sorted(path for place in places for path in Path(place).rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

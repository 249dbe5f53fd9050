"""Fresh processes for measuring, and what they have in common.

A forkserver has torch and the operators loaded, so that a fresh process costs milliseconds; it never runs an
operation of torch, so that every process starts its own threads. Where there is no forkserver, processes are spawned.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from types import TracebackType
from typing import Any, Protocol

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.errors import BenchError
from a2u_bench.run.process import START_TIMEOUT, CaseEnded, Process


class Worker(Protocol):
    """One process. Used in a `with` statement, at whose end the process is gone."""

    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        """Do one step for one case and give its result. Raises CaseEnded where it fails."""
        ...

    def round(self, asked: Sequence[tuple[Case, Any]]) -> list[list[float]]:
        """A sample of each case, consisting of these calls, one right after the other. Raises CaseEnded at the first
        that has none."""
        ...

    def __enter__(self) -> Worker: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Workers(Protocol):
    """Whoever starts fresh processes."""

    def start(self, device: str, threads: int, seed: int, timeout: float) -> Worker:
        """A fresh process. BenchError where none starts."""
        ...

    def renew(self) -> None:
        """From now on processes have nothing in common with those before."""
        ...

    def ceilings(self, device: str, threads: int, dtypes: Sequence[str]) -> dict[str, Any]:
        """What the machine can do at best, measured by a fresh process. CaseEnded or BenchError where that fails."""
        ...


class Processes:
    """Real processes, which measure on these devices, with `gradients` or without: what that needs is loaded before
    they fork."""

    def __init__(self, devices: Collection[str] = ("cpu",), gradients: bool = True) -> None:
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            self._context.set_forkserver_preload(list(operators.preload(devices, gradients)))

    def start(self, device: str, threads: int, seed: int, timeout: float) -> Worker:
        return Process(self._context, (device, threads, seed), timeout)

    def renew(self) -> None:
        """A new forkserver. Processes of one share its addresses, and so how their memory falls into caches: each is
        fast or slow alike by some percent, which no number of them would show."""
        if self._context.get_start_method() == "forkserver":
            forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public name for it
            with suppress(CaseEnded, BenchError), Process(self._context, ("cpu", 1, 0), START_TIMEOUT):
                pass  # now it is there, and no case waits for it

    def ceilings(self, device: str, threads: int, dtypes: Sequence[str]) -> dict[str, Any]:
        """As `measure.ceilings.ceilings` has it."""
        with Process(self._context, (device, threads, 0), START_TIMEOUT) as process:
            return dict(process.request("ceilings", list(dtypes)))


def torch_facts(devices: Collection[str] = ("cpu",)) -> dict[str, Any]:
    """What torch says of itself and of the accelerator, asked of a fresh process; empty where that fails."""
    context = Processes(devices)._context
    with suppress(BenchError, CaseEnded), Process(context, ("cpu", 1, 0), START_TIMEOUT) as process:
        return dict(process.request("facts"))
    return {}


class Gone:
    """In place of a process on a device that is gone: whatever it is asked ends the case."""

    def __init__(self, why: str) -> None:
        self._why = why

    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        raise CaseEnded("failed", self._why, lost=True)

    def round(self, asked: Sequence[tuple[Case, Any]]) -> list[list[float]]:
        raise CaseEnded("failed", self._why, lost=True)

    def __enter__(self) -> Gone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

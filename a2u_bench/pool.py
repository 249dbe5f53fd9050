"""Fresh processes for measuring: how one is started, asked, timed out and mourned. The side of the parent.

A forkserver has torch and the operators loaded, so that a fresh process costs milliseconds; it never runs an
operation of torch, so that every process starts its own threads. Where there is no forkserver, processes are spawned.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from a2u_bench import build, worker
from a2u_bench.errors import BenchError
from a2u_bench.spec import Case

START_TIMEOUT = 120.0
TAIL = 2000
LONGER = {"compile": 10.0}
"""Steps that may take so many times as long as the others."""


class CaseEnded(Exception):
    """A case will not be measured further: its status and reason, and whether its process is gone with it.

    `place` is that of the case among those that were asked for at once.
    """

    def __init__(self, status: str, reason: str, lost: bool, place: int = 0) -> None:
        super().__init__(f"{status}: {reason}")
        self.status, self.reason, self.lost, self.place = status, reason, lost, place


class Worker(Protocol):
    """One process. Used in a `with` statement, at whose end the process is gone."""

    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        """Do one step for one case and give its result. Raises CaseEnded where there is none."""
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

    def start(self, device: str, threads: int, seed: int, timeout: float) -> Worker: ...

    def renew(self) -> None:
        """From now on processes have nothing in common with those before."""
        ...

    def ceilings(self, device: str, threads: int, dtypes: Sequence[str]) -> dict[str, Any] | None:
        """What the machine can do at best, measured by a fresh process; None where it cannot be measured."""
        ...


class Processes:
    """Real processes, which measure on these devices: what that needs is loaded before they fork."""

    def __init__(self, devices: Collection[str] = ("cpu",)) -> None:
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._worked: set[str] = set()
        self._gone: dict[str, str] = {}  # why no process starts on a device any more
        if "forkserver" in methods:
            self._context.set_forkserver_preload(list(build.preload(devices)))

    def start(self, device: str, threads: int, seed: int, timeout: float) -> Worker:
        """A fresh process. BenchError where none starts.

        An accelerator that worked and on which none starts any more is gone, as a GPU that fell off its bus: from then
        on every case there fails at once, with the reason, and no further process is tried.
        """
        if device not in self._gone:
            try:
                process = _Process(self._context, (device, threads, seed), timeout)
            except BenchError as error:
                if device not in self._worked:
                    raise
                self._gone[device] = f"{device} is gone: {error}"
            else:
                if device != "cpu":
                    self._worked.add(device)
                return process
        return _Gone(self._gone[device])

    def renew(self) -> None:
        """A new forkserver. Processes of one share its addresses, and so how their memory falls into caches: each is
        fast or slow alike by some percent, which no number of them would show."""
        if self._context.get_start_method() == "forkserver":
            forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public name for it
            with suppress(CaseEnded, BenchError), _Process(self._context, ("cpu", 1, 0), START_TIMEOUT):
                pass  # now it is there, and no case waits for it

    def ceilings(self, device: str, threads: int, dtypes: Sequence[str]) -> dict[str, Any] | None:
        """As `measure.ceilings.ceilings` has it."""
        with (
            suppress(CaseEnded, BenchError),
            _Process(self._context, (device, threads, 0), START_TIMEOUT) as process,
        ):
            return dict(process.request("ceilings", list(dtypes)))
        return None


def torch_facts(devices: Collection[str] = ("cpu",)) -> dict[str, Any]:
    """What torch says of itself and of the accelerator, asked of a fresh process; empty where that fails."""
    context = Processes(devices)._context
    with suppress(BenchError, CaseEnded), _Process(context, ("cpu", 1, 0), START_TIMEOUT) as process:
        return dict(process.request("facts"))
    return {}


class _Gone:
    """In place of a process on a device that is gone: whatever it is asked ends the case."""

    def __init__(self, why: str) -> None:
        self._why = why

    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        raise CaseEnded("failed", self._why, lost=True)

    def round(self, asked: Sequence[tuple[Case, Any]]) -> list[list[float]]:
        raise CaseEnded("failed", self._why, lost=True)

    def __enter__(self) -> _Gone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Process:
    def __init__(self, context: Any, settings: tuple[str, int, int], timeout: float) -> None:
        self._timeout = self._patience = timeout
        descriptor, log = tempfile.mkstemp(prefix="a2u-bench-", suffix=".log")
        os.close(descriptor)
        self._log = Path(log)
        self._connection, theirs = context.Pipe()
        self._place = context.RawValue("i", 0)  # of the case that is timed, in memory that both sides share
        self._process = context.Process(target=worker.serve, args=(theirs, log, self._place, *settings), daemon=True)
        try:
            self._process.start()
            theirs.close()
            if not self._connection.poll(START_TIMEOUT):
                raise BenchError(f"no process to measure in started within {START_TIMEOUT:g} s")
            status, reason = self._connection.recv()
        except (EOFError, OSError) as error:
            words = self._last_words()
            self.close()
            raise BenchError(f"no process to measure in could be started: {words or error}") from None
        except BaseException:
            self.close()
            raise
        if status != "ok":
            self.close()
            raise BenchError(f"no process to measure in could be started: {reason}")

    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        return self.request(step, case, *arguments)

    def round(self, asked: Sequence[tuple[Case, Any]]) -> list[list[float]]:
        """Asked in one message: on a busy machine each message costs many times what it asks for."""
        try:
            return list(self.request("round", asked))
        except CaseEnded as end:
            end.place = self._place.value
            raise

    def request(self, step: str, *arguments: Any) -> Any:
        """One step, answered within the timeout. A process that fails a case is not asked again: it may be spoilt."""
        try:
            self._patience = self._timeout * LONGER.get(step, 1.0)
            self._place.value = 0
            self._connection.send((step, *arguments))
            begun, compiling = -1 if step == "round" else 0, LONGER["compile"]
            while not self._answers():
                if self._place.value == worker.COMPILING and compiling > 0:  # of no step: it has a limit of its own
                    compiling -= 1
                elif begun == self._place.value or self._place.value == worker.COMPILING:
                    self.close()
                    raise CaseEnded("timeout", f"{worker.STEPS[step]} took longer than {self._patience:g} s", lost=True)
                else:  # a round goes on while each of its cases keeps within the timeout, a step after a compilation
                    begun = self._place.value
            status, result = self._connection.recv()
        except (EOFError, OSError):
            raise self._died(step) from None
        if status == "ok":
            return result
        lost = (status not in ("skipped", "incorrect") and step != "predict") or step == "round"
        if lost:
            self.close()
        raise CaseEnded(status, result, lost)

    def _answers(self) -> bool:
        """Whether an answer came within the timeout."""
        return bool(self._connection.poll(self._patience))

    def close(self) -> None:
        """End the process, and what it started, at once."""
        if self._process.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)  # the process leads a group of its own
            self._process.kill()
            self._process.join(10)
        self._connection.close()
        self._log.unlink(missing_ok=True)

    def _died(self, step: str) -> CaseEnded:
        self._process.join(self._patience)
        code, words = self._process.exitcode, self._last_words()
        self.close()
        if code is None:
            return CaseEnded("failed", f"the process closed its pipe while {worker.STEPS[step]}", True)
        if code == -signal.SIGKILL:
            return CaseEnded("oom", f"killed while {worker.STEPS[step]}, as a system does when memory runs out", True)
        end = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exited with {code}"
        return CaseEnded("failed", f"the process was {end} while {worker.STEPS[step]}{words and f': {words}'}", True)

    def _last_words(self) -> str:
        """The end of what the process printed, in one line."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                lines = file.read().decode(errors="replace").split("\n")
        except OSError:
            return ""
        spoken = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in lines]
        return next((line for line in reversed(spoken) if line), "")[:300]

    def __enter__(self) -> _Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

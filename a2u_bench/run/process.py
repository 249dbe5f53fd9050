"""One process for measuring, from the parent's side: started, asked, timed out and mourned."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from types import TracebackType
from typing import Any

from a2u_bench.case import Case
from a2u_bench.errors import BenchError
from a2u_bench.measure import worker
from a2u_bench.measure.steps import COMPILING

START_TIMEOUT = 120.0
TAIL = 2000
LONGER = {"compile": 10.0, "export": 10.0}
"""Steps that may take so many times as long as the others."""


class CaseEnded(Exception):
    """A case will not be measured further: its status and reason, and whether its process is gone with it.

    `place` is that of the case among those that were asked for at once.
    """

    def __init__(self, status: str, reason: str, lost: bool, place: int = 0) -> None:
        super().__init__(f"{status}: {reason}")
        self.status, self.reason, self.lost, self.place = status, reason, lost, place


class Process:
    """One process that answers steps, each within a time."""

    def __init__(self, context: Any, settings: tuple[str, int, int], timeout: float) -> None:
        self._timeout = self._patience = timeout
        descriptor, log = tempfile.mkstemp(prefix="a2u-bench-", suffix=".log")
        os.close(descriptor)
        self._log = Path(log)
        self._connection, theirs = context.Pipe()
        self._place = context.RawValue("i", 0)  # of the case that is timed, in memory that both sides share
        self._process = context.Process(target=worker.serve, args=(theirs, log, self._place, *settings), daemon=True)
        try:
            if context.get_start_method() == "forkserver":
                _start_forkserver()
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
            if self._process.pid is None:  # Ctrl-C while the forkserver loads, of which nobody would see the end
                _end_forkserver()
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
                if self._place.value == COMPILING and compiling > 0:  # of no step: it has a limit of its own
                    compiling -= 1
                elif begun == self._place.value or self._place.value == COMPILING:
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

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _start_forkserver() -> None:
    """A forkserver is running. Ctrl-C, which a terminal sends to all processes, is blocked in it, also while it loads,
    and in whatever it forks; one that comes in this moment reaches this process after it."""
    resource_tracker.ensure_running()  # first: where it starts, it ends with nothing blocked
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which a child inherits
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_forkserver() -> None:
    """The forkserver ends at once, even while it loads."""
    server: Any = vars(forkserver)["_forkserver"]  # there is no public name for it
    if server._forkserver_pid is not None:
        os.kill(server._forkserver_pid, signal.SIGKILL)
        server._stop()

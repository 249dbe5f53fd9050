"""A pool of jobs on this machine, each with cores, or a GPU, of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from a2u_bench.errors import UsageError
from a2u_bench.run.jobs.launcher import COMMAND, Part

LOG = "log.txt"
TAIL = 2000
PAUSE = 0.05  # seconds between looks at the jobs
PARENT_DEATH_SIGNAL = 1  # as Linux numbers it for prctl


@dataclass(frozen=True)
class Place:
    """What one of the jobs that run at once has for itself."""

    cores: frozenset[int]
    gpu: str = ""


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    folder: Path
    place: Place
    latest: float


class Local:
    """So many jobs at once, each in its place. `command` is what stands before a job's words."""

    def __init__(self, places: Sequence[Place], command: Sequence[str] = COMMAND) -> None:
        self._free, self._command = list(places), tuple(command)
        self._running: list[_Running] = []

    def busy(self, folders: Sequence[Path]) -> set[Path]:
        return set()  # jobs of this pool end with it

    def run(self, parts: Sequence[Part], busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        waiting = list(parts)
        try:
            while waiting or self._running:
                while waiting and self._free:
                    self._start(waiting.pop(0), self._free.pop(0), seconds)
                over = [job for job in self._running if self._is_over(job)]
                for job in over:
                    self._running.remove(job)
                    self._free.append(job.place)
                    yield job.folder, _why(job)
                if not over:
                    time.sleep(PAUSE)
        finally:
            for job in self._running:
                _kill(job)

    def left(self) -> str:
        return ""

    def forget(self) -> None:
        """Logs lie in the parts and go with them."""

    def _start(self, part: Part, place: Place, seconds: float) -> None:
        environment = {**os.environ, **({"CUDA_VISIBLE_DEVICES": place.gpu} if place.gpu else {})}
        with (part.folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                [*self._command, *part.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us; we end the jobs
                preexec_fn=_settle(place),
            )
        self._running.append(_Running(process, part.folder, place, time.monotonic() + seconds))

    def _is_over(self, job: _Running) -> bool:
        if job.process.poll() is None and time.monotonic() > job.latest:
            _kill(job)
        return job.process.poll() is not None


def places(jobs: int, threads: int, gpus: Sequence[str] = (), share: bool = False) -> list[Place]:
    """So many places, with cores and a GPU of their own, or one that they `share`. UsageError where they lack."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if jobs * threads > len(cores):
        raise UsageError(
            f"--jobs {jobs} with {threads} thread{'s' * (threads > 1)} each: this machine has {len(cores)} "
            f"cores; allowed: jobs × threads up to that, as --jobs {max(1, len(cores) // threads)} or fewer --threads"
        )
    if gpus and jobs > len(gpus) and not share:
        raise UsageError(
            f"--jobs {jobs}: this machine has {len(gpus)} GPU{'s' * (len(gpus) > 1)}; allowed: one for each job; "
            "trainings, whose times then say little, may use one together with quality --share-gpu"
        )
    own = len(cores) // jobs
    return [
        Place(frozenset(cores[index * own : (index + 1) * own]), gpus[index % len(gpus)] if gpus else "")
        for index in range(jobs)
    ]


def _settle(place: Place) -> Callable[[], None] | None:
    """What a job does before it begins: it takes its cores, and will be killed when the process that started it is
    gone, since nobody would gather what it measures, nor stop it."""
    if sys.platform != "linux":
        return None
    control = ctypes.CDLL(None).prctl

    def settle() -> None:
        os.sched_setaffinity(0, place.cores)
        control(PARENT_DEATH_SIGNAL, signal.SIGKILL)

    return settle


def _kill(job: _Running) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(job.process.pid, signal.SIGKILL)  # the job leads a group of its own
    job.process.wait()


def _why(job: _Running) -> str:
    """What the job said last, where it failed."""
    code = job.process.returncode
    if code == 0:
        return ""
    try:
        with (job.folder / LOG).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"the job {'was killed' if code < 0 else f'exited with {code}'}{said and f', saying: {said[:200]}'}"

"""Jobs on a Slurm cluster through submitit: an array for each kind of need, each job alone on its node.

submitit pickles the words of a job into a folder of its own; that folder is private to the user and outside the run.
Nothing is ever unpickled on our side: what comes back are the files of the part.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from a2u_bench.errors import BenchError, UsageError, unknown
from a2u_bench.run.jobs import command as part
from a2u_bench.run.jobs.launcher import COMMAND, Needs, Part

ARRAY = 1000
"""Jobs of one array: Slurm's own limit, MaxArraySize, is 1001 unless it was changed."""

SOONEST, LATEST = 1.0, 15.0
"""Seconds between looks at the queue: at first, and after a while."""

WARNING = 30
"""Seconds before the end of its time in which a job is told, and submitit ends it."""

TAIL = 4000
OF_OTHERS = ("srun:", "slurmstepd:", "submitit ")  # begin lines in a job's log that are not its own words

LISTS = ("setup", "teardown", "srun_args")
OURS = (
    "additional_parameters",
    "num_gpus",
    "array_parallelism",
    "command",
    "folder",
    "map_count",
    "ntasks_per_node",
    "nodes",
)


def carry_out(words: Sequence[str]) -> None:
    """What a job does on its node. Whether all went well is seen from what lies in its part."""
    subprocess.run([*COMMAND, *words], check=False)


class Slurm:
    """A launcher. `options` are parameters of submitit's SlurmExecutor, such as partition, account, constraint, mem.

    `folder` has a folder for submitit's files of each run, named after the run's own. `work` does a job, given its
    words.
    """

    def __init__(
        self,
        options: Mapping[str, str],
        jobs: int | None,
        run: Path,
        folder: Path | None = None,
        work: Callable[[Sequence[str]], None] = carry_out,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._submitit = _load_submitit()
        self._options, self._at_once = self._checked(options), jobs
        self._work, self._sleep = work, sleep
        self._jobs: dict[Path, str] = {}  # of parts whose jobs have not ended
        digest = hashlib.sha256(str(run.absolute()).encode()).hexdigest()
        self._folder = private_folder(private_folder(folder or _state_folder()) / digest[:16])

    def busy(self, folders: Sequence[Path]) -> set[Path]:
        jobs = {folder: job for folder in folders if (job := part.read_job(folder))}
        alive = self._alive(set(jobs.values())) if jobs else set()
        return {folder for folder, job in jobs.items() if job in alive}

    def run(self, parts: Sequence[Part], busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        arrays: dict[Needs, list[Part]] = {}
        jobs = self._jobs = {one.folder: part.read_job(one.folder) for one in parts if one.folder in busy}
        for one in parts:
            if one.folder not in busy:
                arrays.setdefault(one.needs, []).append(one)
        for needs, alike in arrays.items():
            for start in range(0, len(alike), ARRAY):
                with _uninterrupted():  # a job that was submitted is known to its part
                    jobs |= self._submit(needs, alike[start : start + ARRAY], seconds)
        pause = SOONEST
        while jobs:
            alive = self._alive(set(jobs.values()))
            for folder in [folder for folder, job in jobs.items() if job not in alive]:
                yield folder, self._why(jobs.pop(folder))
            if jobs:
                self._sleep(pause)
                pause = min(LATEST, pause * 1.2)

    def left(self) -> str:
        alive = self._alive(set(self._jobs.values())) if self._jobs else set()
        if not alive:
            return ""
        arrays = sorted({int(job.partition("_")[0]) for job in alive})
        many = len(alive) > 1
        return (
            f"{len(alive)} job{'s' * many} of Slurm go{'es' * (not many)} on and keep{'s' * (not many)} what "
            f"{'they measure' if many else 'it measures'} (scancel {' '.join(map(str, arrays))} ends "
            f"{'them' if many else 'it'})"
        )

    def forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _submit(self, needs: Needs, parts: Sequence[Part], seconds: float) -> dict[Path, str]:
        executor = self._submitit.SlurmExecutor(folder=self._folder)
        parameters: dict[str, Any] = {
            "job_name": "a2u-bench",
            "nodes": 1,
            "ntasks_per_node": 1,
            "cpus_per_task": needs.threads,
            "time": None if math.isinf(seconds) else int((seconds + WARNING) // 60) + 1,  # minutes
            "signal_delay_s": WARNING,
            "exclusive": needs.alone or None,
            "stderr_to_stdout": True,
            **({"gpus_per_node": 1} if needs.device == "cuda" else {}),
            **({"array_parallelism": self._at_once} if self._at_once else {}),
            **self._options,
        }
        executor.update_parameters(**{name: value for name, value in parameters.items() if value is not None})
        if parameters["time"] is None:  # submitit's own default is five minutes; without any the partition's holds
            executor.parameters["time"] = None
        try:
            jobs = executor.map_array(self._work, [list(one.words) for one in parts])
        except (self._submitit.core.utils.FailedJobError, self._submitit.core.utils.FailedSubmissionError) as error:
            raise BenchError(f"Slurm took no jobs: {_last_line(str(error).splitlines())}") from None
        found = {one.folder: str(job.job_id) for one, job in zip(parts, jobs, strict=True)}
        for folder, job in found.items():
            part.write_job(folder, job)
        return found

    def _alive(self, jobs: set[str]) -> set[str]:
        """Those of these jobs that wait or run. Where the queue cannot be asked, all: it may be back soon."""
        command = ["squeue", "--noheader", "--array", "--user", str(os.getuid()), "--format", "%i|%F|%T"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return jobs
        if done.returncode != 0:
            return jobs
        return jobs & {line.partition("|")[0].strip() for line in done.stdout.splitlines()}

    def _why(self, job: str) -> str:
        """The end of what a job printed, where that can be read; a job that came to its end has its rows anyway."""
        try:
            with (self._folder / f"{job}_0_log.out").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL))
                lines = log.read().decode(errors="replace").splitlines()
                own = [line for line in lines if not line.startswith(OF_OTHERS)]
                return f"job {job} said last: {_last_line(own)}"
        except OSError:
            return f"job {job} left no word"

    def _checked(self, options: Mapping[str, str]) -> dict[str, Any]:
        allowed = sorted(set(self._submitit.SlurmExecutor._valid_parameters()) - set(OURS))
        for name in options:
            if name not in allowed:
                raise unknown("parameter of --slurm", name, allowed)
        return {name: _value(name, value) for name, value in options.items()}


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping. UsageError for anything else."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value or "\n" in text:
            raise UsageError(f"--slurm {text!r}: cannot be read; allowed: NAME=VALUE, such as partition=gpu")
        found[name] = value
    return found


def _value(name: str, text: str) -> Any:
    """A parameter in the type that submitit takes it in; None leaves a parameter out."""
    if name in LISTS:
        return [text] if name == "setup" else text.split()
    if text in ("true", "false"):
        return True if text == "true" else None
    return int(text) if text.isdigit() else text


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the block is over.

    For this process a handler remembers it, whichever thread it meets; its children inherit the mask, and are spared.
    """
    if threading.current_thread() is not threading.main_thread():  # where Ctrl-C never comes
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(came[0], None)


def private_folder(folder: Path) -> Path:
    """The folder, made if need be, for this user alone. UsageError where it is another's or a link."""
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            raise UsageError(f"--job-folder {folder}: must be a folder of your own")
        folder.chmod(0o700)
    except OSError as error:
        raise UsageError(f"--job-folder {folder}: {error.strerror}; allowed: a folder that all nodes see") from None
    return folder


def _state_folder() -> Path:
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root) / "a2u-bench" / "jobs"


def _load_submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise BenchError("--launcher slurm needs submitit: pip install 'a2u-bench[slurm]'") from None
    if shutil.which("sbatch") is None or shutil.which("squeue") is None:
        raise BenchError("--launcher slurm: there is no Slurm here (no sbatch and squeue on the PATH)")
    done = subprocess.run(["squeue", "--noheader", "--me"], capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise BenchError(f"--launcher slurm: Slurm does not answer: {_last_line(done.stderr.splitlines())}")
    return submitit


def _last_line(lines: Sequence[str]) -> str:
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")[:300]

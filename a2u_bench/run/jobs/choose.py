"""Which launcher a request means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from a2u_bench import operators
from a2u_bench.errors import UsageError, unknown
from a2u_bench.machine.system import usable_cores
from a2u_bench.run.jobs.launcher import Job, Launcher

NAMES = ("local", "slurm")


def check_names(launcher: str, jobs: int | None, options: Sequence[str], devices: Sequence[str]) -> None:
    """UsageError for a launcher, a number of jobs or a device that cannot be, before anything is planned."""
    if launcher not in NAMES:
        raise unknown("launcher", launcher, NAMES)
    if jobs is not None and not 1 <= jobs <= 10_000:
        raise UsageError(f"--jobs {jobs}: out of range; allowed: integers from 1 to 10000")
    if options and launcher != "slurm":
        raise UsageError(f"--slurm {options[0]}: is for --launcher slurm")
    if launcher == "slurm" and not all(one in ("cpu", "cuda") for one in devices or ["auto"]):
        raise UsageError("--launcher slurm needs --device cpu or --device cuda: what the nodes have is not known here")


def threads_each(launcher: str, jobs: int | None) -> int:
    """Threads of a job where none were asked for: those of this machine, whose cores jobs on it share."""
    return max(1, usable_cores() // (jobs if launcher == "local" and jobs else 1))


def is_away(launcher: str, jobs: int | None) -> bool:
    """Whether jobs do the work, and not this process."""
    return launcher == "slurm" or jobs not in (None, 1)


def choose(
    name: str,
    at_once: int | None,
    options: Sequence[str],
    jobs: Sequence[Job],
    run: Path,
    folder: Path | None = None,
    share_gpu: bool = False,
) -> Launcher | None:
    """The launcher of these jobs for the run in folder `run`, `folder` being where Slurm's own files go; None where
    this process works by itself. They may `share_gpu` where there are fewer GPUs than jobs at once.
    """
    if name == "slurm":
        from a2u_bench.run.jobs.slurm import Slurm, parse_options

        return Slurm(parse_options(options), at_once, run, folder)
    if at_once is None or at_once == 1:
        return None
    from a2u_bench.run.jobs.local import Local, places

    threads = max((job.needs.threads for job in jobs), default=1)
    on_gpu = any(job.needs.device == "cuda" for job in jobs)
    return Local(places(at_once, threads, operators.gpus() if on_gpu else (), share_gpu))

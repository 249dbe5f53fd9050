"""Which launcher a request means, and what it would do: the plan, the count and the time, before anything is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a2u_bench import build
from a2u_bench.errors import UsageError, unknown
from a2u_bench.forecast import Foretold, foretell
from a2u_bench.launch.groups import START, Needs, elapsed_seconds, expected_seconds, groups
from a2u_bench.launch.launcher import Launcher
from a2u_bench.quality.trial import Trial
from a2u_bench.spec import Case
from a2u_bench.suites.plan import Plan
from a2u_bench.system import usable_cores

NAMES = ("local", "slurm")


@dataclass(frozen=True)
class Forecast:
    """One line for each job: what it does and needs, and the seconds it is likely to take; and all together.

    `seconds` is None where nothing is known of it; `basis` says from where it is known, where that is not the plan.
    """

    jobs: tuple[dict[str, object], ...]
    cases: int
    seconds: float | None
    basis: str = ""
    each: Foretold | None = None  # of what this process measures by itself


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


def choose(
    name: str,
    jobs: int | None,
    options: Sequence[str],
    needs: Sequence[Needs],
    run: Path,
    folder: Path | None = None,
    share_gpu: bool = False,
) -> Launcher | None:
    """The launcher for the run in folder `run`, `folder` being where Slurm's own files go; None where this process
    works by itself. `needs` are those of its jobs, which may `share_gpu` where there are fewer GPUs than jobs at once.
    """
    if name == "slurm":
        from a2u_bench.launch.slurm import Slurm, parse_options

        return Slurm(parse_options(options), jobs, run, folder)
    if jobs is None or jobs == 1:
        return None
    from a2u_bench.launch.local import Local, places

    threads = max((one.threads for one in needs), default=1)
    on_gpu = any(one.device == "cuda" for one in needs)
    return Local(places(jobs, threads, build.gpus() if on_gpu else (), share_gpu))


def forecast(
    plan: Plan, finished: set[str], launcher: str, jobs: int | None, doing: Callable[[Case, str], None]
) -> Forecast:
    """What would be measured, and for how long: of jobs a guess, of what is measured here by trying it."""
    left = [case for case in plan.cases if case.id not in finished]
    if launcher == "local" and jobs in (None, 1):
        found = foretell(plan, left, doing)
        return Forecast((), len(left), found.seconds if left else 0.0, each=found)
    jobs_left = groups(left)
    lines = tuple(
        {
            "job": group.name,
            "cases": len(group.cases),
            "device": group.needs.device,
            "threads": group.needs.threads,
            "seconds": expected_seconds(group, plan.settings),
        }
        for group in jobs_left
    )
    return Forecast(lines, len(left), elapsed_seconds(jobs_left, plan.settings, jobs))


def forecast_trainings(
    trials: Sequence[Trial], rows: Sequence[Mapping[str, Any]], launcher: str, jobs: int | None
) -> Forecast:
    """What would be trained, and for how long by the rows that the run has: a training takes what those of its pair
    took on average, or those of all pairs where its own has none."""
    finished = {row["case"] for row in rows}
    left = [trial for trial in trials if trial.id not in finished]
    known = [(row["pair"], row["train_time"]) for row in rows if row["train_time"] is not None]
    times = [_mean([t for pair, t in known if pair == trial.pair] or [t for _, t in known]) for trial in left]
    lines: tuple[dict[str, object], ...] = tuple(
        {
            "job": trial.id,
            "pair": trial.pair,
            "seed": trial.seed,
            "device": trial.device,
            "threads": trial.threads,
            "seconds": seconds,
        }
        for trial, seconds in zip(left, times, strict=True)
    )
    if not left:
        return Forecast(lines, 0, 0.0)
    each = [seconds for seconds in times if seconds is not None]
    if len(each) < len(left):
        return Forecast(lines, len(left), None, "how long is not known before a first training has ended")
    basis = f"by the training time{'s' * (len(known) > 1)} of {len(known)} row{'s' * (len(known) > 1)} of this run"
    if launcher == "local" and jobs in (None, 1):
        return Forecast(lines, len(left), math.fsum(each), basis)
    return Forecast(lines, len(left), math.ceil(len(left) / (jobs or len(left))) * (START + max(each)), basis)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None

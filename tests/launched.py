"""A plan in three groups, and a job that gives its rows without measuring; light, so that jobs are quick."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from a2u_bench.launch import part
from a2u_bench.record import make_row
from a2u_bench.spec import Case
from a2u_bench.store import Store
from a2u_bench.suites.plan import Plan, Settings, Skipped


def case(operator: str, height: int = 4, threads: int = 1, device: str = "cpu") -> Case:
    return Case(operator, "default", operator, 1, 8, height, 4, threads=threads, device=device)


PLAN = Plan(
    "study",
    tuple(case(operator, height) for height in (4, 8, 16) for operator in ("a", "b")),
    skipped=(Skipped(case("c"), "scale 3 is not possible"),),
    settings=Settings(time_budget=1.0, seed=7),
)


def measured(folder: Path, node: str = "n1", only: int = 100, facts: dict[str, Any] | None = None) -> None:
    """What a job leaves in its part: facts of its node, two processes of two rounds for each case, then its row."""
    plan = part.read_plan(folder)
    with Store.open(folder / part.RUN, plan.to_manifest(), resume=True) as store:
        store.write_manifest(facts or {"machine": {"cpu": node}})
        cases = [case for case in plan.cases if case.id not in store.finished][:only]
        for process in (0, 1):
            for index in (0, 1):
                store.append_samples(
                    {"case": case.id, "process": process, "round": index, "latency": [0.001]} for case in cases
                )
        store.append_rows([make_row(case, "ok", "", {"latency": 0.001, "node": node}) for case in cases])


def quick(folder: str) -> None:
    """A job of a cluster that measures its part; the node of its rows is its own number."""
    measured(Path(folder), os.environ["SLURM_JOB_ID"])


def stuck(folder: str) -> None:
    """A job that measures one case, then does no more until a file says so."""
    measured(Path(folder), only=1)
    while not (Path(folder) / "go").exists():
        time.sleep(0.1)
    measured(Path(folder))


def crashing(folder: str) -> None:
    """A job that fails before it measures anything."""
    raise RuntimeError("the node is on fire")


def particular(folder: str) -> None:
    """A job that measures only with as many cores as its cases have threads."""
    threads = part.read_plan(Path(folder)).cases[0].threads
    if os.environ["SLURM_CPUS_PER_TASK"] != str(threads):
        raise RuntimeError("other needs")
    quick(folder)

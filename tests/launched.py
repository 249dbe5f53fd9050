"""A plan in three groups, and a job that gives its rows without measuring; light, so that jobs are quick."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.run.jobs.command import begin
from a2u_bench.run.jobs.groups import jobs
from a2u_bench.run.jobs.launcher import Job
from a2u_bench.store.write import Store
from a2u_bench.suites.plan import Plan, Settings, Skipped


def case(operator: str, height: int = 4, threads: int = 1, device: str = "cpu") -> Case:
    return Case(operator, "default", operator, 1, 8, height, 4, threads=threads, device=device)


PLAN = Plan(
    "study",
    tuple(case(operator, height) for height in (4, 8, 16) for operator in ("a", "b")),
    skipped=(Skipped(case("c"), "scale 3 is not possible"),),
    settings=Settings(time_budget=1.0, seed=7),
)
JOBS = tuple(jobs(PLAN.cases, PLAN.settings, ["run"]))
BESIDES = (case("a", threads=2),)


def words(folder: Path, job: Job) -> tuple[str, ...]:
    """The command line of a job, whose part is made."""
    return begin(folder, job, job.cases).words


def options(given: Sequence[str]) -> dict[str, str]:
    """The options of a command line that have a value."""
    return dict(word.removeprefix("--").split("=", 1) for word in given if "=" in word)


def asked(given: Sequence[str], cases: Sequence[Case] = (*PLAN.cases, *BESIDES)) -> list[Case]:
    """The cases that a job's command line means."""
    said = options(given)
    if "ops" in said:  # a real one
        from a2u_bench.suites.expand import make_plan

        threads = [said["threads"]]
        cases = make_plan(ops=said["ops"], shapes=[said["shape"]], device=said["device"], threads=threads).cases
    return [one for one in cases if one.id in said["only"].split(",")]


def measured(
    given: Sequence[str],
    node: str = "n1",
    only: int = 100,
    facts: dict[str, Any] | None = None,
    cases: Sequence[Case] | None = None,
    beside: Case | None = None,
) -> None:
    """What a job leaves in its part: facts of its node, two processes of two rounds for each case, then its row."""
    found = asked(given) if cases is None else asked(given, cases)
    manifest = {"suite": "study", "planned": len(found), "reference": beside and beside.options}
    with Store.open(Path(options(given)["out"]), manifest, resume=True) as store:
        store.write_manifest(facts or {"machine": {"cpu": node}})
        missing = [case for case in found if case.id not in store.finished][:only]
        timed = dict.fromkeys([*missing, *([beside] if beside else [])])
        first = store.last_process + 1
        for process in (first, first + 1):
            for index in (0, 1):
                store.append_samples(
                    {"case": case.id, "process": process, "round": index, "latency": [0.001]} for case in timed
                )
        store.append_rows([make_row(case, "ok", "", {"latency": 0.001, "node": node}) for case in missing])


def study(file: Path, given: Sequence[str]) -> None:
    """A job of a study whose cases are in a file."""
    measured(given, "here", cases=[Case(**entry) for entry in json.loads(file.read_text())])


def quick(given: Sequence[str]) -> None:
    """A job of a cluster that measures its part; the node of its rows is its own number."""
    measured(given, os.environ["SLURM_JOB_ID"])


def stuck(given: Sequence[str]) -> None:
    """A job that measures one case, then does no more until a file says so."""
    measured(given, only=1)
    while not (Path(options(given)["out"]).parent / "go").exists():
        time.sleep(0.1)
    measured(given)


def crashing(given: Sequence[str]) -> None:
    """A job that fails before it measures anything."""
    raise RuntimeError("the node is on fire")


def particular(given: Sequence[str]) -> None:
    """A job that measures only with as many cores as its cases have threads."""
    threads = asked(given)[0].threads
    if os.environ["SLURM_CPUS_PER_TASK"] != str(threads):
        raise RuntimeError("other needs")
    quick(given)


@contextmanager
def interrupted_after(appends: int) -> Iterator[None]:
    """What is done here ends, as by a kill, before a store appends once more than so many times."""
    real, left = Store._append, appends

    class Killed(Exception):
        pass

    def append(self: Store, name: str, lines: Any) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        real(self, name, lines)

    with suppress(Killed), mock.patch.object(Store, "_append", append):
        yield

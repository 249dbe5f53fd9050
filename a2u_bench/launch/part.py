"""A part: the folder in which one job finds its plan and leaves its results, themselves a run that can be resumed."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from a2u_bench.errors import BenchError
from a2u_bench.launch.groups import Group
from a2u_bench.lines import parse_line
from a2u_bench.quality.trial import Trial
from a2u_bench.spec import Case
from a2u_bench.suites.plan import Plan, Reference, Settings

PARTS = "parts"
"""The folder of parts in a run's folder; gone when all of them are gathered."""

TRIAL = "trial"
"""The entry of a plan that only a training has."""

PLAN, JOB, RUN = "plan.json", "job.json", "run"
CHECKPOINTS = "checkpoints"
"""The folder in a part where a training's checkpoint lies; it goes with the part."""

FORMAT, VERSION = "a2u-bench job", 1
LARGEST = 1 << 26
JOB_ID = re.compile(r"[0-9]{1,12}(_[0-9]{1,12})?")


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Make the part, or give it a new plan; what it has measured before stays. This process's command goes with it."""
    folder.mkdir(parents=True, exist_ok=True)
    head = {"format": FORMAT, "version": VERSION, "command": ["a2u-bench", *sys.argv[1:]]}
    _write(folder / PLAN, json.dumps({**head, **content}) + "\n")


def read(folder: Path) -> dict[str, Any]:
    """The plan of a part as plain data. BenchError where there is none that this program wrote."""
    try:
        with (folder / PLAN).open("rb") as file:
            content = parse_line(file.read(LARGEST))
    except OSError as error:
        raise BenchError(f"{folder / PLAN}: {error.strerror}") from None
    if content is None or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise BenchError(f"{folder / PLAN}: not the plan of a job that this version of a2u-bench wrote")
    return content


def command(folder: Path) -> list[str] | None:
    """The command line that a part's plan comes from; None where it is unknown."""
    given = read(folder).get("command")
    return given if isinstance(given, list) and all(isinstance(word, str) for word in given) else None


def write_plan(folder: Path, group: Group, plan: Plan) -> None:
    """A part in which the cases of a group are measured."""
    cases = [asdict(case) for case in group.cases]
    reference = asdict(plan.reference) if plan.reference else None
    write(folder, {"suite": plan.suite, "settings": asdict(plan.settings), "cases": cases, "reference": reference})


def read_plan(folder: Path) -> Plan:
    """The plan of such a part. BenchError where there is none that this program wrote."""
    content = read(folder)
    try:
        cases = tuple(Case(**{field.name: entry[field.name] for field in fields(Case)}) for entry in content["cases"])
        reference = Reference(**content["reference"]) if content["reference"] else None
        return Plan(content["suite"], cases, settings=Settings(**content["settings"]), reference=reference)
    except (KeyError, TypeError) as error:
        raise BenchError(f"{folder / PLAN}: not the plan of a job: {error}") from None


def references(folder: Path) -> set[Case]:
    """The cases that are timed beside those of a part's plan; none beside a training."""
    plan = None if TRIAL in read(folder) else read_plan(folder)
    return {plan.reference.beside(case) for case in plan.cases} if plan and plan.reference else set()


def ids(folder: Path) -> tuple[str, ...]:
    """The ids of the rows that a part's plan asks for. BenchError where there is none that this program wrote."""
    content = read(folder)
    if TRIAL not in content:
        return tuple(case.id for case in read_plan(folder).cases)
    try:
        return (Trial(**content[TRIAL]).id,)
    except (TypeError, AttributeError) as error:
        raise BenchError(f"{folder / PLAN}: not the plan of a job: {error}") from None


def write_job(folder: Path, job: str) -> None:
    """Note which job of the cluster measures this part."""
    _write(folder / JOB, json.dumps({"format": FORMAT, "version": VERSION, "job": job}) + "\n")


def read_job(folder: Path) -> str:
    """The job that measures this part, or "" where none was noted."""
    try:
        with (folder / JOB).open("rb") as file:
            content = parse_line(file.read(1000)) or {}
    except OSError:
        return ""
    job = content.get("job")
    return job if isinstance(job, str) and JOB_ID.fullmatch(job) else ""


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with draft.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

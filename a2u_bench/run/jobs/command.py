"""A part: the folder of one job in a run's folder. It holds the job's own run, what it logs, and its number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from a2u_bench.run.jobs.launcher import Job, Part
from a2u_bench.store.lines import parse_line

PARTS = "parts"
"""The folder of parts in a run's folder; gone when all of them are gathered."""

JOB, RUN = "job.json", "run"
CHECKPOINTS = "checkpoints"
"""The folder in a part where a training's checkpoint lies; it goes with the part."""

JOB_ID = re.compile(r"[0-9]{1,12}(_[0-9]{1,12})?")


def checkpoints(run: Path, name: str) -> Path:
    """Where the job of this name keeps the checkpoint of its training, if it is not told otherwise."""
    return (run / PARTS / name / CHECKPOINTS).absolute()


def begin(folder: Path, job: Job, cases: Iterable[str]) -> Part:
    """A job's folder, made if need be, and the command line that measures these of its cases in it; what it has
    measured before stays."""
    folder.mkdir(parents=True, exist_ok=True)
    return Part(
        folder, job.needs, (*job.words, f"--out={folder / RUN}", "--resume", f"--only={','.join(sorted(cases))}")
    )


def write_job(folder: Path, job: str) -> None:
    """Note which job of the cluster works in this part."""
    draft = folder / f"{JOB}.tmp"
    draft.unlink(missing_ok=True)
    draft.write_text(json.dumps({"job": job}) + "\n")
    draft.replace(folder / JOB)


def read_job(folder: Path) -> str:
    """The job that works in this part, or "" where none was noted."""
    try:
        with (folder / JOB).open("rb") as file:
            content = parse_line(file.read(1000)) or {}
    except OSError:
        return ""
    job = content.get("job")
    return job if isinstance(job, str) and JOB_ID.fullmatch(job) else ""

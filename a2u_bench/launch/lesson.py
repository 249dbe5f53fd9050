"""A lesson: one training as plain data in its part, and what a job on another machine makes of it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from a2u_bench.errors import BenchError, UsageError
from a2u_bench.launch import part
from a2u_bench.quality import pairs
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.trial import TrainingJob, Trial

if TYPE_CHECKING:
    from a2u_bench.quality.task import Problem


@dataclass(frozen=True)
class Lesson:
    """What is trained; on which data, as they were named, with their checksums; and the folder of its checkpoint, None
    for the part itself."""

    job: TrainingJob
    data: str
    sha256: Mapping[str, str]
    checkpoints: Path | None = None


def lessons(jobs: Sequence[TrainingJob], problem: Problem, data: str, checkpoints: Path | None) -> list[Lesson]:
    """A lesson for each training, of a task whose data this machine has read as `data`; each with a folder of its own
    in `checkpoints`, if that is given: one that is done removes its folder."""
    where = data if problem.name == data else str(Path(data).absolute())
    folder = checkpoints and checkpoints.absolute()
    return [Lesson(job, where, problem.sha256, folder and folder / job.trial.id) for job in jobs]


def write(folder: Path, lesson: Lesson) -> None:
    """A part in which this is trained."""
    content = {
        part.TRIAL: asdict(lesson.job.trial),
        "preset": asdict(lesson.job.preset),
        "data": lesson.data,
        "sha256": dict(lesson.sha256),
        "checkpoints": None if lesson.checkpoints is None else str(lesson.checkpoints),
    }
    part.write(folder, content)


def is_lesson(folder: Path) -> bool:
    """Whether a part holds a training. BenchError where it has no plan that this program wrote."""
    return part.TRIAL in part.read(folder)


def read(folder: Path) -> Lesson:
    """The lesson of a part. BenchError where there is none that this program wrote.

    The pair is looked up by its name: BenchError too for an operator that this machine lacks or has otherwise.
    """
    from a2u_bench.quality.task import task

    content, path = part.read(folder), folder / part.PLAN
    try:
        trial, preset = Trial(**content[part.TRIAL]), content["preset"]
        found = pairs.read([trial.pair], task(trial.task).ways)
        job = TrainingJob(trial, found[0], Preset(**{**preset, "drops": tuple(preset["drops"])}))
        given = content["checkpoints"]
        lesson = Lesson(job, str(content["data"]), dict(content["sha256"]), None if given is None else Path(given))
    except UsageError as error:
        raise BenchError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchError(f"{path}: not the plan of a training: {error}") from None
    if (job.pair.name, job.pair.operator.variant) != (trial.pair, trial.variant):
        raise BenchError(f"{path}: {trial.pair!r} means {job.pair.name!r} on this machine; is it another version?")
    return lesson


def load(lesson: Lesson) -> Problem:
    """The task of a lesson with its data. BenchError where this machine has none, or others under the same name."""
    from a2u_bench.quality.task import task

    trial = lesson.job.trial
    try:
        problem = task(trial.task).load(lesson.data, lesson.job.preset)
    except UsageError as error:
        raise BenchError(str(error)) from None
    found = (problem.name, problem.images, problem.test_images, dict(problem.sha256))
    if found != (trial.data, trial.images, trial.test_images, lesson.sha256):
        raise BenchError(f"--data {lesson.data}: this machine has others there than the one that planned the run")
    return problem

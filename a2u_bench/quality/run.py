"""From jobs to rows: every trial is trained, scored and stored; one that goes wrong costs no other its row."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from a2u_bench.columns import make_row
from a2u_bench.errors import Unwritten
from a2u_bench.measure.precision import multiply_in
from a2u_bench.operators import Impossible
from a2u_bench.quality import checkpoints
from a2u_bench.quality.progress import Watcher
from a2u_bench.quality.task import Problem
from a2u_bench.quality.train import Curve, Diverged, Training
from a2u_bench.quality.trial import TrainingJob

if TYPE_CHECKING:
    from a2u_bench.store.write import Store

Row = dict[str, Any]


def run(
    jobs: Sequence[TrainingJob], problem: Problem, store: Store, folder: Path, watcher: Watcher | None = None
) -> list[Row]:
    """Train every job that the store has no row for; the new rows, in order.

    Checkpoints lie in `folder` until their row is stored. Raises Unwritten, with the rows so far, where the store
    cannot write, BenchError where the folder cannot be written to; KeyboardInterrupt passes through, and what was
    trained up to the last whole epoch is there for the next time.
    """
    checkpoints.prepare(folder)
    watcher = watcher or Watcher()
    waiting = [job for job in jobs if job.trial.id not in store.finished]
    watcher.planned([job.trial for job in waiting])
    rows: list[Row] = []
    for job in waiting:
        checkpoint = checkpoints.path_of(folder, job.trial.id)
        row, curve = _row(job, problem, checkpoint, watcher)
        row["node"] = platform.node()
        rows.append(row)
        try:
            if curve is not None:
                store.append_curve({"case": job.trial.id, **curve})
            store.append_row(row)
        except OSError as error:
            raise Unwritten(f"cannot write results: {error.strerror or error}", rows) from error
        checkpoint.unlink(missing_ok=True)
        watcher.row_done(row)
    with suppress(OSError):  # somebody's own folder, or other checkpoints in it
        folder.rmdir()
    return rows


def set_up(threads: int) -> None:
    """This process as every training finds it: so many threads, whole float32, no time lost on denormal numbers."""
    torch.set_num_threads(threads)
    multiply_in("float32")
    torch.set_flush_denormal(True)


def _row(job: TrainingJob, problem: Problem, checkpoint: Path, watcher: Watcher) -> tuple[Row, Row | None]:
    """One trial's row, whatever becomes of it, and its curve where it came to its end."""
    trial = job.trial
    try:
        measures, curve = _train(job, problem, checkpoint, watcher)
        return make_row(trial, "ok", "", measures), curve
    except Impossible as error:
        return make_row(trial, "skipped", str(error), {}), None
    except Diverged as error:
        return make_row(trial, "failed", str(error), {}), None
    except (torch.OutOfMemoryError, MemoryError) as error:
        return make_row(trial, "oom", _line(error), {}), None
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, AssertionError) as error:
        # An operator may be a stranger's; what it raises is the result of its trial.
        return make_row(trial, "failed", f"{type(error).__name__}: {_line(error)}", {}), None


def _train(job: TrainingJob, problem: Problem, checkpoint: Path, watcher: Watcher) -> tuple[Row, Row]:
    """Its measures and its curve, with what is kept of each photograph where there are such."""
    trial, device = job.trial, torch.device(job.trial.device)
    part = problem.part(trial)
    torch.manual_seed(trial.seed)
    network = part.network(job.pair).to(device)
    watcher.doing(trial)
    began, curve = time.process_time(), Curve()
    if any(parameter.requires_grad for parameter in network.parameters()):
        training = Training(network, part.examples(device), job.preset, trial.seed, trial.id)
        curve = training.run(checkpoint, watcher.step)
    core_time = time.process_time() - began
    scores = part.scores(network, device)
    kept = {"photographs": scores.pop("photographs")} if "photographs" in scores else {}
    measures = {
        "params": sum(parameter.numel() for parameter in network.parameters()),
        "loss": curve.loss[-1] if curve.loss else None,
        "train_time": math.fsum(curve.seconds),
        "core_time": core_time if device.type == "cpu" and curve.loss else None,
        **scores,
    }
    return measures, {**asdict(curve), **kept}


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())

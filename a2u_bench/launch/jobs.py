"""Jobs from start to end: what earlier ones left is gathered, those that are missing are started, each is gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from a2u_bench.errors import BenchError, UsageError
from a2u_bench.launch import part
from a2u_bench.launch.gather import gather
from a2u_bench.launch.groups import Needs
from a2u_bench.launch.launcher import Launcher
from a2u_bench.store import Store

Row = dict[str, Any]

SHOWN = 3
"""Jobs that an error names before it counts the rest."""


@dataclass(frozen=True)
class Job:
    """What one job does: its part's name, the same next time; its needs; the ids of its rows; what writes its plan."""

    name: str
    needs: Needs
    ids: tuple[str, ...]
    write: Callable[[Path], None]


def carry_out(
    store: Store, launcher: Launcher, missing: Callable[[], Sequence[Job]], seconds: float
) -> Iterator[list[Row]]:
    """The rows of each part as they come. `missing` are the jobs whose rows the run lacks, once old parts are gathered.

    No job may take longer than `seconds`. Raises BenchError where a job ended without all of its rows, once all others
    are gathered; UsageError where a part, or a folder in it, is a link: a stranger's run would have us write anywhere.
    """
    root = (store.folder / part.PARTS).absolute()
    _refuse(store.folder, [root] if root.is_symlink() else [])
    there = sorted(f for f in root.iterdir() if f.is_dir() and not _has_links(f)) if root.is_dir() else []
    busy = launcher.busy(there)
    for folder in there:
        if folder not in busy:
            yield gather(folder, store)
    waiting = {root / job.name: job for job in missing()}
    _refuse(store.folder, [folder for folder in waiting if _has_links(folder)])
    for folder, job in waiting.items():
        if folder not in busy:
            job.write(folder)
    problems = []
    ends = launcher.run([(job.needs, folder) for folder, job in waiting.items()], busy, seconds)
    with closing(cast(Any, ends)):
        for folder, end in ends:
            rows = gather(folder, store)
            yield rows
            ended = store.finished | {row["case"] for row in rows}
            left = sum(one not in ended for one in waiting[folder].ids)
            if left:
                problems.append(f"{left} of {folder.name} ({end or 'the job said nothing'})")
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        said = "; ".join(problems[:SHOWN])
        raise BenchError(f"jobs ended without all of their rows: {said}{more}; --resume starts them again")
    launcher.forget()


def _has_links(folder: Path) -> bool:
    return any(path.is_symlink() for path in (folder, folder / part.RUN, folder / part.CHECKPOINTS))


def _refuse(run: Path, linked: Sequence[Path]) -> None:
    if linked:
        where = linked[0].relative_to(run.absolute())
        raise UsageError(f"--out {run}: {where} is a link or has one in it; allowed: a run whose folders are its own")

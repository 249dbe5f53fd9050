"""Jobs as command lines, and what can carry them away: it starts each in a folder and tells when it has ended."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

COMMAND = (sys.executable, "-m", "a2u_bench")
"""What stands before the words of a job."""


@dataclass(frozen=True)
class Needs:
    """What a job asks of its machine; jobs with equal needs make one array."""

    device: str
    threads: int
    alone: bool = True
    """Whether nothing else may run beside it: what others do changes a latency, not what a network learns."""


@dataclass(frozen=True)
class Job:
    """A command line that adds the rows of some of a run's cases. Its name is the same next time.

    `words` are all of the command line but the cases and the folder; `facts` are what `--dry-run` tells of it besides.
    """

    name: str
    needs: Needs
    cases: tuple[str, ...]  # ids
    words: tuple[str, ...] = ()
    seconds: float | None = None  # that it is likely to take, once it has started; None where nothing is known of it
    most: float = math.inf  # seconds after which something is wrong with it
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A job on its way: its folder, what it needs, and the whole command line."""

    folder: Path
    needs: Needs
    words: tuple[str, ...]


class Launcher(Protocol):
    """How jobs are started and awaited."""

    def busy(self, folders: Sequence[Path]) -> set[Path]:
        """Those of these folders in which a job works that was started before, perhaps by another process."""
        ...

    def run(self, parts: Sequence[Part], busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        """Start a job for each part that is not busy; give each folder as its job ends, with what is known of its end.

        No job may take longer than `seconds`, which may be infinite. Closing the iterator ends the jobs that end with
        this process.
        """
        ...

    def left(self) -> str:
        """What becomes of the jobs that have not ended, now that nobody waits for them; "" where none goes on."""
        ...

    def forget(self) -> None:
        """All jobs came to their end: remove what was only of use to find out why one did not."""
        ...

"""What can carry jobs away: given parts, it starts a job for each and tells when they have ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from a2u_bench.launch.groups import Needs

Parts = Sequence[tuple[Needs, Path]]
"""What each job needs, and the folder in which it finds its plan and leaves its results."""


class Launcher(Protocol):
    """How jobs are started and awaited."""

    at_once: int | None
    """How many jobs run at once; None where others decide."""

    def busy(self, folders: Sequence[Path]) -> set[Path]:
        """Those of these parts on which a job works that was started before, perhaps by another process."""
        ...

    def run(self, parts: Parts, busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        """Start a job for each part that is not busy; give each part as its job ends, with what is known of its end.

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

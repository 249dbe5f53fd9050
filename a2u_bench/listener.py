"""What a run tells whoever watches it while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from a2u_bench.spec import Case
from a2u_bench.suites.plan import Plan


class Listener(Protocol):
    """Called between measurements, never during one."""

    def planned(self, plan: Plan, finished: int) -> None:
        """The run begins; so many cases have a row already."""

    def doing(self, case: Case, step: str) -> None:
        """This step of this case begins: "check" or "warm_up"."""

    def round_done(self, done: float, seconds_left: float) -> None:
        """A round ended: cases done so far, those that run now in part, and the most seconds that may be left."""

    def row_done(self, row: Mapping[str, Any]) -> None:
        """A case ended and its row is stored."""


class Silence:
    """A listener that does nothing."""

    def planned(self, plan: Plan, finished: int) -> None: ...
    def doing(self, case: Case, step: str) -> None: ...
    def round_done(self, done: float, seconds_left: float) -> None: ...
    def row_done(self, row: Mapping[str, Any]) -> None: ...

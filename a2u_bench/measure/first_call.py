"""The first call of a case: what a later one no longer pays, and what it gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from a2u_bench.measure.memory import Memory


@dataclass(frozen=True)
class FirstCall:
    """What the first call of a case took, and the digest of what it gave."""

    memory: Memory | None
    seconds: float
    digest: str | None

    def columns(self, later: float) -> dict[str, float | int | str | None]:
        """What is stored of it, beside a later call of so many seconds."""
        peak = self.memory.peak if self.memory is not None else None
        return {"first_call": max(0.0, self.seconds - later), "digest": self.digest, "first_memory": peak}

"""How far a repeated run may stray with the machine's pace: what that makes of an interval.

An interval made of one case's samples cannot know of a host that is slower for a minute. The pace that every run takes
down between its rounds can: a repeated run may meet any pace that this machine has shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from a2u_bench.measure.intervals import Estimate
from a2u_bench.paces import middle


@dataclass(frozen=True)
class Drift:
    """What the pace may come to in a repeated run, as factors of what it was: low ≤ 1 ≤ high."""

    low: float = 1.0
    high: float = 1.0

    def widen(self, estimate: Estimate) -> Estimate:
        """The interval of a run repeated at any of these paces: what samples say at each of them, taken together."""
        return replace(estimate, low=estimate.low * self.low, high=estimate.high * self.high)


NONE = Drift()


def drift(own: float | None, known: Sequence[float]) -> Drift:
    """From the pace while a case was timed, and those of all processes that this machine has shown, in seconds."""
    if not own or not known:
        return NONE
    low, high = middle(known, own)
    return Drift(min(1.0, low / own), max(1.0, high / own))

"""Latency: how a case is warmed up, how many calls make one sample, and one sample of it."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from a2u_bench.measure.clock import Call, Timer

SHORTEST = 100e-6
"""Seconds: a sample spans at least this, so that reading the clock (tens of nanoseconds) is a thousandth of it."""

LONG = 5e-3
"""Seconds: a call that takes this long finds the caches cold anyway."""

WARMING, MOST_CALLS = 3, 1000
"""Calls of a warm-up: at least, and at most."""


LASTING = 0.2
"""Seconds: a call that takes this long warms up whatever it needs by itself."""


@dataclass(frozen=True)
class Calls:
    """What one sample consists of: calls that are not timed, then calls whose mean is the sample.

    `seconds` is what one of them took when it was warm.
    """

    before: int
    timed: int
    seconds: float = 0.0

    @property
    def sample(self) -> float:
        """Seconds that one sample takes."""
        return (self.before + self.timed) * self.seconds

    @property
    def warming(self) -> float:
        """Seconds that warming up takes at least."""
        return (1 if self.seconds >= LASTING else WARMING) * self.seconds


def warm_up(call: Call, timer: Timer, seconds: float, clock: Callable[[], float] = time.monotonic) -> Calls:
    """Call until `seconds` are over, several times unless a call lasts, and say which calls make one sample."""
    end = clock() + seconds
    shortest = timer.sample(call, 1)
    count = 1
    while (count < WARMING and shortest < LASTING) or (clock() < end and count < MOST_CALLS):
        shortest = min(shortest, timer.sample(call, 1))
        count += 1
    return calls_for(shortest)


def calls_for(seconds: float) -> Calls:
    """The calls that make one sample where one takes so many seconds.

    Other cases ran since this one's last sample, so a short call is preceded by one that is not timed.
    """
    timed = 1 if seconds >= SHORTEST else min(MOST_CALLS, math.ceil(SHORTEST / max(seconds, 1e-9)))
    return Calls(0 if seconds >= LONG else 1, timed, seconds)


def sample(call: Call, timer: Timer, calls: Calls) -> float:
    """Seconds of one call. The garbage collector waits meanwhile."""
    for _ in range(calls.before):
        call()
    was_on = gc.isenabled()
    gc.disable()
    try:
        return timer.sample(call, calls.timed)
    finally:
        if was_on:
            gc.enable()

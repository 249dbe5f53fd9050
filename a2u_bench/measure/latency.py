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

MOST_CALLS = 1000


@dataclass(frozen=True)
class Calls:
    """What one sample consists of: calls that are not timed, then calls whose mean is the sample."""

    before: int
    timed: int


def warm_up(call: Call, timer: Timer, seconds: float, clock: Callable[[], float] = time.monotonic) -> Calls:
    """Call until `seconds` are over, three times at least, and say which calls make one sample."""
    end = clock() + seconds
    shortest = math.inf
    count = 0
    while count < 3 or (clock() < end and count < MOST_CALLS):
        shortest = min(shortest, timer.sample(call, 1))
        count += 1
    return calls_for(shortest)


def calls_for(seconds: float) -> Calls:
    """The calls that make one sample where one takes so many seconds.

    Other cases ran since this one's last sample, so a short call is preceded by one that is not timed.
    """
    timed = 1 if seconds >= SHORTEST else min(MOST_CALLS, math.ceil(SHORTEST / max(seconds, 1e-9)))
    return Calls(0 if seconds >= LONG else 1, timed)


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

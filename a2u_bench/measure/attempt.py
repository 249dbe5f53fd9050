"""An attempt: what a call of a case costs, found without making it where that would take long."""

from __future__ import annotations

import time
from dataclasses import replace

from a2u_bench.case import Case
from a2u_bench.measure.clock import Timer
from a2u_bench.measure.inputs import prepare
from a2u_bench.measure.latency import Calls, calls_for
from a2u_bench.measure.precision import as_asked

SIDE = 16
"""Largest side of the map on which a case is tried first."""

LONG = 0.05
"""Seconds: what is likely to take no longer is called as it is, since not all of a short call grows with the map."""


def attempt(case: Case, seed: int, timer: Timer) -> tuple[float, Calls]:
    """Seconds in which the case is built, and the calls of one sample, uncompiled, by what a smaller map takes."""
    case = replace(case, runtime="eager")
    small = case if case.network else replace(case, height=min(case.height, SIDE), width=min(case.width, SIDE))
    building, seconds = _try(small, seed, timer)
    estimated = seconds * (case.height * case.width) / (small.height * small.width)
    if small == case or estimated > LONG:
        return building, calls_for(estimated)
    building, seconds = _try(case, seed, timer)
    return building, calls_for(seconds)


def _try(case: Case, seed: int, timer: Timer) -> tuple[float, float]:
    """Seconds of building a case and of a call, after one in which kernels are compiled or loaded."""
    begin = time.monotonic()
    prepared = prepare(case, seed, {})
    building = time.monotonic() - begin
    with as_asked(case):
        timer.sample(prepared.call, 1)
        return building, timer.sample(prepared.call, 1)

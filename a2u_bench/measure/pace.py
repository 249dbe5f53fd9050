"""The machine's pace: how long a small convolution takes that has nothing to do with any case.

What a virtual machine is given changes without a word: on which cores its threads lie, who else uses those. Threads
that share a short piece of work feel that first. One is timed between the rounds, and says how the machine was then.
"""

from __future__ import annotations

from statistics import median

import torch
from torch.nn import functional

from a2u_bench.measure.clock import Timer

CHANNELS, SIDE = 64, 32
"""Of the map: a pointwise convolution of it is a tenth of a millisecond's work, as the steps of an operator are."""

TIMED = 3
"""Calls that are timed, after one that is not: their median is a pace."""


class Pacer:
    """A convolution on one device; made once in a process."""

    def __init__(self, device: str) -> None:
        self._map = torch.full((1, CHANNELS, SIDE, SIDE), 0.5, device=device)
        self._weight = torch.full((CHANNELS, CHANNELS, 1, 1), 1 / CHANNELS, device=device)

    def pace(self, timer: Timer) -> float:
        """Seconds of one convolution in float32, with the threads that torch has now."""
        with torch.no_grad():
            times = [timer.sample(self._convolve, 1) for _ in range(1 + TIMED)]
        return median(times[1:])

    def _convolve(self) -> torch.Tensor:
        return functional.conv2d(self._map, self._weight)

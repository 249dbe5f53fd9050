"""Clocks and devices: who says how long a call took. Both are arguments of whoever measures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

Call = Callable[[], Any]


class Timer(Protocol):
    """Seconds of one call, as the mean of `inner` calls."""

    def sample(self, call: Call, inner: int) -> float: ...


class HostTimer:
    """Times on the host: a CPU call has ended when it returns. The clock counts nanoseconds.

    What the call returns is dropped inside the timed part, as a loop of a user's would drop it.
    """

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns, finish: Call | None = None) -> None:
        self._clock = clock
        self._finish = finish

    def sample(self, call: Call, inner: int) -> float:
        clock, rounds = self._clock, range(inner)
        begin = clock()
        for _ in rounds:
            call()
        if self._finish is not None:
            self._finish()
        return (clock() - begin) / (inner * 1e9)


class Events(Protocol):
    """What an accelerator offers for timing."""

    def flush(self) -> None: ...
    def hold(self, seconds: float) -> None: ...
    def record(self) -> Any: ...
    def synchronize(self) -> None: ...
    def elapsed(self, begin: Any, end: Any) -> float: ...


class EventTimer:
    """Times on an accelerator by events around each call; waits outside what is timed.

    `sample` is a call as a program meets it, waiting for launches included. The others are the device's own time: it is
    held up until all of a call is launched, on a warm cache and on a flushed one alike, so the two can be compared.
    """

    def __init__(self, device: Events, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._device = device
        self._clock = clock

    def sample(self, call: Call, inner: int) -> float:
        """Each call right after the one before it."""
        return self._sample(call, inner, lambda: None)

    def busy(self, call: Call, inner: int) -> float:
        """The device's own time of each call right after the one before it."""
        seconds = self._launching(call)
        return self._sample(call, inner, lambda: self._hold(seconds))

    def cold(self, call: Call, inner: int) -> float:
        """The device's own time of each call on a flushed cache."""
        seconds = self._launching(call)

        def before() -> None:
            self._hold(seconds)
            self._device.flush()

        return self._sample(call, inner, before)

    def together(self, call: Call, inner: int) -> float:
        """The device's own time of calls that follow one another without a gap: what a rate is measured by.

        The call may be new to this process, and loads then what it needs: one is made before launching is timed.
        """
        device = self._device
        call()
        device.synchronize()
        self._hold(inner * self._launching(call))
        begin = device.record()
        for _ in range(inner):
            call()
        end = device.record()
        device.synchronize()
        return device.elapsed(begin, end) / inner

    def _hold(self, seconds: float) -> None:
        """Hold the device up, never for long: past that it works while the host launches."""
        self._device.hold(min(seconds, LONGEST_HOLD))

    def _launching(self, call: Call) -> float:
        """Seconds in which a call that is not the first is certainly launched; makes one."""
        begin = self._clock()
        call()
        issuing = (self._clock() - begin) * 1e-9
        self._device.synchronize()
        return 2 * issuing + HOLD

    def _sample(self, call: Call, inner: int, before: Call) -> float:
        device, marks = self._device, []
        for _ in range(inner):
            before()
            begin = device.record()
            call()
            marks.append((begin, device.record()))
        device.synchronize()
        return sum(device.elapsed(begin, end) for begin, end in marks) / inner


HOLD = 100e-6
"""Seconds by which a device is held up longer than twice the launching of a call took."""

LONGEST_HOLD = 0.5
"""Seconds by which a device is held up at most: a pause of the host's, timed as launching, would hold it many times."""

LAUNCH_BOUND = 2.0
"""A call that takes so many times the device's own time waits for launches."""


def launch_bound(waiting: float, busy: float) -> str:
    """A note where a call spends its time waiting for launches, given its time as it is and the device's own."""
    if waiting <= LAUNCH_BOUND * busy:
        return ""
    times = f", {waiting / busy:.1f} times its own" if busy > 0 else ""
    return f"launch-bound: {waiting * 1e6:.3g} µs{times}, {busy * 1e6:.3g} µs on the device"


FASTEST = 3e9
"""Hertz: no GPU's clock is faster, so that a wait counted in cycles is never shorter than asked."""


class CudaEvents:
    """CUDA events of the current stream, and a buffer larger than the L2 cache, which is read to flush it.

    Written over, it would leave a cache of lines that the next call has to write back first.
    """

    def __init__(self, device: str = "cuda") -> None:
        import torch

        self._cuda, self._read = torch.cuda, torch.sum
        size = 2 * torch.cuda.get_device_properties(device).L2_cache_size
        self._buffer = torch.zeros(max(size, 1 << 20) // 4, device=device)
        self._sum = torch.zeros((), device=device)
        self.hold(0.0)  # the first launch of each loads its kernel, which would outlast a hold
        self.flush()
        self.synchronize()

    def flush(self) -> None:
        self._read(self._buffer, 0, out=self._sum)

    def hold(self, seconds: float) -> None:
        self._cuda._sleep(int(seconds * FASTEST))

    def record(self) -> Any:
        event = self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def synchronize(self) -> None:
        self._cuda.synchronize()

    def elapsed(self, begin: Any, end: Any) -> float:
        milliseconds: float = begin.elapsed_time(end)
        return milliseconds * 1e-3


def timer_for(device: str) -> Timer:
    """The timer of a device: events on CUDA, the host's clock elsewhere, after waiting on MPS."""
    if device == "cuda":
        return EventTimer(CudaEvents())
    if device == "mps":
        import torch

        return HostTimer(finish=torch.mps.synchronize)
    return HostTimer()

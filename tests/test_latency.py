"""Timers and samples on clocks and devices that obey."""

from __future__ import annotations

from typing import Any

from a2u_bench.measure.clock import EventTimer, HostTimer
from a2u_bench.measure.latency import Calls, calls_for, sample, warm_up


class Nanoseconds:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class FakeDevice:
    """An accelerator on which every call takes 2 ms and every launch is noted."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.now = 0.0

    def flush(self) -> None:
        self.log.append("flush")
        self.now += 0.5

    def record(self) -> float:
        self.log.append("record")
        return self.now

    def call(self) -> None:
        self.log.append("call")
        self.now += 0.002

    def synchronize(self) -> None:
        self.log.append("synchronize")

    def elapsed(self, begin: Any, end: Any) -> float:
        return float(end - begin)


def test_a_sample_on_the_host_is_the_mean_of_its_calls():
    clock = Nanoseconds()
    durations = iter([1000, 2000, 6000])

    def call() -> None:
        clock.now += next(durations)

    assert HostTimer(clock).sample(call, 3) == 3e-6


def test_waiting_for_the_device_is_timed_where_the_call_returns_early():
    clock = Nanoseconds()

    def finish() -> None:
        clock.now += 5000

    assert HostTimer(clock, finish).sample(lambda: None, 1) == 5e-6


def test_events_stand_around_each_call_on_a_flushed_cache_and_waiting_is_outside():
    device = FakeDevice()
    seconds = EventTimer(device).sample(device.call, 2)
    assert abs(seconds - 0.002) < 1e-12
    assert device.log == ["flush", "record", "call", "record"] * 2 + ["synchronize"]


def test_short_calls_are_repeated_until_a_sample_spans_the_clock_s_resolution_a_thousandfold():
    assert calls_for(10e-6) == Calls(before=1, timed=10)
    assert calls_for(1e-3) == Calls(before=1, timed=1)
    assert calls_for(20e-3) == Calls(before=0, timed=1)
    assert calls_for(0.0) == Calls(before=1, timed=1000)


def test_a_sample_times_only_its_timed_calls():
    clock = Nanoseconds()
    durations = iter([900_000, 1000, 3000])

    def call() -> None:
        clock.now += next(durations)

    assert sample(call, HostTimer(clock), Calls(before=1, timed=2)) == 2e-6


def test_warming_up_goes_on_for_its_time_and_three_calls_at_least():
    clock = Nanoseconds()
    count = 0

    def call() -> None:
        nonlocal count
        count += 1
        clock.now += 10_000_000

    def seconds() -> float:
        return clock.now * 1e-9

    assert warm_up(call, HostTimer(clock), 0.0, seconds) == Calls(before=0, timed=1)
    assert count == 3
    warm_up(call, HostTimer(clock), 0.1, seconds)
    assert count == 3 + 10

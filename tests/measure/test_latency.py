"""Timers and samples on clocks and devices that obey."""

from __future__ import annotations

from typing import Any

import pytest

from a2u_bench.measure import throttle
from a2u_bench.measure.clock import HOLD, LONGEST_HOLD, EventTimer, HostTimer, launch_bound
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

    def hold(self, seconds: float) -> None:
        self.log.append("hold")
        self.now += seconds

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


@pytest.mark.parametrize(("name", "before"), [("sample", []), ("cold", ["hold", "flush"]), ("busy", ["hold"])])
def test_events_stand_around_each_call_and_waiting_is_outside(name: str, before: list[str]):
    device = FakeDevice()
    timer = EventTimer(device, Nanoseconds())
    seconds = getattr(timer, name)(device.call, 2)
    assert abs(seconds - 0.002) < 1e-12
    issuing = [] if name == "sample" else ["call", "synchronize"]
    assert device.log == [*issuing, *([*before, "record", "call", "record"] * 2), "synchronize"]


class Launches(FakeDevice):
    """Each call is ten kernels of 1 µs, launched in 5 µs each; the device works while the host launches."""

    def __init__(self) -> None:
        super().__init__()
        self.host = 0.0  # what has been launched by now; `now` is when the device is done with it

    def __call__(self) -> int:
        return round(self.host * 1e9)

    def hold(self, seconds: float) -> None:
        self.now = max(self.now, self.host) + seconds

    def record(self) -> float:
        self.now = max(self.now, self.host)
        return self.now

    def call(self) -> None:
        for _ in range(10):
            self.host += 5e-6
            self.now = max(self.now, self.host) + 1e-6

    def synchronize(self) -> None:
        self.host = max(self.host, self.now)


def test_a_call_that_waits_for_launches_is_told_from_one_that_does_not():
    device = Launches()
    timer = EventTimer(device, device)
    waiting, busy = timer.sample(device.call, 1), timer.busy(device.call, 1)
    assert abs(waiting - 51e-6) < 1e-9
    assert abs(busy - 10e-6) < 1e-9
    assert abs(timer.together(device.call, 4) - 10e-6) < 1e-9
    assert launch_bound(waiting, busy) == "launch-bound: 51 µs, 5.1 times its own, 10 µs on the device"
    assert launch_bound(19e-6, 10e-6) == ""


def test_cold_and_warm_of_the_device_alone_differ_by_the_cache_and_not_by_launches():
    """The flush takes 0.5 s, in which all launches would be made: it comes within the hold, and counts for neither."""
    device = Launches()
    timer = EventTimer(device, device)
    assert abs(timer.cold(device.call, 3) - timer.busy(device.call, 3)) < 1e-9


class Delayed(Launches):
    """The host needs half a minute longer to launch one of the calls, by number; `held` are the seconds of holds."""

    def __init__(self, late: int) -> None:
        super().__init__()
        self.late, self.calls, self.held = late, 0, list[float]()

    def call(self) -> None:
        self.calls += 1
        if self.calls == self.late:
            self.host += 30.0
        super().call()

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)
        super().hold(seconds)


def test_what_the_first_call_loads_holds_no_device_where_a_rate_is_measured():
    device = Delayed(late=1)
    assert abs(EventTimer(device, device).together(device.call, 8) - 10e-6) < 1e-9
    assert device.held == [pytest.approx(8 * (2 * 50e-6 + HOLD))]


@pytest.mark.parametrize(("name", "late"), [("together", 2), ("busy", 1), ("cold", 1)])
def test_a_pause_of_the_host_holds_the_device_for_a_moment_only(name: str, late: int):
    device = Delayed(late)
    getattr(EventTimer(device, device), name)(device.call, 1)
    assert device.held == [LONGEST_HOLD]


def test_reasons_of_a_throttled_clock_are_named_and_idling_is_none():
    assert throttle.reasons(0x1 | 0x4 | 0x40) == ["power cap", "thermal, by hardware"]


def test_short_calls_are_repeated_until_a_sample_spans_the_clock_s_resolution_a_thousandfold():
    assert calls_for(10e-6) == Calls(before=1, timed=10, seconds=10e-6)
    assert calls_for(1e-3) == Calls(before=1, timed=1, seconds=1e-3)
    assert calls_for(20e-3) == Calls(before=0, timed=1, seconds=20e-3)
    assert calls_for(0.0) == Calls(before=1, timed=1000)
    assert calls_for(1e-3).sample == 2e-3


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

    found = warm_up(call, HostTimer(clock), 0.0, seconds)
    assert found == Calls(before=0, timed=1, seconds=0.01)
    assert count == 3
    assert found.warming == pytest.approx(0.03)
    warm_up(call, HostTimer(clock), 0.1, seconds)
    assert count == 3 + 10


def test_a_call_that_lasts_warms_up_by_itself():
    clock = Nanoseconds()

    def call() -> None:
        clock.now += 2_000_000_000

    found = warm_up(call, HostTimer(clock), 0.02, lambda: clock.now * 1e-9)
    assert clock.now == 2_000_000_000
    assert found.warming == found.seconds == 2.0

"""Timing on CUDA, and what NVML is asked meanwhile, on a GPU that is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_cuda import FakeStream

from a2u_bench.case import Case
from a2u_bench.measure.clock import FASTEST, CudaEvents, EventTimer
from a2u_bench.measure.latency import Calls
from a2u_bench.measure.steps import Steps
from a2u_bench.operators import devices


@pytest.fixture
def stream(monkeypatch) -> FakeStream:
    return FakeStream().install(monkeypatch)


@pytest.fixture
def flushes(stream, monkeypatch) -> list[torch.Tensor]:
    """What was read to flush the cache."""
    found: list[torch.Tensor] = []
    plain = torch.sum

    def read(x: torch.Tensor, *more: Any, **options: Any) -> torch.Tensor:
        found.append(x)
        stream.work("flush", 0.5)
        return plain(x, *more, **options)

    monkeypatch.setattr(torch, "sum", read)
    return found


def begun(stream: FakeStream) -> CudaEvents:
    """Events of this stream, whose log is empty."""
    events = CudaEvents("cpu")
    stream.log.clear()
    return events


def test_what_a_sample_needs_is_loaded_before_the_first(stream, flushes):
    CudaEvents("cpu")
    assert stream.log == ["sleep", "flush", "synchronize"]


@pytest.mark.parametrize(("kind", "before"), [("sample", []), ("busy", ["sleep"]), ("cold", ["sleep", "flush"])])
def test_a_call_of_two_milliseconds_takes_two_milliseconds(stream, flushes, kind, before):
    timer = EventTimer(begun(stream))
    seconds = getattr(timer, kind)(lambda: stream.work("call", 2.0), 3)
    assert seconds == pytest.approx(2e-3)
    launching = [] if kind == "sample" else ["call", "synchronize"]
    assert stream.log == [*launching, *([*before, "record", "call", "record"] * 3), "synchronize"]


def test_calls_together_stand_between_two_events(stream, flushes):
    seconds = EventTimer(begun(stream)).together(lambda: stream.work("call", 2.0), 3)
    assert seconds == pytest.approx(2e-3)
    warm = ["call", "synchronize"] * 2
    assert stream.log == [*warm, "sleep", "record", "call", "call", "call", "record", "synchronize"]


def test_a_hold_is_never_shorter_than_asked_however_fast_the_clock(stream, flushes):
    events = begun(stream)
    events.hold(1e-3)
    assert stream.now * 1e-3 >= 1e-3 * FASTEST / 2e9


@pytest.mark.parametrize(("cache", "least"), [(3 << 20, 6 << 20), (0, 1 << 20)])
def test_the_cache_is_flushed_by_reading_twice_its_size_and_writing_none_of_it(cache, least, monkeypatch, flushes):
    events = begun(FakeStream(cache).install(monkeypatch))
    events.flush()
    (read,) = {id(x): x for x in flushes}.values()
    assert read.nbytes == least
    assert not read.any()


class Nvml:
    """NVML, which sees a lower clock for another reason each time that it is asked."""

    def __init__(self, *reasons: int) -> None:
        self.reasons = list(reasons)

    def clock_reasons(self) -> int:
        return self.reasons.pop(0)


def case(operator: str, device: str) -> Case:
    return Case(operator, "", operator, 1, 4, 3, 5, device=device)


def steps(device: str, timed: list[str], monkeypatch: pytest.MonkeyPatch) -> Steps:
    """A process's steps on a device, with two cases whose samples take a second each."""
    monkeypatch.setattr(Steps, "__post_init__", lambda self: None)  # changes how this process computes
    found = Steps(device, 1, 0, place=SimpleNamespace(value=0))
    for name in ("nearest", "bilinear"):
        one: Any = SimpleNamespace(call=lambda name=name: timed.append(name))
        found.built[case(name, device).id] = one

    class Timer:
        def sample(self, call: Any, inner: int) -> float:
            call()
            return 1.0

    found._made = Timer()
    return found


@pytest.mark.parametrize(("device", "left"), [("cuda", []), ("cpu", [0x4, 0x40])])
def test_nvml_is_asked_once_a_round_and_never_without_a_gpu(device, left, monkeypatch):
    timed: list[str] = []
    library = Nvml(0x4, 0x40)
    looked: list[str] = []

    def visible_gpu() -> Nvml:
        looked.append("visible_gpu")
        return library

    monkeypatch.setattr(devices, "visible_gpu", visible_gpu)
    process = steps(device, timed, monkeypatch)
    asked = [(case(name, device), Calls(0, 1)) for name in ("nearest", "bilinear")]
    for _ in range(2):
        assert process.round(asked) == [[1.0], [1.0]]
    assert timed == ["nearest", "bilinear"] * 2
    assert library.reasons == left
    assert looked == ["visible_gpu"] * (device == "cuda")  # it is found once a process
    words = ["clock throttled (power cap)", "clock throttled (thermal, by hardware)"]
    assert process.notes(asked[0][0]) == words * (device == "cuda")

"""What the first call of a case took beyond a later one, and a checksum of what it gave."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from a2u_bench.case import Case
from a2u_bench.measure import memory
from a2u_bench.measure.first import watch
from a2u_bench.run.processes import Processes


def test_equal_outputs_have_equal_digests_and_a_first_call_takes_no_less_than_nothing():
    found: dict[str, list[object]] = {}
    with Processes({"cpu"}).start("cpu", 1, 0, 60.0) as worker:  # flushes subnormals, so in a process of its own
        for options in ("nearest", "bilinear", "nearest"):
            one = Case(options, "", options, 1, 4, 3, 5)
            worker.ask("build", one)
            worker.ask("check", one)
            measured = worker.ask("measure", one, None)
            assert measured["first_call"] >= 0
            found.setdefault(options, []).append(measured["digest"])
            worker.ask("drop", one)
    assert found["nearest"][0] == found["nearest"][1] != found["bilinear"][0]
    assert len(str(found["nearest"][0])) == 12


def test_what_cuda_s_libraries_take_to_start_is_no_part_of_the_first_call(monkeypatch):
    """On a GPU that is not there: whoever multiplies or convolves first waits for a library, 4 s and 2 s."""
    now, waiting = 0.0, {"mm": 4.0, "conv2d": 2.0}

    def starting(name: str, plain: Any) -> Any:
        def call(*tensors: torch.Tensor) -> torch.Tensor:
            nonlocal now
            now += waiting.pop(name, 0.0)
            return plain(*tensors)

        return call

    def first() -> torch.Tensor:
        nonlocal now
        now += 0.5
        return torch.mm(x, torch.nn.functional.conv2d(x[None, None], x[None, None, :1, :1])[0, 0])

    x, zeros = torch.ones(8, 8), torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda *shape, device: zeros(*shape))
    monkeypatch.setattr(torch, "mm", starting("mm", torch.mm))
    monkeypatch.setattr(torch.nn.functional, "conv2d", starting("conv2d", torch.nn.functional.conv2d))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_stats", dict)
    monkeypatch.setattr("a2u_bench.measure.first.time", SimpleNamespace(monotonic=lambda: now))
    memory.ready_libraries.cache_clear()
    try:
        assert watch(first, (), "cuda").seconds == 0.5
    finally:
        memory.ready_libraries.cache_clear()
    assert waiting == {}

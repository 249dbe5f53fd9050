"""A GPU that is not there: torch and NVML as they answer where one is, and how often CUDA was begun."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from a2u_bench.operators import devices


@dataclass
class FakeGpus:
    """What a machine has. `begins` raises what CUDA raises where it does not begin."""

    count: int = 1
    name: str = "Fake H200"
    capability: tuple[int, int] = (9, 0)
    free: int | None = 100 << 30
    built: bool = True
    begins: Exception | None = None
    touched: list[str] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeGpus:
        """Have torch show it."""
        major, minor = self.capability
        properties = SimpleNamespace(name=self.name, major=major, minor=minor, uuid="0-1", total_memory=1 << 37)
        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: self.built)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: self.built and self.begins is None)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: self.count)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: properties)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: self.capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: self.name)
        monkeypatch.setattr(torch.cuda, "init", self._init)
        monkeypatch.setattr(torch.cuda, "mem_get_info", self._memory)
        monkeypatch.setattr(devices, "visible_gpu", lambda: None)  # no NVML: torch is asked
        monkeypatch.setattr(devices, "why_not_cuda", cache(devices.why_not_cuda.__wrapped__))  # knows no other test
        return self

    def _init(self) -> None:
        self.touched.append("init")
        if self.begins is not None:
            raise self.begins

    def _memory(self, *_: Any) -> tuple[int, int]:
        if self.free is None:
            raise RuntimeError("CUDA error: out of memory")
        return self.free, 1 << 37


class FakeNvml:
    """NVML's library: functions that write into what they are given and return 0, or 3 for what they do not support.

    `numbers` are their answers by name; `processes` are ids. `handles` are names that it knows.
    """

    def __init__(self, handles: dict[str, int], numbers: dict[str, Any], slices: dict[int, int] | None = None) -> None:
        self.handles, self.numbers, self.slices = handles, numbers, slices or {}
        self.asked: list[tuple[str, int]] = []

    def nvmlDeviceGetHandleByUUID(self, name: Any, handle: Any) -> int:
        return self._handle(name.value.decode(), handle)

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:
        return self._handle(str(index.value), handle)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: Any, parent: Any) -> int:
        found = self.slices.get(handle.value)
        parent._obj.value = found
        return 0 if found else 3

    def nvmlSystemGetDriverVersion(self, text: Any, length: Any) -> int:
        text.value = b"580.1"
        return 0

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Any, count: Any, found: Any) -> int:
        for place, pid in enumerate(self.numbers["processes"]):
            found[place].pid = pid
        count._obj.value = len(self.numbers["processes"])
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle: Any, found: Any) -> int:
        found._obj.free = self.numbers["free"]
        return 0

    def __getattr__(self, name: str) -> Any:
        if name not in self.numbers:
            raise AttributeError(name)

        def answer(handle: Any, *arguments: Any) -> int:
            self.asked.append((name, handle.value))
            value = self.numbers[name]
            if isinstance(value, dict):  # by handle: a slice of a GPU does not know everything
                if handle.value not in value:
                    return 3
                value = value[handle.value]
            target = next(argument for argument in arguments if hasattr(argument, "_obj"))
            target._obj.value = value
            return 0

        return answer

    def _handle(self, name: str, handle: Any) -> int:
        handle._obj.value = self.handles.get(name)
        return 0 if name in self.handles else 6


class FakeStream:
    """The stream of a GPU that is not there, as torch.cuda shows it: `work` takes its milliseconds, `log` is the order.

    Its L2 cache has `cache` bytes. Its clock runs at 2 GHz.
    """

    def __init__(self, cache: int = 3 << 20) -> None:
        self.cache, self.now = cache, 0.0
        self.log: list[str] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeStream:
        """Have torch show it."""
        properties = SimpleNamespace(L2_cache_size=self.cache)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: properties)
        monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing=False: FakeEvent(self, enable_timing))
        monkeypatch.setattr(torch.cuda, "_sleep", self._sleep)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: self.log.append("synchronize"))
        return self

    def work(self, what: str, milliseconds: float) -> None:
        self.log.append(what)
        self.now += milliseconds

    def _sleep(self, cycles: int) -> None:
        assert isinstance(cycles, int)
        self.work("sleep", cycles / 2e6)


@dataclass
class FakeEvent:
    """An event of this stream, which tells times where it was made for that, and only once it was recorded."""

    stream: FakeStream
    tells: bool
    at: float | None = None

    def record(self) -> None:
        self.stream.log.append("record")
        self.at = self.stream.now

    def elapsed_time(self, end: FakeEvent) -> float:
        if not (self.tells and end.tells) or self.at is None or end.at is None:
            raise RuntimeError("both events must be recorded, and made with enable_timing")
        return end.at - self.at

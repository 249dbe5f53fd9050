"""A GPU that is not there: Triton's own path down to the launcher, which notes what it is given.

Nothing is compiled to machine code and nothing runs, so results stay as they were allocated.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import CompiledKernel
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from upsamplers.primitive import plans
from upsamplers.primitive.cuda import compiled, launch, sampling

KNOBS: Any = sys.modules.get("triton.knobs")
"""Triton's settings and hooks; None in Triton 3.3, which has them elsewhere."""

TARGET = GPUTarget("cuda", 90, 32)


@dataclass(frozen=True)
class Start:
    """What a launcher is called with; a tensor stands as its type, shape and strides, with its address beside it."""

    grid: tuple[int, ...]
    stream: int
    function: int
    packed: Any
    metadata: Any
    hooks: tuple[Any, ...]
    values: tuple[Any, ...]
    addresses: tuple[int, ...]


def noted(x: int, y: int, z: int, stream: int, function: int, *rest: Any) -> Start:
    packed, metadata, enter, leave, *values = rest
    tensors = [value for value in values if isinstance(value, Tensor)]
    plain = tuple((v.dtype, v.shape, v.stride()) if isinstance(v, Tensor) else (type(v), v) for v in values)
    data = None if metadata is None else metadata.get()
    return Start((x, y, z), stream, function, packed, data, (enter, leave), plain, tuple(t.data_ptr() for t in tensors))


@dataclass
class FakeDriver:
    """What Triton asks of a driver, and what it did: compiled kernels, calls of its binder, starts."""

    device: int = 0
    streams: dict[int, int] = field(default_factory=lambda: {0: 7, 1: 70})
    where: str = "cuda:0"
    loaded: list[tuple[str, int]] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)

    @property
    def utils(self) -> FakeDriver:
        return self

    def launcher_cls(self, source: Any, metadata: Any) -> Any:
        return lambda *given: self.starts.append(noted(*given))

    def get_current_target(self) -> GPUTarget:
        return TARGET

    def get_current_device(self) -> int:
        return self.device

    def get_current_stream(self, device: int) -> int:
        return self.streams[device]

    def get_device_properties(self, device: int) -> dict[str, int]:
        return {"max_shared_mem": 1 << 18}

    def load_binary(self, name: str, *given: Any) -> tuple[Any, ...]:
        self.loaded.append((name, self.device))
        threads = () if KNOBS is None else (1024,)
        return object(), len(self.loaded), 32, 0, *threads

    def exchange(self, device: int) -> int:
        """Make a device the current one; which one was."""
        before, self.device = self.device, device
        return before


def forget() -> None:
    """What the package keeps of launches; Triton keeps its own."""
    for kept in (plans._kept, launch._made, compiled._started):
        kept.clear()


@contextlib.contextmanager
def fake_triton(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[FakeDriver]:
    """Triton with this driver; launches take tensors of the CPU as if they lay on `FakeDriver.where`."""
    fake, plain, used = FakeDriver(), JITFunction.run, []

    def compile(source: Any, target: Any, options: dict[str, Any], **more: Any) -> CompiledKernel:
        name = source.fn.__name__
        facts: dict[str, Any] = {"name": name, "target": TARGET.__dict__, "shared": 0, "tmem_size": None}
        facts |= {"num_warps": options["num_warps"], "num_ctas": 1, "num_stages": 1, "cluster_dims": [1, 1, 1]}
        description, binary = folder / f"{name}.json", folder / f"{name}.cubin"
        description.write_text(json.dumps(facts))
        binary.write_bytes(b"")
        return CompiledKernel(source, {one.name: str(one) for one in (description, binary)}, "hash")

    def run(kernel: Any, *arguments: Any, **options: Any) -> Any:
        fake.bound.append(kernel.fn.__name__)
        if kernel not in used:
            used.append(kernel)
            kernel.device_caches.clear()
        return plain(kernel, *arguments, **options)

    def started(plan: Any, device: torch.device, *tensors: Tensor) -> None:
        real(plan, torch.device(fake.where), *tensors)

    real, before = launch.launch, dict(driver.__dict__)
    monkeypatch.setattr(JITFunction, "run", run)
    monkeypatch.setattr(triton.compiler, "compile", compile)
    monkeypatch.setattr(triton.compiler.compiler, "max_shared_mem", lambda device: 1 << 18, raising=False)
    monkeypatch.setattr(torch.cuda, "_exchange_device", fake.exchange)
    monkeypatch.setattr(torch.cuda, "_maybe_exchange_device", fake.exchange)
    monkeypatch.setattr(launch, "launch", started)
    monkeypatch.setattr(sampling, "launch", started)
    driver.set_active(fake)
    forget()
    try:
        yield fake
    finally:
        forget()
        driver.__dict__.update(before)
        for kernel in used:
            kernel.device_caches.clear()

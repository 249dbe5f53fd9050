"""A GPU that is not there: Triton's own binder and launch path down to the launcher, which writes down what it gets.

Nothing is compiled to machine code and nothing runs, so outputs stay as they were allocated.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import CompiledKernel
from triton.runtime import driver

from upsamplers.primitive import plans
from upsamplers.primitive.cuda import launch as launching

TARGET = GPUTarget("cuda", 90, 32)


class Launcher:
    """What the compiled launcher would be called with, appended to `seen`."""

    seen: list[dict[str, Any]] = []

    def __init__(self, source: Any, metadata: Any) -> None:
        pass

    def __call__(self, x: int, y: int, z: int, stream: int, function: int, *rest: Any) -> None:
        _packed, _metadata, enter, leave = rest[:4]
        Launcher.seen.append(
            {"grid": (x, y, z), "stream": stream, "function": function, "hooks": (enter, leave), "values": rest[4:]}
        )


class Driver:
    """What Triton asks of a GPU's driver, on device 0 and a stream that a test may change."""

    launcher_cls = Launcher

    def __init__(self) -> None:
        self.stream, self.loaded, self.utils = 7, 0, self

    def get_current_target(self) -> GPUTarget:
        return TARGET

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return self.stream

    def get_device_properties(self, device: int) -> dict[str, int]:
        return {"max_shared_mem": 1 << 18}

    def load_binary(self, *given: Any) -> tuple[Any, int, int, int, int]:
        self.loaded += 1
        return object(), self.loaded, 32, 0, 1024


class Fake:
    """What was launched, and how often Triton bound arguments and compiled."""

    def __init__(self, active: Driver) -> None:
        self.driver, self.seen = active, Launcher.seen
        self.compiled: list[str] = []
        self.bound: list[str] = []


def metadata(options: Any) -> dict[str, Any]:
    """What a CompiledKernel reads of its own compilation."""
    return {
        "target": TARGET.__dict__,
        "name": "kernel",
        "shared": 0,
        "cluster_dims": [1, 1, 1],
        "tmem_size": None,
        "num_warps": options.get("num_warps", 4),
        "num_ctas": 1,
        "num_stages": 1,
    }


@contextlib.contextmanager
def faked_cuda(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Fake]:
    """Triton with this driver; the backend's kernels take tensors of the CPU."""
    fake = Fake(Driver())
    Launcher.seen.clear()

    def compile(source: Any, target: Any = None, options: Any = None, **more: Any) -> CompiledKernel:
        fake.compiled.append(source.fn.__name__)
        description, binary = folder / f"{len(fake.compiled)}.json", folder / f"{len(fake.compiled)}.cubin"
        description.write_text(json.dumps(metadata(options or {})))
        binary.write_bytes(b"")
        return CompiledKernel(source, {description.name: str(description), binary.name: str(binary)}, "hash")

    plain, used = triton.runtime.jit.JITFunction.run, []

    def run(kernel: Any, *arguments: Any, **options: Any) -> Any:
        fake.bound.append(kernel.fn.__name__)
        if kernel not in used:
            used.append(kernel)
            kernel.device_caches.clear()
        return plain(kernel, *arguments, **options)

    before = dict(driver.__dict__)
    monkeypatch.setattr(triton.runtime.jit.JITFunction, "run", run)
    monkeypatch.setattr(triton.compiler, "compile", compile)
    monkeypatch.setattr(triton.compiler.compiler, "max_shared_mem", lambda device: 1 << 18)
    monkeypatch.setattr(launching, "on_a_gpu", lambda device: True)
    driver.set_active(fake.driver)
    plans.clear()
    try:
        yield fake
    finally:
        driver.__dict__.update(before)
        plans.clear()
        for kernel in used:
            kernel.device_caches.clear()


def addresses(values: tuple[Any, ...]) -> list[Any]:
    """The values of a launch with the address of each tensor in its place."""
    return [value.data_ptr() if isinstance(value, Tensor) else value for value in values]

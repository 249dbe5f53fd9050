"""What a process that measures has loaded before it starts, by the device that it measures on."""

from __future__ import annotations

from collections.abc import Collection

ALWAYS = ("torch", "torch._dynamo", "upsamplers", "a2u_bench.run.preload")

OF_A_DEVICE = {
    "cpu": ("upsamplers.primitive.cpu.calls", "upsamplers.primitive.cpu.points_calls", "a2u_bench.run.preload_numba"),
    "cuda": ("upsamplers.primitive.cuda.launch", "upsamplers.primitive.cuda.sampling", "a2u_bench.run.preload_triton"),
}
"""Numba's kernels are of no use on a GPU, nor Triton's on a CPU."""


def preload(devices: Collection[str]) -> tuple[str, ...]:
    """Modules that processes for these devices share by fork; one that cannot be imported is left out by the fork."""
    return (*ALWAYS, *(module for device in sorted(devices) for module in OF_A_DEVICE.get(device, ())))

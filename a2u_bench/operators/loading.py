"""What a process that measures has loaded before it starts, by the device that it measures on."""

from __future__ import annotations

from collections.abc import Collection

ALWAYS = ("torch", "upsamplers", "a2u_bench.run.preload")

OF_GRADIENTS = ("torch._dynamo",)
"""What torch imports at the first call of an operator that it has to see: seconds, and of no use to all other calls."""

CPU_CALLS = ("calls", "points_calls", "affinity_calls", "gate_calls", "moved_calls", "pooled_calls")
CUDA_CALLS = ("launch", "sampling", "affinities", "gating", "moving", "normalising", "pooling")

OF_A_DEVICE = {
    "cpu": (*(f"upsamplers.primitive.cpu.{name}" for name in CPU_CALLS), "a2u_bench.run.preload_numba"),
    "cuda": (*(f"upsamplers.primitive.cuda.{name}" for name in CUDA_CALLS), "a2u_bench.run.preload_triton"),
}
"""Numba's kernels are of no use on a GPU, nor Triton's on a CPU."""


def preload(devices: Collection[str], gradients: bool = True) -> tuple[str, ...]:
    """Modules that processes for these devices share by fork; one that cannot be imported is left out by the fork.

    `gradients`: whether calls are differentiated or compiled, so that torch has to see operators.
    """
    always = (*ALWAYS, *(OF_GRADIENTS if gradients else ()))
    return (*always, *(module for device in sorted(devices) for module in OF_A_DEVICE.get(device, ())))

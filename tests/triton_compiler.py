"""Compile every Triton kernel for a GPU that is not here, and print what each needs; run by test_triton.py.

The interpreter accepts what the compiler refuses, and knows nothing of registers.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from upsamplers.primitive.cuda import affinities, gating, geometry, launch, moving, normalising, pooling, sampling
from upsamplers.primitive.cuda import backend as cuda


class AbsentDriver:
    """Says which GPU to compile for, and nothing else."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def registers(cubin: bytes, folder: Path) -> tuple[int, int]:
    """Registers of a thread, and bytes that did not fit into them."""
    file = folder / "kernel.cubin"
    file.write_bytes(cubin)
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    text = subprocess.run([tool, "-res-usage", file], capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    if found is None:
        raise ValueError(f"no register count in {text!r}")
    return int(found[1]), int(found[2])


def compile_all(capability: int, folder: Path) -> None:
    """One line per kernel: its name, registers, bytes spilled."""

    def compile_only(plan: geometry.Launch, device: Any, *tensors: torch.Tensor) -> None:
        built = plan.kernel.warmup(*tensors, *plan.numbers, **plan.constants, **plan.options, grid=(plan.programs,))
        print(plan.kernel.fn.__name__, *registers(built.asm["cubin"], folder))

    driver.set_active(AbsentDriver(capability))
    with (
        mock.patch.object(launch, "launch", compile_only),
        mock.patch.object(sampling, "launch", compile_only),
    ):
        everything()


def everything() -> None:
    """Launch every kernel."""
    z, g = torch.zeros(1, 32, 32, 32, dtype=torch.bfloat16), torch.zeros(1, 32, 64, 64, dtype=torch.bfloat16)
    primitives(z, g)
    fused(z, g)
    fullest()


def primitives(z: torch.Tensor, g: torch.Tensor) -> None:
    """The kernels of the primitives."""
    w = torch.zeros(1, 1, 9, 64, 64)
    plain = (2, 3, "zero")
    cuda.reassemble(w, z, None, *plain)
    cuda.correlate(g, z, None, w.shape, *plain)
    cuda.spread(w, g, None, z.shape, *plain)
    down = torch.zeros(1, 1, 16, 32, 32)
    cuda.downassemble(down, g, 2, 4, "reflect")
    cuda.down_correlate(z, g, down.shape, 2, 4, "reflect")
    cuda.down_spread(down, z, g.shape, 2, 4, "reflect")
    corners, points = torch.zeros(1, 1, 4, 64, 64), torch.zeros(1, 1, 2, 64, 64)
    cuda.reassemble(corners, z, points, 2, 2, "replicate")
    cuda.correlate(g, z, points, corners.shape, 2, 2, "replicate")
    cuda.spread(corners, g, points, z.shape, 2, 2, "replicate")


def fused(z: torch.Tensor, g: torch.Tensor) -> None:
    """The kernels of the fused passes."""
    offset, start = torch.zeros(1, 32, 32, 32, dtype=torch.bfloat16), torch.zeros(1, 32, 1, 1)
    for scope in (None, offset):
        moving.forward(z, offset, scope, start, 2, 4)
    moving.backward(g, z, offset, offset, start, 2, 4, [True, True, True, False])
    logits = torch.zeros(1, 100, 32, 32, dtype=torch.bfloat16)
    options = (None, 2, 1, 1, True, 1.0, True, True)
    normalising.forward(logits, *options)
    normalising.backward(torch.zeros(1, 1, 25, 64, 64), logits, *options, [True, False])
    pooling.forward(g, 6)
    pooling.backward(torch.zeros(37, 1, 32), g, 6, [True])
    gating.forward(g, g, logits[:, :1], 2)
    gating.backward(g, g, g, logits[:, :1], 2, [True, True, True])
    kernels, norm = torch.zeros(1, 1, 1, 6, 6), torch.zeros(32)
    for y, side in ((None, 6), (z, 5)):
        affinities.forward(g, y, kernels, kernels[..., :side, :side], norm, norm, norm, norm, 2, 32, 1e-5)


def fullest() -> None:
    """The kernels of k = 5 in float32, whose weights take most of the registers that they may use."""
    w, z, g = (torch.zeros(1, n, *size) for n, size in ((25, (240, 240)), (256, (120, 120)), (256, (240, 240))))
    cuda.reassemble(w.unsqueeze(1), z, None, 2, 5, "zero")
    cuda.spread(w.unsqueeze(1), g, None, z.shape, 2, 5, "zero")
    cuda.correlate(g, z, None, (1, *w.shape), 2, 5, "zero")


if __name__ == "__main__":
    compile_all(int(sys.argv[1]), Path(sys.argv[2]))

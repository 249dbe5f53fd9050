"""A launch as plain data, and its start: by Triton the first time, then by the kernel that Triton compiled.

Triton's binder looks at every argument of every call, which takes longer than all else that a call does. A compiled
kernel is kept under all that the binder would look at; stream, hooks and addresses are those of each start.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from triton.compiler import CompiledKernel
from triton.runtime.jit import JITFunction

from upsamplers.primitive.kept import Kept

try:
    from triton import knobs
except ImportError:  # Triton 3.3
    knobs = None

VERSIONS = ("3.3.", "3.4.", "3.5.", "3.6.", "3.7.")
"""Triton's versions in which a CompiledKernel takes the values of all parameters in order, of constants too."""

logger = logging.getLogger("upsamplers")


@dataclass(frozen=True)
class Launch:
    """One launch: `kernel[(programs,)](*tensors, *numbers, **constants, **options)`."""

    kernel: Any
    programs: int
    threads: int
    numbers: tuple[Any, ...]
    constants: dict[str, Any]
    registers: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Warps of a program, and what the compiler may use."""
        return {
            "num_warps": max(1, self.threads // 32),
            "num_stages": 1,
            "enable_fp_fusion": True,
            "maxnreg": self.registers,
        }

    @functools.cached_property
    def key(self) -> tuple[Any, ...]:
        """All of it; types besides values, as 1, 1.0 and True are equal."""
        values = (*self.numbers, *self.constants.values())
        types = tuple(map(type, values))
        return self.kernel.fn, self.programs, self.threads, self.registers, tuple(self.constants), values, types


Started = tuple[Callable[..., None], tuple[Any, ...]]
"""What starts a compiled kernel with the values of its parameters, and those of its constants, which come last."""

_started: Kept[tuple[Any, ...], Started] = Kept()


@functools.cache
def announce(kernel: str, dtype: torch.dtype) -> None:
    """Say once that a kernel may have to be compiled: Triton keeps what it compiled on disk."""
    logger.info(
        "preparing the CUDA kernel %s for %s (compiled once for each kind of shape, then cached)", kernel, dtype
    )


def start(launch: Launch, device: torch.device, *tensors: Tensor) -> None:
    """Start a kernel on the current stream of its tensors' device, which must be the current one."""
    key = _key(launch, device, tensors)
    started = None if key is None else _started.get(key)
    if started is not None:
        run, constants = started
        run(*tensors, *launch.numbers, *constants)
        return
    announce(launch.kernel.fn.__name__, tensors[0].dtype)
    compiled = launch.kernel[(launch.programs,)](*tensors, *launch.numbers, **launch.constants, **launch.options)
    if key is not None and _is_known(compiled):
        names = launch.kernel.arg_names[len(tensors) + len(launch.numbers) :]
        if set(names) == set(launch.constants):
            constants = tuple(launch.constants[name] for name in names)
            _started.keep(key, (compiled[(launch.programs, 1, 1)], constants))


def _key(launch: Launch, device: torch.device, tensors: tuple[Tensor, ...]) -> tuple[Any, ...] | None:
    """All that decides which compiled kernel runs; None where Triton must be asked each time."""
    if type(launch.kernel) is not JITFunction or launch.kernel.pre_run_hooks:  # the former under its interpreter
        return None
    if knobs is None:
        settings: tuple[Any, ...] = (os.environ.get("TRITON_DEBUG"),)
    elif getattr(knobs.runtime, "add_stages_inspection_hook", None) is not None:
        return None
    else:
        settings = knobs.runtime.debug, getattr(knobs.compilation, "instrumentation_mode", None)
    kinds = [(tensor.dtype, tensor.data_ptr() % 16 == 0) for tensor in tensors]
    return launch.key, device, settings, *kinds


def _is_known(compiled: Any) -> bool:
    """Whether Triton gave a kernel of NVIDIA's that is started in the way of VERSIONS."""
    return (
        triton.__version__.startswith(VERSIONS)
        and type(compiled) is CompiledKernel
        and compiled.metadata.target.backend == "cuda"
        and list(compiled.src.signature) == list(compiled.src.fn.arg_names)
    )

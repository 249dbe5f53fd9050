"""Devices: the one that is meant and can be used, and the GPUs that there are."""

from __future__ import annotations

import os
import re
import warnings
from functools import cache

from a2u_bench.case import typed
from a2u_bench.errors import UsageError
from a2u_bench.machine import nvml

OLDEST = (7, 0)
"""Compute capability below which Triton makes no kernels."""

TF32_FROM = (8, 0)

LEAST = 1 << 30
"""Bytes that a GPU must have free: half of it is a process's context, the rest a buffer to flush its cache with."""


def is_device(text: str) -> bool:
    """Whether this names a device, here or elsewhere: `cuda:1` is the second GPU."""
    return re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", text) is not None


def device(name: str) -> str:
    """The device that is meant, as rows name it: `auto` is CUDA where there is one that can be used.

    `cuda:1` is the second GPU; it is then the only one for this process and those that it starts, which call it cuda.
    UsageError for a device that is not here or cannot be used, with the reason.
    """
    name = typed("device", name)
    if name == "cpu":
        return name
    import torch

    kind, _, number = name.partition(":")
    others = ["cpu", *(["mps"] if torch.backends.mps.is_available() else [])]
    if name in others:
        return name
    if not is_device(name) or kind == "mps":
        why = "this machine has none" if kind == "mps" else "there is no such device"
    else:
        why = why_not_cuda(int(number or 0))
    if name == "auto":
        return "cpu" if why else "cuda"
    if why:
        raise UsageError(f"--device {name}: {why}. Allowed here: auto, {', '.join(others)}")
    return kind


@cache
def why_not_cuda(index: int = 0) -> str:
    """Why the GPU with this number cannot be measured on, or ""; it is then the one that CUDA shows first."""
    import torch

    if not torch.backends.cuda.is_built():
        return f"this build of torch ({torch.__version__}) has no CUDA; pytorch.org/get-started has those that have"
    if index:  # before CUDA begins: afterwards it would see them all
        found = gpus()
        if index >= len(found):
            seen = {0: "there is no GPU here", 1: "there is one GPU here, cuda:0"}
            return seen.get(len(found), f"there are {len(found)} GPUs here, cuda:0 to cuda:{len(found) - 1}")
        os.environ["CUDA_VISIBLE_DEVICES"] = found[index]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same is said below, in one line
        try:
            torch.cuda.init()
            properties = torch.cuda.get_device_properties(0)
            free = _free()
        except (RuntimeError, AssertionError) as error:  # no driver, one that is too old, no GPU, one that is broken
            return f"CUDA does not begin: {' '.join(str(error).split())[:200].rstrip('. ')}"
    if (properties.major, properties.minor) < OLDEST:
        return (
            f"{properties.name} has compute capability {properties.major}.{properties.minor}; the kernels need "
            f"{OLDEST[0]}.{OLDEST[1]} (Volta, 2017) or newer"
        )
    if free < LEAST:
        return (
            f"{properties.name} has {free / 2**20:.0f} MiB of its memory free, and {LEAST >> 20} MiB are needed; "
            "nvidia-smi shows which programs hold it"
        )
    return ""


def why_no_tf32(name: str) -> str:
    """Why a device, as rows name it, does not multiply in TF32, or ""; "" too where a GPU is not here to be asked."""
    if name != "cuda":
        return f"dtype tf32 is a way in which NVIDIA GPUs multiply, and {name} has none; use float32"
    import torch

    if not torch.cuda.is_available() or torch.cuda.get_device_capability() >= TF32_FROM:
        return ""
    return f"{torch.cuda.get_device_name()} has no TF32: compute capability {TF32_FROM[0]}.{TF32_FROM[1]} begins it"


def gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES calls each GPU that this process may use."""
    import torch

    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    count = torch.cuda.device_count()
    return tuple(visible[:count] if visible else map(str, range(count)))


def _free() -> int:
    """Bytes that are free on the GPU; 0 where not even a context fits."""
    import torch

    gpu = visible_gpu()
    found = None if gpu is None else gpu.free_memory()
    if found is not None:
        return found
    try:
        return int(torch.cuda.mem_get_info(0)[0])
    except RuntimeError as error:
        if "out of memory" in str(error):
            return 0
        raise


def visible_gpu() -> nvml.Gpu | None:
    """The GPU that CUDA shows first, as NVML knows it; for a process that may load torch."""
    import torch

    properties = torch.cuda.get_device_properties(0)
    return nvml.gpu(str(getattr(properties, "uuid", "") or "") or None)

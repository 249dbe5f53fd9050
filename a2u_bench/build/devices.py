"""Devices: the one that is meant, and the GPUs that there are."""

from __future__ import annotations

import os

from a2u_bench.errors import UsageError


def device(name: str) -> str:
    """The device that is meant: `auto` is CUDA where there is one. UsageError for a device that is not here."""
    if name == "cpu":
        return name
    import torch

    here = ["cpu"]
    here += ["cuda"] if torch.cuda.is_available() else []
    here += ["mps"] if torch.backends.mps.is_available() else []
    if name == "auto":
        return "cuda" if "cuda" in here else "cpu"
    if name not in here:
        raise UsageError(
            f"--device {name}: this machine or this build of torch has none. Allowed: auto, {', '.join(here)}"
        )
    return name


def gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES calls each GPU that this process may use."""
    import torch

    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    count = torch.cuda.device_count()
    return tuple(visible[:count] if visible else map(str, range(count)))

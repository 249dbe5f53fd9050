"""What torch says of itself and of the accelerator."""

from __future__ import annotations

from typing import Any

from a2u_bench.operators.devices import visible_gpu


def torch_facts() -> dict[str, Any]:
    """What torch says of its build, its flags and the accelerator; for a process that may load torch."""
    import torch

    found: dict[str, Any] = {
        "version": str(torch.__version__),
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "parallel": _threading(torch.__config__.parallel_info()),
        "flush_denormals": True,  # every measuring process switches it on
        "mps": torch.backends.mps.is_available(),
    }
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        known = visible_gpu()
        told = known.facts() if known is not None else {}
        found |= {
            "gpu": gpu.name,
            "gpu_memory": gpu.total_memory,
            "gpu_capability": f"{gpu.major}.{gpu.minor}",
            "gpu_count": torch.cuda.device_count(),
            "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,  # of float32 cases; those of dtype tf32 switch it on
            "tf32_cudnn": torch.backends.cudnn.allow_tf32,
            "driver": None if known is None else known.driver(),
            **{name if name.startswith("now_") else f"gpu_{name}": value for name, value in told.items()},
        }
    return found


def _threading(text: str) -> str | None:
    """Which threads torch computes with, from its own account."""
    lines = (line.strip() for line in text.splitlines())
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("ATen parallel backend")), None)

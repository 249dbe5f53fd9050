"""The environment of a run, for its manifest: whatever can change a number. What is not known is None."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from a2u_bench import nvml

PACKAGES = ("a2u-bench", "torch", "numpy", "scipy", "numba", "triton", "fvcore", "pandas")
TIMEOUT = 120.0
"""Seconds in which a process that loads torch has answered."""

VARIABLES = (
    *("OMP_", "MKL_", "KMP_", "GOMP_", "OPENBLAS_"),
    *("PYTORCH_", "TORCH_", "TORCHINDUCTOR_", "CUDA_", "CUBLAS_", "CUBLASLT_", "NVIDIA_", "TRITON_", "UPSAMPLERS_"),
    *("MALLOC_", "LD_PRELOAD"),
)
"""Beginnings of the environment variables that change threads, kernels or allocation."""


def record(
    argv: Sequence[str] | None = None, alone: bool = False, devices: Collection[str] = ("cpu",)
) -> dict[str, Any]:
    """Everything about this machine and this process; torch's own facts are asked of a fresh process.

    `alone`: of one that loads nothing but torch, for whoever measures nothing afterwards. `devices` are those that will
    be measured on.
    """
    import psutil

    from a2u_bench import host

    of_torch = ask_torch() if alone else partial(_of_the_pool, devices)  # it loads while the rest is looked at
    root = Path(__file__).resolve().parent.parent
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "usable_cores": usable_cores(),
        "cgroup_quota": cgroup_quota(Path("/sys/fs/cgroup")),
        "memory": psutil.virtual_memory().total,
        "state": host.lasting(),
        "now": host.now(),
        "governor": first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "turbo": first_line(Path("/sys/devices/system/cpu/cpufreq/boost")),
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith(VARIABLES)},
        "packages": {name: _version(name) for name in PACKAGES},
        "torch": of_torch(),
        "git_commit": _git(root, "rev-parse", "HEAD"),
        "git_dirty": None if (changes := _git(root, "status", "--porcelain")) is None else bool(changes),
        "command": list(("a2u-bench", *sys.argv[1:]) if argv is None else argv),
    }


def ask_torch() -> Callable[[], dict[str, Any]]:
    """Start a process that answers `torch_facts`; what is returned waits for the answer, empty where there is none."""
    code = "import json; from a2u_bench.machine import torch_facts; print(json.dumps(torch_facts()))"
    places = (str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", ""))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
    )

    def answer() -> dict[str, Any]:
        try:
            said, _ = process.communicate(timeout=TIMEOUT)
            return dict(json.loads(said.splitlines()[-1]))
        except (subprocess.TimeoutExpired, IndexError, ValueError):
            return {}
        finally:
            process.kill()
            process.wait()

    return answer


def _of_the_pool(devices: Collection[str]) -> dict[str, Any]:
    from a2u_bench.pool import torch_facts

    return torch_facts(devices)


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


def visible_gpu() -> nvml.Gpu | None:
    """The GPU that CUDA shows first, as NVML knows it; for a process that may load torch."""
    import torch

    properties = torch.cuda.get_device_properties(0)
    return nvml.gpu(str(getattr(properties, "uuid", "") or "") or None)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str | None:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Hardware")))
    return next(named, platform.processor() or None)


def cgroup_quota(root: Path) -> float | None:
    """How many cores' worth of time the control group may use (version 2, then 1); None without a limit."""
    if line := first_line(root / "cpu.max"):
        quota, period = line.split()
        return None if quota == "max" else int(quota) / int(period)
    quota_line, period_line = (first_line(root / "cpu" / f"cpu.cfs_{part}_us") for part in ("quota", "period"))
    if quota_line and period_line and int(quota_line) > 0:
        return int(quota_line) / int(period_line)
    return None


def cgroup_memory(root: Path) -> int | None:
    """Bytes that the control group (version 2, then 1) may still use; None without a limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, now = first_line(root / limit), first_line(root / used)
        if most and now and most.isdigit() and int(most) < 1 << 60:
            return max(0, int(most) - int(now))
    return None


def _threading(text: str) -> str | None:
    """Which threads torch computes with, from its own account."""
    lines = (line.strip() for line in text.splitlines())
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("ATen parallel backend")), None)


def first_line(path: Path) -> str | None:
    """The first line of a file, or None where there is none."""
    try:
        return path.read_text(errors="replace").strip().splitlines()[0]
    except (OSError, IndexError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(root: Path, *arguments: str) -> str | None:
    """An answer of git about the folder this code lies in; None where that is no repository of its own."""
    return _run("git", "-C", str(root), *arguments) if (root / ".git").exists() else None


def _run(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

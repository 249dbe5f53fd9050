"""The environment of a run, for its manifest: whatever can change a number. What is not known is None."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from a2u_bench.machine.system import cgroup_quota, cpu_model, first_line, git, usable_cores, version

PACKAGES = ("a2u-bench", "torch", "numpy", "scipy", "numba", "triton", "fvcore", "pandas")
OPTIONAL = ("onnxruntime", "openvino", "onnx", "onnxscript")
"""Packages that a case may run in, recorded where they are."""
TIMEOUT = 120.0
"""Seconds in which a process that loads torch has answered."""

VARIABLES = (
    *("OMP_", "MKL_", "KMP_", "GOMP_", "OPENBLAS_"),
    *("PYTORCH_", "TORCH_", "TORCHINDUCTOR_", "CUDA_", "CUBLAS_", "CUBLASLT_", "NVIDIA_", "TRITON_", "UPSAMPLERS_"),
    *("MALLOC_", "LD_PRELOAD"),
)
"""Beginnings of the environment variables that change threads, kernels or allocation."""


def record(argv: Sequence[str] | None = None, torch: Callable[[], Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """Everything about this machine and this process.

    `torch` says what torch says of itself (`measure.torch_facts`); without it a process is started that loads torch.
    """
    import psutil

    from a2u_bench.machine import state

    of_torch = torch or ask_torch()  # which loads while the rest is looked at
    root = Path(__file__).resolve().parents[2]
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
        "state": state.lasting(),
        "now": state.now(),
        "governor": first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "turbo": first_line(Path("/sys/devices/system/cpu/cpufreq/boost")),
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith(VARIABLES)},
        "packages": {name: version(name) for name in PACKAGES}
        | {name: found for name in OPTIONAL if (found := version(name))},
        "torch": dict(of_torch()),
        "git_commit": git(root, "rev-parse", "HEAD"),
        "git_dirty": None if (changes := git(root, "status", "--porcelain")) is None else bool(changes),
        "command": list(("a2u-bench", *sys.argv[1:]) if argv is None else argv),
    }


def ask_torch() -> Callable[[], dict[str, Any]]:
    """Start a process that loads torch and tells its facts; what is returned waits for them, and is empty without."""
    code = "import json; from a2u_bench.measure.torch_facts import torch_facts; print(json.dumps(torch_facts()))"
    places = (str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", ""))
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

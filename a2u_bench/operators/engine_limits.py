"""Engines that run exported models, ONNX Runtime and OpenVINO: what must be installed, and what they can take."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from a2u_bench.case import ENGINES, Case
from a2u_bench.errors import UsageError

EXPORTER = ("onnx", "onnxscript")
"""Packages that write a model."""

EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}
"""The extra of this project that brings each engine, and the exporter."""

DTYPES = {"onnxruntime": ("float32", "float64"), "openvino": ("float32",)}
"""What each computes in on a CPU, as it is asked to; OpenVINO makes float32 of float64."""

LABELS = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def must_be_installed(runtimes: Iterable[str]) -> None:
    """UsageError, with the extra to install, where an engine among these runtimes or the exporter is missing."""
    for runtime in filter(ENGINES.__contains__, runtimes):
        if lacking := missing(runtime):
            raise UsageError(f"--runtime {runtime}: needs {lacking}")


def missing(engine: str) -> str:
    """The packages that are not here for exporting to an engine and running there, with how to install them, or ""."""
    names = [name for name in (*EXPORTER, engine) if find_spec(name) is None]
    return f"{', '.join(names)}, not installed here; pip install 'a2u-bench[{EXTRAS[engine]}]'" if names else ""


def why_no_engine(case: Case) -> str:
    """Why an engine does not take a case with these axes, or ""."""
    if case.runtime not in ENGINES:
        return ""
    label = LABELS[case.runtime]
    if case.mode != "inference":
        return f"{label} runs inference alone"
    if case.device != "cpu":
        return f"{label} is measured on a CPU alone"
    if case.dtype not in DTYPES[case.runtime]:
        return f"{label} takes {' or '.join(DTYPES[case.runtime])} here"
    return f"{label} takes contiguous maps alone" if case.layout != "contiguous" else ""

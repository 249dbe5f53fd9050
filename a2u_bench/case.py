"""The case: one frozen point of a suite. Its id is computed from what is measured, never typed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

TF32 = "tf32"
"""float32 tensors whose convolutions and matrix products are made in TF32, as NVIDIA GPUs do since 2020."""

DTYPES = ("float32", "float64", "float16", "bfloat16", TF32)
LAYOUTS = ("contiguous", "channels_last")
MODES = ("inference", "training")
RUNTIMES = ("eager", "compile", "onnxruntime", "openvino")
ENGINES = ("onnxruntime", "openvino")
"""Runtimes that take a model of ONNX and know nothing of torch."""

ALLOCATORS = ("default", "kept")
DEVICES = ("auto", "cpu", "cuda", "mps")

ALIASES = {
    "dtype": {
        "fp64": "float64",
        "double": "float64",
        "fp32": "float32",
        "float": "float32",
        "single": "float32",
        "fp16": "float16",
        "half": "float16",
        "bf16": "bfloat16",
    },
    "layout": {"nchw": "contiguous", "nhwc": "channels_last"},
    "device": {"cuda:0": "cuda", "gpu": "cuda"},
}
"""Other names that people type, by axis."""


def typed(axis: str, value: str) -> str:
    """A value as rows have it, from what a person typed for this axis."""
    return ALIASES.get(axis, {}).get(value.lower(), value)


class Point(Protocol):
    """What a row is about: a frozen dataclass whose fields are axes of the table, with an id computed from them."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class Case:
    """One operator variant on one shape, dtype, layout, mode, runtime, device and thread count.

    `options` is the canonical operator string (``a2u:rank=4,sharing=unshared``), from which the operator is
    built; `variant` is its declared label. The shape is that of z, the low-resolution map: B×C×H×W. Where `network`
    names one, the operator is in each of its upsampling places, the shape is that of the image and the scale is 1.
    """

    operator: str
    variant: str
    options: str
    batch: int
    channels: int
    height: int
    width: int
    scale: int = 2
    dtype: str = "float32"
    layout: str = "contiguous"
    mode: str = "inference"
    runtime: str = "eager"
    device: str = "cpu"
    threads: int = 1
    network: str | None = None
    allocator: str | None = None  # "kept": the process keeps what it frees; None: the C library decides

    @property
    def id(self) -> str:
        """Operator name and twelve hexadecimal digits of a hash over every field but the label."""
        what = {name: value for name, value in asdict(self).items() if name != "variant"}
        for name in ("network", "allocator"):  # without them a case keeps the id that it had before there were any
            if what[name] is None:
                del what[name]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return f"{self.operator.rpartition(':')[2]}-{digest[:12]}"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """B, C, H, W of z."""
        return (self.batch, self.channels, self.height, self.width)

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """B, C, sH, sW of what a call gives; a network gives one channel."""
        channels = self.channels if self.network is None else 1
        return (self.batch, channels, self.scale * self.height, self.scale * self.width)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Case:
        """The case a stored row describes."""
        return cls(**{field.name: row[field.name] for field in fields(cls) if field.name in row})

"""How a fused pass starts its kernel: tensors first, then numbers, then what is compiled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from upsamplers.primitive.cuda import launch
from upsamplers.primitive.cuda.launch import arithmetic as arithmetic
from upsamplers.primitive.cuda.launch import blank_map as blank_map

Numbers = int | float | tuple[int, ...]


def start(
    kernel: Any, programs: int, lanes: int, tensors: Sequence[Tensor], numbers: Sequence[Numbers], **constants: Any
) -> None:
    """Run a kernel on the device of its tensors, `lanes` threads a program."""
    launch.launch(kernel, programs, lanes, tensors[0].device, *tensors, *numbers, **constants)

"""Multiply-adds of a forward pass as torch's counter meets them: what an operator's formula is held to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from upsamplers.operator import Upsampler
from upsamplers.primitive.macs import NATIVE


def counted(op: Upsampler, z: Tensor, guide: Tensor | None) -> tuple[dict[str, int], bool]:
    """Multiply-adds of `op(z, guide)` by the name of each operation, and whether products were summed by hand.

    Convolutions, matrix products, interpolation and the reassembly are counted. `(a * b).sum()` is not, since no
    counter can tell it from a scaling and a sum.
    """
    counter = FlopCounterMode(display=False, custom_mapping=formulas())
    with torch.no_grad(), _Names() as met, counter:
        op(z) if guide is None else op(z, guide)
    counts = counter.get_flop_counts().get("Global", {})
    found = {str(operation).partition(".")[2]: flops // 2 for operation, flops in counts.items()}
    return found, "mul" in met.names and not met.names.isdisjoint(("sum", "mean"))


def formulas() -> dict[Any, Callable[..., int]]:
    """What torch's counter lacks, by operation: floating-point operations, two for each multiply-add.

    They are given to one counter and registered nowhere. The primitives have registered their own.
    """
    found: dict[Any, Callable[..., int]] = {}
    for name, macs in NATIVE.items():
        packet = getattr(torch.ops.aten, name)
        # Each overload too: one that the counter does not know is taken apart before the formula of all is asked.
        overloads = (getattr(packet, overload) for overload in packet.overloads())
        found |= dict.fromkeys([packet, *overloads], _per_output(macs))
    return found


class _Names(TorchDispatchMode):
    """The names of the operations that reach a device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func).split(".")[1].removesuffix("_"))
        return func(*args, **(kwargs or {}))


def _per_output(macs: int) -> Callable[..., int]:
    def flops(*shapes: Any, out_shape: Any = None, **more: Any) -> int:
        return 2 * macs * math.prod(out_shape)

    return flops

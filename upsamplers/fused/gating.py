"""FADE's gate in one pass: out = gate·guide + (1 − gate)·up, gate = sigmoid of logits of lower resolution.

logits [B, 1, H, W], each for s×s points; guide and up [B, C, sH, sW].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from upsamplers.fused.passes import Kernels, Pass, register
from upsamplers.primitive import reassemble
from upsamplers.primitive.eager import layout
from upsamplers.repeat import repeated


def _definition(up: Tensor, guide: Tensor, logits: Tensor, scale: int) -> Tensor:
    gate = repeated(logits.sigmoid(), scale).unsqueeze(2)  # [B, 1, 1, sH, sW]
    return reassemble(gate, guide, scale=1, kernel_size=1) + reassemble(1 - gate, up, scale=1, kernel_size=1)


def _shape(up: Tensor, guide: Tensor, logits: Tensor, scale: int) -> Tensor:
    kind = torch.promote_types(torch.promote_types(up.dtype, guide.dtype), logits.dtype)
    return torch.empty(up.shape, dtype=kind, device=up.device, memory_format=layout(up))


def _kernels(backend: str) -> Kernels | None:
    if backend == "numba":
        from upsamplers.primitive.cpu import gate_calls

        return gate_calls.forward, gate_calls.backward
    if backend == "triton":
        from upsamplers.primitive.cuda import gating

        return gating.forward, gating.backward
    return None


def _macs(shapes: Sequence[Any], output: Sequence[int]) -> int:
    """Two for each output element, as FADE's authors count."""
    return 2 * math.prod(output)


gated = register(
    Pass("gated", 3, "Tensor up, Tensor guide, Tensor logits, SymInt scale", _definition, _shape, _kernels, _macs)
)
"""gated(up, guide, logits, scale) -> [B, C, sH, sW], in the widest of the three types."""

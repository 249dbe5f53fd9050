"""Layers of half types: in float32 on a CPU without arithmetic of theirs, where torch's own take up to a hundred times.

Only the numbers are float32: a layer's input, weights, output and gradients keep their types, also under autocast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.tracing import is_exporting, is_jit

ARITHMETIC = {
    torch.bfloat16: ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"),
    torch.float16: ("avx512_fp16", "amx_fp16", "fp16_arith"),
}
"""By which of its capabilities a CPU has arithmetic of a half type."""


def lacking(capabilities: Mapping[str, Any]) -> tuple[torch.dtype, ...]:
    """The half types that a CPU has no arithmetic for."""
    return tuple(kind for kind, names in ARITHMETIC.items() if not any(capabilities.get(name) for name in names))


# earlier versions of torch know a CPU less well: nothing is then taken for granted
LACKING = lacking(getattr(torch.cpu, "get_capabilities", dict)())
"""The half types that this CPU has no arithmetic for."""


def in_float32(layer: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`layer(x, weight, bias)`, in float32 where torch would use a half type that the CPU lacks."""
    kind = _lacked(x)
    if kind is None:
        return layer(x, weight, bias)
    with torch.autocast("cpu", enabled=False):
        return layer(x.float(), weight.float(), None if bias is None else bias.float()).to(kind)


def _lacked(x: Tensor) -> torch.dtype | None:
    """The half type that torch would use for x where this CPU lacks it. An exported program may run on any CPU."""
    if x.device.type != "cpu" or is_jit() or is_exporting():
        return None
    low = torch.is_autocast_enabled("cpu") and x.dtype != torch.float64
    kind = torch.get_autocast_dtype("cpu") if low else x.dtype
    return kind if kind in LACKING else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x·weightᵀ + bias, [..., outputs] from [..., inputs]."""
    return in_float32(functional.linear, x, weight, bias)


def product(x: Tensor, y: Tensor) -> Tensor:
    """The products of two batches of matrices."""
    return in_float32(lambda x, y, _: torch.bmm(x, y), x, y, None)


class Conv2d(nn.Conv2d):
    """torch's layer."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return in_float32(super()._conv_forward, input, weight, bias)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's layer."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, C, sH, sW] from [B, C, H, W]."""

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            sizes = (self.stride, self.padding, self.output_padding, self.groups, self.dilation)
            return functional.conv_transpose2d(x, weight, bias, *sizes)  # type: ignore[arg-type]  # tuples of two

        if output_size is not None:
            return super().forward(input, output_size)
        return in_float32(layer, input, self.weight, self.bias)


class Linear(nn.Linear):
    """torch's layer."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., outputs] from [..., inputs]."""
        return linear(input, self.weight, self.bias)

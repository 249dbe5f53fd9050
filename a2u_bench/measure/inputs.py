"""The inputs of a case, and the one call that is measured: a forward pass, or a forward and a backward pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from a2u_bench import operators
from a2u_bench.case import ENGINES, Case
from a2u_bench.measure.precision import stored

Cache = dict[tuple[Any, ...], Tensor]
"""Inputs that cases of one process share, by what they are."""


@dataclass(frozen=True)
class Prepared:
    """A case ready to be measured. `call` is what is timed; it returns all that it computed."""

    case: Case
    module: nn.Module  # as built, never compiled
    runner: Callable[..., Tensor]  # the module, compiled or in an engine where the case says so
    z: Tensor
    guide: Tensor | None
    call: Callable[[], Any]
    cotangent: Tensor | None = None  # what is propagated back, in training

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """z, and the guide where there is one."""
        return (self.z,) if self.guide is None else (self.z, self.guide)

    @property
    def compulsory(self) -> int:
        """Bytes that a forward pass cannot do without: z, the guide, the parameters and the output, each once."""
        case, element = self.case, self.z.element_size()
        output = math.prod(output_shape(case, self.module)) * element
        return output + sum(t.numel() * t.element_size() for t in (*self.inputs, *self.module.parameters()))

    @property
    def own(self) -> tuple[Tensor, ...]:
        """Every tensor that is there before the call: inputs, parameters, buffers, and the cotangent in training."""
        cotangent = () if self.cotangent is None else (self.cotangent,)
        return (*self.inputs, *self.module.parameters(), *self.module.buffers(), *cotangent)


def prepare(case: Case, seed: int, cache: Cache) -> Prepared:
    """Build the module and its inputs, all from `seed`. Impossible where the operator cannot take the case."""
    torch.manual_seed(seed)
    module = operators.create(case).to(device=case.device, dtype=stored(case.dtype))
    if case.layout == "channels_last":
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return with_inputs(case, module, seed, cache)


def with_inputs(case: Case, module: nn.Module, seed: int, cache: Cache) -> Prepared:
    """A module of the case's dtype and device, which is put into the case's mode, with inputs from `seed`."""
    training = case.mode == "training"
    module.train(training)
    guide_channels = getattr(module, "guide_channels", case.channels)  # of what makes its own kernels: those of z
    z = _leaf(_random(case, case.shape, seed, cache), training)
    guide = None
    if case.network is None and module.needs_guide != "none":  # an Upsampler
        size = module.guide_size(case.height, case.width)  # type: ignore[operator]
        guide = _leaf(_random(case, (case.batch, guide_channels, *size), seed + 1, cache), training)
    if operators.is_own_network(case):
        with torch.no_grad():
            module.result_shape = tuple(module(z).shape)  # type: ignore[assignment]  # no child
    runner = _runner(case, module, (z,) if guide is None else (z, guide))
    if not training:
        return Prepared(case, module, runner, z, guide, lambda: runner(z, guide))
    cotangent = _random(case, output_shape(case, module), seed + 2, cache)
    wanted = [tensor for tensor in (z, guide, *module.parameters()) if tensor is not None and tensor.requires_grad]

    def forward_and_backward() -> Any:
        # Gradients are returned, not accumulated, so there is nothing to clear between calls.
        up = runner(z, guide)
        return up, torch.autograd.grad(up, wanted, cotangent, allow_unused=True)

    return Prepared(case, module, runner, z, guide, forward_and_backward, cotangent)


def _runner(case: Case, module: nn.Module, inputs: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """The module as its runtime calls it."""
    if case.runtime in ENGINES:
        from a2u_bench.measure.engines import Engine

        return Engine(case, module, inputs)
    compiled: Callable[..., Tensor] = torch.compile(module) if case.runtime == "compile" else module
    return compiled


def output_shape(case: Case, module: nn.Module) -> tuple[int, ...]:
    """B, C, sH, sW of what a call gives: C is the case's unless an option of the operator makes it another."""
    if (known := getattr(module, "result_shape", None)) is not None:
        return tuple(known)
    batch, channels, *size = case.output_shape
    return (batch, getattr(module, "out_channels", channels), *size)


def _random(case: Case, shape: tuple[int, ...], seed: int, cache: Cache) -> Tensor:
    """A standard normal map of the case's dtype, device and layout; the same numbers for every operator."""
    key = (shape, seed, case.dtype, case.device, case.layout)
    if key not in cache:
        numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        layout = torch.channels_last if case.layout == "channels_last" else torch.contiguous_format
        dtype = stored(case.dtype)
        cache[key] = numbers.to(device=case.device, dtype=dtype).contiguous(memory_format=layout)
    return cache[key]


def _leaf(tensor: Tensor, training: bool) -> Tensor:
    return tensor.detach().requires_grad_(training)

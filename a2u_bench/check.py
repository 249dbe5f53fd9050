"""Check: right before fast. An operator that disagrees with its float64 definition is not timed."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from a2u_bench import build
from a2u_bench.measure.clock import Call
from a2u_bench.measure.inputs import Prepared, output_shape

TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
"""The largest error that is allowed, as a share of the largest value of the definition, but at least of 1."""

SIDE = 8
"""Largest side of the map on which an operator is compared with its definition, which is slow."""

NETWORK_SIDE = 16
"""The same of a network's image: its deepest level has one point."""

ELEMENTS = 1 << 22
"""Largest number of elements of the expanded kernels on that map."""


class Incorrect(Exception):
    """An operator gives what it should not; the message says what and by how much."""


def check(prepared: Prepared, call: Call | None = None) -> None:
    """Raise Incorrect unless the case's output is right.

    On the whole map: shape, dtype, finite values, inputs left as they were, and for training finite gradients. On a
    corner of it: the values, against the definition in float64 on the same inputs and parameters. `call` makes the
    case's call where somebody watches it.
    """
    _check_whole(prepared, call or prepared.call)
    _check_values(prepared)


def _check_whole(prepared: Prepared, call: Call) -> None:
    case = prepared.case
    before = [tensor.detach().clone() for tensor in prepared.inputs]
    result = call()
    up, gradients = result if case.mode == "training" else (result, ())
    for name, tensor, kept in zip(("z", "guide"), prepared.inputs, before, strict=False):
        if not torch.equal(tensor, kept):
            raise Incorrect(f"changes its input {name} in place")
    if not isinstance(up, Tensor):
        raise Incorrect(f"gives a {type(up).__name__} instead of a tensor")
    expected = output_shape(case, prepared.module)
    if tuple(up.shape) != expected:
        raise Incorrect(f"gives the shape {tuple(up.shape)} instead of {expected}")
    if up.dtype != prepared.z.dtype:
        raise Incorrect(f"gives {_name(up.dtype)} instead of {case.dtype}")
    _check_finite(up, "values")
    if prepared.runner is not prepared.module:
        _check_compiled(prepared, up)
    for gradient in gradients:
        if gradient is not None:
            _check_finite(gradient, "gradients")


def _check_compiled(prepared: Prepared, up: Tensor) -> None:
    """Compiled or not, the result is the same; the definition is compared with what is not compiled."""
    module = _kept(prepared.module)
    with torch.no_grad():
        plain = module(prepared.z, prepared.guide)
    error = (up.double() - plain.double()).abs().max().item()
    allowed = TOLERANCE[prepared.case.dtype] * max(1.0, plain.abs().max().item())
    if not error <= allowed:
        raise Incorrect(f"differs by {error:.3g} when compiled; allowed: {allowed:.3g}")


def _check_values(prepared: Prepared) -> None:
    case = prepared.case
    side = _side(prepared)
    height, width = min(case.height, side), min(case.width, side)
    z = _corner(prepared.z, height, width)
    module, guide = _kept(prepared.module), None
    if prepared.guide is not None:
        guide = _corner(prepared.guide, *module.guide_size(height, width))  # type: ignore[operator]  # an Upsampler
    with torch.no_grad():
        if case.network is not None:  # normalised by stored statistics: a corner has too little of its own
            module.eval()
        up = module(z, guide)
        exact = copy.deepcopy(module).double()
        wide = None if guide is None else guide.double()
        truth = build.definition(exact, z.double(), wide)
    if up.shape != truth.shape:
        raise Incorrect(f"gives the shape {tuple(up.shape)} instead of {tuple(truth.shape)} on a {height}×{width} map")
    _check_finite(up, "values")
    error = (up.double() - truth).abs().max().item()
    allowed = TOLERANCE[case.dtype] * max(1.0, truth.abs().max().item())
    if not error <= allowed:
        raise Incorrect(f"differs from its float64 definition by {error:.3g}; allowed: {allowed:.3g}")


def _kept(module: nn.Module) -> nn.Module:
    """The module, or a copy of one in training, whose batch statistics are to stay as they were."""
    return copy.deepcopy(module) if module.training else module


def _side(prepared: Prepared) -> int:
    """The side of the corner: smaller where kernels contract channels, because the definition writes them all out."""
    case = prepared.case
    if case.network is not None:
        return NETWORK_SIDE
    taps = int(getattr(prepared.module, "kernel_size", 1)) ** 2
    width = case.channels if build.facts(case.operator).mixes_channels else 1
    side = SIDE
    while side > 1 and taps * width * case.channels * (case.scale * side) ** 2 > ELEMENTS:
        side //= 2
    return side


def _corner(tensor: Tensor, height: int, width: int) -> Tensor:
    return tensor.detach()[:1, :, :height, :width].clone()


def _check_finite(tensor: Tensor, what: str) -> None:
    wrong = tensor.numel() - int(torch.isfinite(tensor).sum())
    if wrong:
        raise Incorrect(f"gives {wrong} {what} of {tensor.numel()} that are NaN or infinite")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

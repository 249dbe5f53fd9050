"""Check: right before fast. An operator that disagrees with its float64 definition is not timed.

The whole map is compared, as the call that is timed gives it: on a smaller one other kernels would run on a GPU. On a
CPU kernels are the same for every size, float64 is slow, and of a large map a band of rows stands for it.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from a2u_bench import operators
from a2u_bench.measure.clock import Call
from a2u_bench.measure.inputs import Prepared, output_shape
from a2u_bench.measure.predict import available_memory

TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "tf32": 5e-3, "float16": 2e-2, "bfloat16": 1e-1}
"""The largest error that is allowed, as a share of the largest value of the definition, but at least of 1."""

MAPS = 6
"""Maps of the output's size in float64 that a definition holds at once, at most: its sums, and those of an epilogue."""

COORDINATE = 2.0**-23
"""Spacing of float32 numbers, as a share of them."""

SHARE = 0.5
"""Of the memory that is free, what a definition may take."""

ON_A_CPU = 1 << 21
"""Values of the output that are compared on a CPU, about."""

NETWORK_ROWS = 16
"""Rows of a network's image that are compared on a CPU: its deepest level has one."""


class Incorrect(Exception):
    """An operator gives what it should not; the message says what and by how much."""


def check(prepared: Prepared, call: Call | None = None) -> None:
    """Raise Incorrect unless the case's output is right.

    Its shape and dtype, finite values, inputs left as they were, for training finite gradients; and every value,
    against the definition in float64 on the same inputs and parameters. `call` makes the case's call where somebody
    watches it.
    """
    original = _kept(prepared.module)  # a call in training changes stored statistics
    up = _check_call(prepared, call or prepared.call)
    if operators.is_own_network(prepared.case):
        _check_network(prepared, original, up)
    else:
        _check_values(prepared, original, up)


def _check_network(prepared: Prepared, original: nn.Module, up: Tensor) -> None:
    """A person's own network against itself with every operator by its definition, in its own dtype or in float32.

    Whatever else it does is the same in both, so that float64, in which it may not run, is not asked of it. One that
    trains is compared in evaluation mode, where it draws no random numbers.
    """
    case = prepared.case
    still = copy.deepcopy(original).eval()
    exact = copy.deepcopy(still) if case.dtype == "float64" else copy.deepcopy(still).float()
    z = prepared.z.detach()
    with torch.no_grad():
        given = still(z) if case.mode == "training" else up
        truth = operators.definition(exact, z.to(next(exact.parameters(), z).dtype), None)
    error, largest = (truth - given).abs().max().item(), truth.abs().max().item()
    _must_be_close(prepared, error, TOLERANCE[case.dtype] * max(1.0, largest))


def _must_be_close(prepared: Prepared, error: float, allowed: float) -> None:
    if not error <= allowed:
        exact = "plain" if operators.is_own_network(prepared.case) else "float64"
        compiled = {"eager": "", "compile": " when compiled"}.get(prepared.case.runtime, " in its engine")
        raise Incorrect(f"differs from its {exact} definition by {error:.3g}{compiled}; allowed: {allowed:.3g}")


def _check_call(prepared: Prepared, call: Call) -> Tensor:
    """What the call gives, if it has the form that it should have."""
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
        raise Incorrect(f"gives {_name(up.dtype)} instead of {_name(prepared.z.dtype)}")
    _check_finite(up, "values")
    for gradient in gradients:
        if gradient is not None:
            _check_finite(gradient, "gradients")
    return up.detach()


def _check_values(prepared: Prepared, original: nn.Module, up: Tensor) -> None:
    """Every value of every sample; of a band of rows where the definition of all of them would not fit into memory."""
    case, error, largest = prepared.case, 0.0, 0.0
    batch, _, height, width = prepared.z.shape
    together = batch if original.training else 1  # statistics of a batch need all of it
    rows = _rows(prepared, original, together)
    if case.network is not None and rows < height:  # stored statistics: a band has too little of its own
        original = _kept(original).eval()
    if rows < height and prepared.runner is not prepared.module and original.training is prepared.module.training:
        # The band below is computed by the module as it is: what is compiled or in an engine is held against that.
        with torch.no_grad():
            plain = _kept(original)(*(x.detach() for x in prepared.inputs))
        allowed = _allowed(prepared, original, plain.abs().max().item())
        _must_be_close(prepared, (plain - up).abs().max().item(), allowed)
    exact = copy.deepcopy(original).double()
    for first in range(0, batch, together):
        samples = slice(first, first + together)
        z = prepared.z.detach()[samples, :, :rows]
        guide = None
        if prepared.guide is not None:
            band = original.guide_size(rows, width)[0]  # type: ignore[operator]  # an Upsampler
            guide = prepared.guide.detach()[samples, :, :band]
        with torch.no_grad():
            given = up[samples] if rows == height else _kept(original)(z, guide).detach()
            truth = operators.definition(exact, z.double(), None if guide is None else guide.double())
        if given.shape != truth.shape:
            raise Incorrect(f"gives the shape {tuple(given.shape)} instead of {tuple(truth.shape)} on {rows}×{width}")
        largest = max(largest, truth.abs().max().item())
        error = max(error, truth.sub_(given).abs_().max().item())  # in place: a map in float64 may be gigabytes
    _must_be_close(prepared, error, _allowed(prepared, original, largest))


def _allowed(prepared: Prepared, module: nn.Module, largest: float) -> float:
    """The largest error of values up to `largest`."""
    allowed = TOLERANCE[prepared.case.dtype] * max(1.0, largest)
    if operators.samples_points(module):  # coordinates are float32, coarser the farther they are from zero
        allowed += 4 * COORDINATE * max(prepared.z.shape[2:]) * largest
    return allowed


def _rows(prepared: Prepared, module: nn.Module, samples: int) -> int:
    """How many rows of z are compared: all of them, if what their definition needs fits into memory."""
    case = prepared.case
    if case.network is not None:
        return NETWORK_ROWS if case.device == "cpu" else case.height
    taps, groups = int(getattr(module, "kernel_size", 1)) ** 2, int(getattr(module, "groups", 1))
    of_guide = 0 if prepared.guide is None else prepared.guide.shape[1]
    points = samples * case.scale**2 * case.width  # of the output, in a row of z
    most = case.height
    if case.device == "cpu":
        most = ON_A_CPU // (case.channels * points)
    if (available := available_memory(case.device)) is not None:
        values = MAPS * case.channels + 2 * taps * groups + 2 * of_guide  # of each of them
        most = min(most, int(SHARE * available) // (8 * values * points))
    least = int(getattr(module, "least_size", 1))  # a window that is shifted inside needs all of its rows
    return max(least, min(case.height, most))


def _kept(module: nn.Module) -> nn.Module:
    """The module, or a copy of one in training, whose batch statistics are to stay as they were."""
    return copy.deepcopy(module) if module.training else module


def _check_finite(tensor: Tensor, what: str) -> None:
    wrong = tensor.numel() - int(torch.isfinite(tensor).sum())
    if wrong:
        raise Incorrect(f"gives {wrong} {what} of {tensor.numel()} that are NaN or infinite")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

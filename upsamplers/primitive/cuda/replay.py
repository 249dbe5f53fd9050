"""A call that Triton has bound once is repeated by the compiled kernel alone: memory, addresses, launch.

The first call of a plan runs as it always does, under a mode that sees what it asks of torch. Where that is nothing but
uninitialised memory and launches, they are what is repeated; where it is more, the call is made anew each time. All
that decides which kernel Triton compiles (types, sizes, strides, addresses that are multiples of 16) is in the plan's
key, or checked before the launch; device, stream and hooks are those of each launch.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from upsamplers.primitive.planner import Run

_ASKS_FOR_MEMORY = (torch.ops.aten.empty.memory_format, torch.ops.aten.empty_strided.default)
_active = threading.local()


@dataclass(frozen=True)
class Blank:
    """Uninitialised memory that a call asks for, and where its address lies in 16 bytes."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    offset: int


@dataclass(frozen=True)
class Launch:
    """A compiled kernel with its grid, the values of all its parameters, and which of them is the address of what."""

    start: Any
    values: tuple[Any, ...]
    addresses: tuple[tuple[int, int], ...]  # parameter, number of the tensor


def launch(
    kernel: Any, programs: int, arguments: tuple[Any, ...], constants: dict[str, Any], options: dict[str, Any]
) -> None:
    """Launch a kernel as Triton does, and let a recording know."""
    compiled = kernel[(programs,)](*arguments, **constants, **options)
    recording = getattr(_active, "recording", None)
    if recording is not None:
        recording.launched(kernel, compiled, programs, arguments, constants)


def repeatable(kernel: Any, compiled: Any) -> bool:
    """Whether a compiled kernel is launched with the values of all parameters in order, as since Triton 3.3.

    Under the interpreter there is no compiled kernel.
    """
    signature = getattr(getattr(compiled, "src", None), "signature", ())
    return (
        hasattr(type(compiled), "__getitem__")
        and list(signature) == list(kernel.arg_names)
        and not getattr(kernel, "pre_run_hooks", ())
    )


class Recording(TorchDispatchMode):
    """What a call asks of torch and of Triton, and whether it was all understood."""

    def __init__(self, *inputs: Tensor | None) -> None:
        super().__init__()
        self.tensors = [one for one in inputs if one is not None]
        self.inputs = len(self.tensors)
        self.steps: list[Blank | Launch] = []
        self.understood = True

    def __enter__(self) -> Any:
        _active.recording = self
        return super().__enter__()

    def __exit__(self, *reason: Any) -> None:
        _active.recording = None
        super().__exit__(*reason)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in _ASKS_FOR_MEMORY:
            self.tensors.append(out)
            self.steps.append(Blank(tuple(out.shape), out.stride(), out.dtype, out.data_ptr() % 16))
        else:
            self.understood = False
        return out

    def number(self, tensor: Tensor) -> int:
        """Which of the inputs and blanks a tensor is; −1: none."""
        for number, one in enumerate(self.tensors):
            # what a factory gives is another object than the mode saw: its memory, held here, is its own
            same = number >= self.inputs and one.numel() and one.data_ptr() == tensor.data_ptr()
            if one is tensor or (same and (one.shape, one.stride()) == (tensor.shape, tensor.stride())):
                return number
        return -1

    def launched(
        self, kernel: Any, compiled: Any, programs: int, arguments: tuple[Any, ...], constants: dict[str, Any]
    ) -> None:
        """Take down a launch."""
        named = dict(zip(kernel.arg_names, arguments, strict=False)) | constants
        values = tuple(named.get(name) for name in kernel.arg_names)
        numbers = tuple((at, self.number(value)) for at, value in enumerate(values) if isinstance(value, Tensor))
        known = set(named) == set(kernel.arg_names) and all(number >= 0 for _, number in numbers)
        if not known or not repeatable(kernel, compiled):
            self.understood = False
            return
        plain = tuple(0 if isinstance(value, Tensor) else value for value in values)
        self.steps.append(Launch(compiled[(programs, 1, 1)], plain, numbers))


class Repeated:
    """A primitive that is recorded at its first call and repeated from then on, where that is possible."""

    def __init__(self, function: Run) -> None:
        self.function = function
        self.again: Run | None = None

    def __call__(self, first: Tensor, second: Tensor, points: Tensor | None) -> Tensor:
        """The result for tensors with the types, shapes, strides and alignments of the plan's."""
        if self.again is not None:
            return self.again(first, second, points)
        if second is first:  # the next call may have two tensors, so each must be told from the other here
            second = second.detach()
        with Recording(first, second, points) as recording:
            out = self.function(first, second, points)
        result = recording.number(out)
        repeats = recording.understood and result >= 0
        self.again = _repeat(self.function, tuple(recording.steps), result) if repeats else self.function
        return out


def _repeat(function: Run, steps: tuple[Blank | Launch, ...], result: int) -> Run:
    """The recorded steps as a function; the function itself serves memory that lies otherwise than was recorded."""

    def again(first: Tensor, second: Tensor, points: Tensor | None) -> Tensor:
        device = second.device
        tensors = [first, second] if points is None else [first, second, points]
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            for step in steps:
                if isinstance(step, Launch):
                    values = list(step.values)
                    for at, number in step.addresses:
                        values[at] = tensors[number].data_ptr()
                    step.start(*values)
                    continue
                blank = torch.empty_strided(step.shape, step.strides, dtype=step.dtype, device=device)
                if blank.data_ptr() % 16 != step.offset:
                    return function(first, second, points)
                tensors.append(blank)
        return tensors[result]

    return again

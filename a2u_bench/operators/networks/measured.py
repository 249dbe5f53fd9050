"""A person's own network as a case measures it: image in, one tensor out, and where in it maps are upsampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from a2u_bench.errors import BenchError
from upsamplers.networks.calls import READERS, read
from upsamplers.networks.nested import tensors
from upsamplers.networks.placed import Placed

Around = Callable[[], AbstractContextManager[None]]


class MeasuredNetwork(nn.Module):
    """A network whose result is one tensor, whatever it returns.

    Args:
        network: takes an image [B, C, H, W]; returns a tensor, or a list, dict or dataclass of them.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.result_shape: tuple[int, ...] | None = None  # of this forward, once it is known

    def forward(self, image: Tensor, guide: None = None) -> Tensor:
        """Its floating-point map; several of them become one vector, so that a backward pass reaches each."""
        found = [tensor for _, tensor in tensors(self.network(image)) if tensor.is_floating_point()]
        if not found:
            raise BenchError(f"{type(self.network).__name__} returns no floating-point tensor")
        return found[0] if len(found) == 1 else torch.cat([tensor.flatten() for tensor in found])


@contextmanager
def upsampling(network: nn.Module, around: Around) -> Iterator[None]:
    """While it is on, `around()` is entered about every upsampling in a forward of the network: what was put at its
    sites, and calls of its own that make a map larger, but none twice."""
    seen = _Sites(around)
    handles = []
    for part in network.modules():
        if isinstance(part, Placed):
            handles.append(part.register_forward_pre_hook(lambda module, given: seen.enter()))
            handles.append(part.register_forward_hook(lambda module, given, result: seen.leave(), always_call=True))
    try:
        with seen:
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Sites(TorchFunctionMode):
    """Sees the functions of torch that upsample; those of an operator at a site are part of it."""

    def __init__(self, around: Around) -> None:
        super().__init__()
        self.around = around
        self.depth = 0
        self.stack = ExitStack()

    def enter(self) -> None:
        self.depth += 1
        if self.depth == 1:
            self.stack.enter_context(self.around())

    def leave(self) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.stack.close()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        call = read(func, args, given) if func in READERS and self.depth == 0 else None
        larger = call is not None and all(
            made > side for made, side in zip(call.size, call.z.shape[-len(call.size) :], strict=True)
        )
        with self._entered() if larger else nullcontext():
            return func(*args, **given)

    @contextmanager
    def _entered(self) -> Iterator[None]:
        self.enter()
        try:
            yield
        finally:
            self.leave()

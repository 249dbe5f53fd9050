"""What tracers see of an operator: torch.fx one call that it does not look into, torch.jit operations at any size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Proxy


def proxy_in(inputs: Sequence[Any], options: Mapping[str, Any]) -> Proxy | None:
    """The first argument that stands for a tensor in a symbolic trace, if one does."""
    for given in (*inputs, *options.values()):
        if isinstance(given, Proxy):
            return given
    return None


def as_node(proxy: Proxy, module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A call of the module as one node of the graph that `proxy` belongs to, as torch's own layers are."""
    tracer: Any = proxy.tracer

    def node(*inputs: Any, **options: Any) -> Any:
        return tracer.create_proxy("call_module", tracer.path_of_module(module), inputs, options)

    return tracer.call_module(module, node, inputs, options)


def one_node(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of an operator that a symbolic trace keeps as one call."""

    @functools.wraps(method)
    def call(self: nn.Module, *inputs: Any, **options: Any) -> Any:
        proxy = proxy_in(inputs, options)
        if proxy is None:
            return method(self, *inputs, **options)
        tracer: Any = proxy.tracer
        module = tracer.create_proxy("get_attr", tracer.path_of_module(self), (), {})
        return tracer.create_proxy("call_method", method.__name__, (module, *inputs), options)

    return call


def is_jit() -> bool:
    """Whether torch.jit.trace records a module, which will be called at other sizes.

    Counters such as fvcore record a graph too, to read it: they see the operators themselves.
    """
    if torch._C._get_tracing_state() is None:
        return False
    return getattr(torch.jit._trace, "_trace_module_map", {}) is not None


# torch 2.6 has no is_exporting
_exporting = getattr(torch.compiler, "is_exporting", torch.onnx.is_in_onnx_export)


def is_exporting() -> bool:
    """Whether a program is being exported.

    Some versions of torch say inside every torch.compile that they export, so what dynamo traces does not count.
    """
    return not torch.compiler.is_dynamo_compiling() and bool(_exporting())


@contextmanager
def unrecorded() -> Iterator[None]:
    """What happens here is not part of a torch.jit trace, and sizes are numbers."""
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]


def sizes(tensor: Tensor) -> tuple[int, ...]:
    """The tensor's shape for a decision. While a graph is recorded, sizes are tensors, about which torch.jit warns."""
    if torch._C._get_tracing_state() is None:
        return tuple(tensor.shape)
    with unrecorded():
        return tuple(tensor.shape)


def whole(side: int) -> int:
    """A size as a number: what is computed from it is a constant of a program that is compiled, traced or exported."""
    return len(range(side)) if torch.compiler.is_compiling() else int(side)


def sides(z: Tensor) -> tuple[int, int]:
    """Height and width of a map, as numbers."""
    height, width = sizes(z)[2:]
    return whole(height), whole(width)

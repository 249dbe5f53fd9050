"""One forward of a network under watch: a TorchFunctionMode sees the functions, modules' forwards who calls them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from upsamplers.errors import NetworkError
from upsamplers.networks.calls import READERS, Call, read
from upsamplers.networks.flow import Flow, Found, Node
from upsamplers.networks.nested import tensors
from upsamplers.networks.site import Shape, Source
from upsamplers.operator import Upsampler


@dataclass(frozen=True)
class Record:
    """One call of a function that upsamples, with what was seen around it."""

    path: str
    nth: int
    call: Call
    shape: Shape
    made: Shape
    found: Found


@dataclass(frozen=True)
class Recording:
    """What one forward has shown: the calls in their order, how often each module was called, who called whom."""

    records: tuple[Record, ...]
    calls: Counter[str]
    below: frozenset[tuple[str, str]]  # (path of a caller, path of a module that it called)
    branches: tuple[str, ...]  # modules whose Python reads a value of a tensor


def record(network: nn.Module, inputs: tuple[Any, ...]) -> Recording:
    """Run a network on inputs, in evaluation mode and without gradients. It is left changed: give a copy."""
    constants = [*network.buffers(), *network.parameters()]
    flow = Flow((tensor for _, tensor in tensors(inputs)), constants)
    watch = _Mode(flow)
    for path, module in network.named_modules():
        module.training = False
        if not isinstance(module, torch.jit.ScriptModule):
            vars(module)["forward"] = _Seen(watch, path, module, module.forward)
        if isinstance(module, Upsampler):
            watch.ours.add(path)
    run(network, inputs, watch)
    return Recording(tuple(watch.records), watch.calls, frozenset(watch.below), tuple(dict.fromkeys(watch.branches)))


def run(network: nn.Module, inputs: tuple[Any, ...], mode: TorchFunctionMode | None = None) -> Any:
    """The network's result without gradients. NetworkError, with the shapes that were given, where it raises."""
    try:
        with torch.no_grad():
            if mode is None:
                return network(*inputs)
            with mode:
                return network(*inputs)
    except NetworkError:
        raise
    except Exception as error:  # whatever a stranger's network raises
        shapes = ", ".join("×".join(map(str, tensor.shape)) for _, tensor in tensors(inputs)) or "no tensor"
        said = " ".join(str(error).split())
        raise NetworkError(
            f"{type(network).__name__} raises on these inputs ({shapes}): {type(error).__name__}: {said[:300]}"
        ) from error


def copied(network: object) -> nn.Module:
    """A copy that may be changed. NetworkError for what is no network, is scripted or compiled, or cannot be copied."""
    if not isinstance(network, nn.Module):
        name = getattr(network, "__name__", type(network).__name__)
        raise NetworkError(f"{name} is no network: it must be a torch.nn.Module; got {type(network).__name__}")
    for path, module in network.named_modules():
        what = f"{type(network).__name__}{f', at {path!r},' if path else ''}"
        if isinstance(module, torch.jit.ScriptModule) and not path:
            raise NetworkError(
                f"{what} is scripted, and what it calls cannot be seen; give the network before torch.jit"
            )
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise NetworkError(f"{what} is compiled; give the network before torch.compile, and compile the result")
    try:
        return copy.deepcopy(network)
    except Exception as error:  # whatever a stranger's module raises
        said = " ".join(str(error).split())
        raise NetworkError(
            f"{type(network).__name__} cannot be copied: {type(error).__name__}: {said[:300]}"
        ) from error


class _Mode(TorchFunctionMode):
    """Follows every function, and notes those that upsample."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow
        self.stack: list[str] = []
        self.records: list[Record] = []
        self.calls: Counter[str] = Counter()
        self.below: set[tuple[str, str]] = set()
        self.branches: list[str] = []
        self.ours: set[str] = set()  # paths of operators of ours
        self._counts: Counter[str] = Counter()

    @property
    def here(self) -> str:
        """Path of the module that runs."""
        return self.stack[-1] if self.stack else ""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        call = read(func, args, kwargs) if func in READERS else None
        z = None if call is None else self.flow.node(call.z)  # before it can be changed in place
        made = func(*args, **kwargs)
        if name in ("__bool__", "item", "tolist") and any(_depends(self.flow, given) for given in args):
            self.branches.append(self.here)
        self.flow.follow(name, (args, kwargs), made)
        if call is not None and self.ours.isdisjoint(self.stack):
            self._note(call, z, made)
        return made

    def _note(self, call: Call, z: Node | None, made: Tensor) -> None:
        nth = self._counts[self.here]
        self._counts[self.here] += 1
        node = z or Node(0, tuple(call.z.shape))  # a parameter or a buffer
        self.records.append(
            Record(self.here, nth, call, tuple(call.z.shape), tuple(made.shape), self.flow.site(node, made))
        )

    @contextmanager
    def within(self, path: str) -> Iterator[int]:
        """A module runs; which call of it this is."""
        nth = self.calls[path]
        self.calls[path] += 1
        if self.stack:
            self.below.add((self.here, path))
        self.stack.append(path)
        try:
            yield nth
        finally:
            self.stack.pop()

    def crossing(self, value: Any, path: str, nth: int, is_result: bool) -> None:
        """Tensors pass into a module or out of it, where they can be taken in a later forward."""
        for keys, tensor in tensors(value):
            node = self.flow.node(tensor)
            if node is not None:
                node.sources.append((self.flow.tick(), Source(path, nth, is_result, keys)))


class _Seen:
    """A module's forward while its network is recorded."""

    def __init__(self, mode: _Mode, path: str, module: nn.Module, forward: Callable[..., Any]) -> None:
        self.mode, self.path, self.module, self.__wrapped__ = mode, path, module, forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = self.mode
        with mode.within(self.path) as nth:
            mode.crossing((args, kwargs), self.path, nth, False)
            given = mode.flow.node(args[0]) if isinstance(self.module, nn.Conv2d) and args else None
            made = self.__wrapped__(*args, **kwargs)
            mode.crossing(made, self.path, nth, True)
        if given is not None and isinstance(made, Tensor):
            node = mode.flow.node(made)
            if node is not None and node.plane == given.plane:
                node.convolution = (self.path, given)
        return made


def _depends(flow: Flow, given: Any) -> bool:
    node = flow.node(given) if isinstance(given, Tensor) else None
    return node is not None and node.from_input

"""How a swapped network finds its sites when it runs: which module runs, the nth call in it, and what guides it.

A module that calls a site, or through which a guide passes, has a `Watch` as its `forward`. One forward of the network
is one `Run`: counters and kept guides live there, so that threads, nested calls and copies do not meet. The mode that
sees torch's functions is on only while such a module's own code runs, not in the modules that it calls.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from upsamplers.networks.calls import READERS, read
from upsamplers.networks.nested import reached
from upsamplers.networks.site import Source


class Run:
    """One forward of one swapped network in one thread."""

    def __init__(self, operators: nn.Module, outer: Run | None) -> None:
        self.operators, self.outer = operators, outer
        self.here = 0  # number of the module call that runs
        self.entered = 0
        self.calls: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.kept: dict[str, Any] = {}

    def count(self, counts: dict[str, int], path: str) -> int:
        """Which one this is, from 0."""
        nth = counts.get(path, 0)
        counts[path] = nth + 1
        return nth


_now = threading.local()


@dataclass(frozen=True)
class Keep:
    """A guide that passes a module's boundary: for which operator, and where."""

    key: str
    source: Source
    changes: bool  # the network changes it in place after the site


class Watch:
    """The forward of a module in a swapped network.

    Args:
        module: whose forward it is.
        path: the module's.
        operators: the network's one ModuleDict.
        sites: keys of the operators by the number of the call.
        keeps: the guides that pass here.
        passes: the module's call is part of a site: it returns what it is given.
    """

    def __init__(
        self,
        module: nn.Module,
        path: str,
        operators: nn.Module,
        sites: Mapping[int, str],
        keeps: tuple[Keep, ...],
        passes: bool,
    ) -> None:
        self.module, self.path, self.operators = module, path, operators
        self.sites, self.keeps, self.passes = dict(sites), keeps, passes
        self.own = vars(module).get("forward")  # one that was set on the module before
        self.watches_results = any(keep.source.is_result for keep in keeps)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The forward beneath, whose signature is this one's."""
        return self.own or type(self.module).forward.__get__(self.module)

    @property
    def __code__(self) -> CodeType:
        """Of the forward beneath: exporters say where it stands."""
        code: CodeType = inspect.unwrap(self.__wrapped__).__code__
        return code

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.passes:
            return args[0]
        outer = getattr(_now, "run", None)
        run = self._run(outer)
        nth = run.count(run.calls, self.path)
        before, run.entered = run.here, run.entered + 1
        run.here = call = run.entered
        _now.run = run
        above = _taken_off(self.module)
        try:
            if self.keeps:
                self._keep(run, nth, False, (args, kwargs))
            if self.sites:
                with _Mode(self, run, call):
                    made = self._forward(*args, **kwargs)
            else:
                made = self._forward(*args, **kwargs)
            if self.watches_results:
                self._keep(run, nth, True, made)
            return made
        finally:
            if above is not None:
                torch._C._push_on_torch_function_stack(above)
            run.here = before
            _now.run = outer

    def _forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.own is not None:
            return self.own(*args, **kwargs)
        return type(self.module).forward(self.module, *args, **kwargs)

    def _run(self, outer: Run | None) -> Run:
        """This network's run: a new one for the network itself, or for a part that is called alone."""
        run = outer if self.path else None
        while run is not None and run.operators is not self.operators:
            run = run.outer
        return run or Run(self.operators, outer)

    def _keep(self, run: Run, nth: int, is_result: bool, value: Any) -> None:
        for keep in self.keeps:
            if keep.source.nth == nth and keep.source.is_result == is_result:
                guide = reached(value, keep.source.keys)
                run.kept[keep.key] = guide.clone() if keep.changes else guide


def _taken_off(module: nn.Module) -> _Mode | None:
    """The mode of the module that calls this one, if it is on: what this one calls is not its caller's.

    A module that was swapped twice has two modes, which are both its own.
    """
    depth = torch._C._len_torch_function_stack()
    above = torch._C._get_function_stack_at(depth - 1) if depth else None
    if isinstance(above, _Mode) and above.watch.module is not module:
        torch._C._pop_torch_function_stack()
        return above
    return None


class _Mode(TorchFunctionMode):
    """Puts the operators in the place of the functions that one module's call upsamples by."""

    def __init__(self, watch: Watch, run: Run, call: int) -> None:
        super().__init__()
        self.watch, self.run, self.call = watch, run, call

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        run, watch = self.run, self.watch
        if func in READERS and run.here == self.call:
            key = watch.sites.get(run.count(run.counts, watch.path))
            if key is not None:
                asked = read(func, args, kwargs)
                return watch.operators[key](asked.z, run.kept.pop(key, None), asked.size, asked.factor)  # type: ignore[index]
        return func(*args, **kwargs)

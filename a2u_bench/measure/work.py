"""Work: parameters, and multiply-adds three times: by the operator's own formula, by fvcore and by torch's counter."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.measure.handles import Handle, handles

MOVING = frozenset(
    (
        *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "t", "expand"),
        *("select", "slice", "narrow", "split", "split_with_sizes", "chunk", "unbind", "as_strided", "alias", "detach"),
        *("size", "Int", "ScalarImplicit", "to", "type_as", "contiguous", "clone", "copy", "_to_copy", "repeat"),
        *("empty", "empty_like", "new_empty", "empty_strided", "zeros", "zeros_like", "new_zeros", "ones", "ones_like"),
        *(
            "new_ones",
            "full",
            "full_like",
            "new_full",
            "fill",
            "zero",
            "arange",
            "cat",
            "stack",
            "roll",
            "_unsafe_view",
        ),
        *(
            "constant_pad_nd",
            "pad",
            "pixel_shuffle",
            "pixel_unshuffle",
            "im2col",
            "lift_fresh",
            "expand_as",
            "scalar_tensor",
        ),
        *("view_as", "resolve_conj", "_reshape_alias", "reflection_pad2d", "replication_pad2d", "movedim"),
    )
)
"""Operations that compute nothing: shapes, copies, allocations. No counter is asked to count them."""


@dataclass(frozen=True)
class Count:
    """Multiply-adds of a forward pass, and how often each operation was met that computes and was not counted."""

    macs: int
    skipped: dict[str, int]


def params(module: nn.Module) -> int:
    """Number of parameters, each counted once."""
    return sum(parameter.numel() for parameter in module.parameters())


def macs(module: nn.Module, case: Case) -> int:
    """Multiply-adds of the case's whole batch, by the operator's formula."""
    return int(module.macs(case.height, case.width)) * case.batch  # type: ignore[operator]  # an Upsampler


def macs_fvcore(module: nn.Module, inputs: tuple[Tensor, ...], ours: bool = True) -> Count:
    """Multiply-adds of one forward pass on these inputs, as fvcore counts its trace, with our handles or without.

    The module is traced in eval mode. What fvcore ignores without a word is in `skipped` too.
    """
    with quiet_import():
        from fvcore.nn import FlopCountAnalysis
        from fvcore.nn.jit_analysis import _IGNORED_OPS
    silent: Counter[str] = Counter()
    watched = {name: _watch(name, silent) for name in _IGNORED_OPS if _computes(name)}
    with torch.no_grad():
        analysis = FlopCountAnalysis(_still(module), tuple(tensor.detach() for tensor in inputs))
        analysis.set_op_handle(**{**watched, **(handles() if ours else {})})
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        total = analysis.total()
        skipped = {name: count for name, count in analysis.unsupported_ops().items() if _computes(name)}
    return Count(int(total), dict(sorted({**skipped, **silent}.items())))


def fvcore_if_traced(module: nn.Module, inputs: tuple[Tensor, ...]) -> int | None:
    """The same number; None where fvcore cannot trace the module."""
    try:
        return macs_fvcore(module, inputs).macs
    except Exception:  # whatever tracing a stranger's code raises: it is measured all the same
        return None


def macs_torch(module: nn.Module, inputs: tuple[Tensor, ...], ours: bool = True) -> Count:
    """Multiply-adds of one forward pass as torch's FlopCounterMode counts it: half its number.

    `ours` adds formulas for what it lacks; without them it counts what it would on anyone's machine, where the
    primitives are unknown to it. The module runs in eval mode; what is not counted is in `skipped`.
    """
    mapping = operators.counter_formulas()
    counter = FlopCounterMode(display=False, custom_mapping=mapping if ours else dict.fromkeys(mapping, _nothing))
    known = {func for func in counter.flop_registry if ours or not (func in mapping or "upsamplers" in str(func))}
    if not ours:
        counter.flop_registry = {f: g for f, g in counter.flop_registry.items() if f in known or f in mapping}
    still = _still(module)
    with torch.no_grad(), _Met() as met, counter:
        still(*(tensor.detach() for tensor in inputs))
    skipped = {str(func): count for func, count in met.count.items() if func not in known and _computes(str(func))}
    return Count(counter.get_total_flops() // 2, dict(sorted(skipped.items())))


def _nothing(*shapes: Any, out_shape: Any = None, **more: Any) -> int:
    """The formula of an operation that is to be met whole, not in parts, and not counted."""
    return 0


class _Met(TorchDispatchMode):
    """Counts every operation that reaches a device; views are none."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[Any] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view:
            self.count[func._overloadpacket] += 1
        return func(*args, **(kwargs or {}))


def _computes(name: str) -> bool:
    """Whether an operation (``aten::relu_``, ``aten.relu``) does arithmetic, by its name."""
    return name.replace("::", ".").rpartition(".")[2].removesuffix("_") not in MOVING


def _watch(name: str, seen: Counter[str]) -> Handle:
    def handle(inputs: list[Any], outputs: list[Any]) -> int:
        seen[name] += 1
        return 0

    return handle


def _still(module: nn.Module) -> nn.Module:
    """The module in eval mode, in which a call changes nothing; a copy of it where it is not."""
    return copy.deepcopy(module).eval() if any(layer.training for layer in module.modules()) else module


@contextmanager
def quiet_import() -> Iterator[None]:
    """Importing fvcore.nn compiles with torch.jit, which newer versions of torch deprecate: that alone is muted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+.* is (deprecated|not supported).*")
        yield

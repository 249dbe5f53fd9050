"""Work: parameters, and multiply-adds by the operator's own formula with fvcore's count of a trace beside it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from a2u_bench.measure.handles import handles
from a2u_bench.spec import Case


@dataclass(frozen=True)
class Count:
    """Multiply-adds of a trace, and how often each operation was met that nobody counts."""

    macs: int
    skipped: dict[str, int]


def params(module: nn.Module) -> int:
    """Number of parameters, each counted once."""
    return sum(parameter.numel() for parameter in module.parameters())


def macs(module: nn.Module, case: Case) -> int:
    """Multiply-adds of the case's whole batch, by the operator's formula."""
    return int(module.macs(case.height, case.width)) * case.batch  # type: ignore[operator]  # an Upsampler


def macs_fvcore(module: nn.Module, inputs: tuple[Tensor, ...]) -> Count:
    """Multiply-adds of one forward pass on these inputs, as fvcore counts its trace with our handles.

    The module is traced as a copy in eval mode; what is not counted by anyone is in `skipped`.
    """
    with _quiet_import():
        from fvcore.nn import FlopCountAnalysis
    traced = copy.deepcopy(module).eval()
    with torch.no_grad():
        analysis = FlopCountAnalysis(traced, tuple(tensor.detach() for tensor in inputs))
        analysis.set_op_handle(**handles())
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        total = analysis.total()
        skipped = dict(analysis.unsupported_ops())
    return Count(int(total), skipped)


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Importing fvcore.nn compiles with torch.jit, which newer versions of torch deprecate: that alone is muted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+.* is (deprecated|not supported).*")
        yield

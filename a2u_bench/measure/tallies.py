"""Tallies: what each tool counts for one forward pass, and which operations it leaves out without saying so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from a2u_bench.case import Case
from a2u_bench.measure import work
from a2u_bench.measure.work import Count


@dataclass(frozen=True)
class Tally:
    """One tool's multiply-adds, the operations that it met and did not count, or why it could not count at all."""

    tool: str
    macs: int | None
    skipped: dict[str, int] = field(default_factory=dict)
    failure: str = ""


def tallies(module: nn.Module, inputs: tuple[Tensor, ...], case: Case) -> tuple[Tally, ...]:
    """The formula, then fvcore and torch's counter as they measure here, then both as they are installed.

    fvcore counts one multiply-add as one, torch as two: its numbers are halved.
    """
    return (
        Tally("formula", work.macs(module, case)),
        _tally("fvcore, our handles", lambda: work.macs_fvcore(module, inputs)),
        _tally("torch, our formulas", lambda: work.macs_torch(module, inputs)),
        _tally("fvcore as installed", lambda: work.macs_fvcore(module, inputs, ours=False)),
        _tally("torch as installed", lambda: work.macs_torch(module, inputs, ours=False)),
    )


def _tally(tool: str, count: Callable[[], Count]) -> Tally:
    try:
        found = count()
    except Exception as error:  # a counter that fails on an operator is what an audit is for
        return Tally(tool, None, {}, f"{type(error).__name__}: {' '.join(str(error).split())}"[:200])
    return Tally(tool, found.macs, found.skipped)

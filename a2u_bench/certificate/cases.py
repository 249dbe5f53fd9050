"""Cases of synthetic operators on one small map: costs that are known, and replicas of operators, slower or not."""

from __future__ import annotations

from a2u_bench import build
from a2u_bench.spec import Case

SIDE, CHANNELS = 16, 16


def synthetic(name: str) -> Case:
    """A case of an operator of `a2u_bench.synthetic`."""
    asked = build.operator(f"a2u_bench.synthetic:{name}")
    return Case(asked.name, asked.variant, asked.text, 1, CHANNELS, SIDE, SIDE)


def replica(of: str, variant: int, percent: int, copy: int) -> Case:
    """An operator by its name and the index of its variant, so many per cent slower; copies differ in nothing else."""
    return synthetic(f"Replica:of={of},variant={variant},percent={percent},copy={copy}")

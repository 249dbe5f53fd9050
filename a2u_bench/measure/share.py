"""Of a whole network: which share of its time and of its multiply-adds the upsampling in it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.flop_counter import FlopCounterMode

from a2u_bench import operators
from a2u_bench.measure.inputs import Prepared

CALLS = 5
"""Forward passes whose shares are taken, the median of them."""


def shares(prepared: Prepared) -> dict[str, float]:
    """The shares, 0 to 1, of a warm forward pass, by the names of their columns."""
    from a2u_bench.operators.networks.measured import upsampling

    network, image = prepared.module, prepared.z
    parts: list[float] = []
    whole: list[float] = []

    @contextmanager
    def timed() -> Iterator[None]:
        begin = _now(image)
        yield
        parts.append(_now(image) - begin)

    with torch.no_grad():
        with upsampling(network, timed):
            for _ in range(CALLS):
                before = sum(parts)
                begin = _now(image)
                network(image)
                whole.append((sum(parts) - before) / (_now(image) - begin))
        counter = FlopCounterMode(display=False, custom_mapping=operators.counter_formulas())
        counted: list[int] = []

        @contextmanager
        def counting() -> Iterator[None]:
            before = counter.get_total_flops()
            yield
            counted.append(counter.get_total_flops() - before)

        with counter, upsampling(network, counting):
            network(image)
    total = counter.get_total_flops()
    found = {"upsampling_latency": statistics.median(whole)}
    return found | ({"upsampling_macs": sum(counted) / total} if total else {})


def _now(image: torch.Tensor) -> float:
    if image.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()

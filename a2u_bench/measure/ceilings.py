"""What this machine can do at best: bytes copied and multiply-adds made in a second, with a case's device and threads.

A process of its own measures them once per run. The best of several samples counts: a ceiling is no typical rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from a2u_bench.measure.clock import Timer
from a2u_bench.measure.precision import multiply_in, stored

SIZES = tuple(1 << exponent for exponent in range(18, 29, 2))
"""Bytes that a copy moves, half read and half written: 256 KiB, which caches hold, to 256 MiB, which none does."""

SIDES = (256, 512, 1024, 2048, 4096)
"""Sides of the square matrices whose product is timed, the next only while the last was quick."""

QUICK = 0.01
"""Seconds: no larger product is tried after one that took this long."""

ENOUGH = 0.05
"""Seconds after which no more samples are taken, once there are the fewest."""

FEWEST_SAMPLES, MOST_SAMPLES = 3, 40

TOGETHER = 8
"""Calls of one sample on an accelerator."""


def ceilings(device: str, threads: int, dtypes: Sequence[str], timer: Timer) -> dict[str, Any]:
    """The best rates as plain data: ``copy`` [[bytes, bytes a second], …] and ``matrix`` {dtype: MACs a second}.

    On a CPU one thread alone is tried as well: where others use the cores too, threads that wait for each other lose.
    """
    copies, products = dict.fromkeys(SIZES, 0.0), dict.fromkeys(dtypes, 0.0)
    for count in dict.fromkeys((threads, 1)) if device == "cpu" else (threads,):
        torch.set_num_threads(count)
        copies = {size: max(rate, copy_rate(size, device, timer)) for size, rate in copies.items()}
        products = {dtype: max(rate, matrix_rate(dtype, device, timer)) for dtype, rate in products.items()}
    copy = [[size, rate] for size, rate in copies.items()]
    return {"device": device, "threads": threads, "copy": copy, "matrix": products}


def copy_rate(size: int, device: str, timer: Timer) -> float:
    """Bytes a second, read and written, where `size` of them are moved into memory that is there already.

    Of random numbers: zeros take less power, and a GPU whose power is limited then runs at a clock that no case meets.
    """
    source = torch.randn(size // 8, device=device)
    target = torch.zeros_like(source)
    return size / best(lambda: target.copy_(source), timer)


def matrix_rate(dtype: str, device: str, timer: Timer) -> float:
    """Multiply-adds a second of square matrices, of the size at which that is most."""
    rate = 0.0
    multiply_in(dtype)
    for side in SIDES:
        a, b = (torch.randn(side, side, device=device).to(stored(dtype)) for _ in range(2))
        out = torch.empty_like(a)
        seconds = best(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), timer)  # type: ignore[misc]
        rate = max(rate, side**3 / seconds)
        if seconds > QUICK:
            break
    multiply_in("float32")
    return rate


def best(call: Callable[[], Any], timer: Timer) -> float:
    """Seconds of the fastest of several samples; one that is not kept comes first.

    On an accelerator a sample is of several calls without a gap, so that no launch is waited for.
    """
    together: Callable[[Callable[[], Any], int], float] | None = getattr(timer, "together", None)
    sample, inner = (timer.sample, 1) if together is None else (together, TOGETHER)
    spent = sample(call, inner)
    fastest = float("inf")
    for count in range(MOST_SAMPLES):
        if count >= FEWEST_SAMPLES and spent > ENOUGH:
            break
        seconds = sample(call, inner)
        fastest, spent = min(fastest, seconds), spent + seconds
    return max(fastest, 1e-9)

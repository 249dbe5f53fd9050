"""Memory of one call: the peak above what was there before it, and what it keeps for the backward pass.

On a CPU every request to torch's own allocator is recorded, inside kernels too, as CUDA's counters do, and summed in
order of time. Requests of at most SCALAR bytes are torch's own wrapped numbers and are left out. What a library or a
NumPy array allocates by itself is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

SCALAR = 8


def peak_of(deltas: Iterable[int]) -> int:
    """The highest sum reached by these allocations (positive) and releases (negative), in order; at least 0."""
    level = peak = 0
    for delta in deltas:
        level += delta
        peak = max(peak, level)
    return peak


def peak_memory(call: Callable[[], Any], device: str = "cpu") -> int | None:
    """Bytes at the highest point of a warm call above those before it; None for a device that cannot tell.

    What the call returns counts, its inputs and the parameters do not.
    """
    call()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated() - before)
    if device != "cpu":
        return None
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        result = call()
    del result
    events = profile.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]" and abs(event.nbytes()) > SCALAR]
    return peak_of(event.nbytes() for event in sorted(changes, key=lambda event: event.start_ns()))


def saved_memory(call: Callable[[], Any], own: Iterable[Tensor]) -> int:
    """Bytes that a forward pass saves for the backward pass: each storage once, those of `own` left out."""
    excluded = {tensor.untyped_storage().data_ptr() for tensor in own}
    saved: dict[int, Tensor] = {}  # holds the tensors, so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        saved.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = call()
    total = sum(t.untyped_storage().nbytes() for address, t in saved.items() if address not in excluded)
    del result
    return total

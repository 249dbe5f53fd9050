"""Memory of one call, above what was there before it: its output, its peak, what it saves for the backward pass.

On CUDA torch's allocator counts the bytes that were requested. On a CPU every request to torch's own allocator is
recorded, inside kernels too, and summed in order of time: exact and the same every time. Requests of at most SCALAR
bytes are torch's own wrapped numbers and are left out. Two things are not seen: what a library or a NumPy array
allocates by itself, and what the C library keeps after torch has released it, which raises a process's own high-water
mark (MALLOC_MMAP_THRESHOLD_=65536 prevents it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

SCALAR = 8


@dataclass(frozen=True)
class Memory:
    """Bytes of one call: all that it returns, and the most that was there at once, what it returns included."""

    output: int
    peak: int

    @property
    def workspace(self) -> int:
        """What the call needs beside what it returns."""
        return max(0, self.peak - self.output)


def peak_of(deltas: Iterable[int]) -> int:
    """The highest sum reached by these allocations (positive) and releases (negative), in order; at least 0."""
    level = peak = 0
    for delta in deltas:
        level += delta
        peak = max(peak, level)
    return peak


def call_memory(call: Callable[[], Any], own: Iterable[Tensor] = (), device: str = "cpu") -> Memory | None:
    """The memory of one call as it is: the first of a process, or a warm one. None for a device that cannot tell.

    Inputs and parameters are there before and do not count; `own` are they, so that a view of one is no output.
    """
    if device == "cuda":
        ready_libraries()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = _requested("current")
        result = call()
        torch.cuda.synchronize()
        return Memory(storage_bytes(result, own), _requested("peak") - before)
    if device != "cpu":
        return None
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        result = call()
    output = storage_bytes(result, own)
    del result
    events = profile.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]" and abs(event.nbytes()) > SCALAR]
    return Memory(output, peak_of(event.nbytes() for event in sorted(changes, key=lambda event: event.start_ns())))


@cache
def ready_libraries() -> None:
    """Have cuBLAS and cuDNN started, and cuBLAS take the workspace that it then keeps: that belongs to no call, and the
    first one would seem to need it."""
    x = torch.zeros(8, 8, device="cuda")
    torch.nn.functional.linear(x, x, x[0])
    torch.mm(x, x)
    torch.nn.functional.conv2d(x[None, None], x[None, None, :3, :3])
    torch.cuda.synchronize()


def _requested(when: str) -> int:
    """Bytes on CUDA as they were asked for, as on a CPU: what the allocator rounds them up to is its own affair."""
    found = torch.cuda.memory_stats()
    return int(found.get(f"requested_bytes.all.{when}") or found.get(f"allocated_bytes.all.{when}", 0))


def peak_memory(call: Callable[[], Any], device: str = "cpu") -> int | None:
    """Bytes at the highest point of a warm call above those before it; None for a device that cannot tell."""
    call()
    memory = call_memory(call, (), device)
    return None if memory is None else memory.peak


def saved_memory(call: Callable[[], Any], own: Iterable[Tensor]) -> int:
    """Bytes that a forward pass saves for the backward pass: each storage once, those of `own` left out."""
    saved: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor)  # holds the tensors, so that no address is used twice
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = call()
    total = storage_bytes(saved, own)
    del result
    return total


def storage_bytes(result: Any, own: Iterable[Tensor] = ()) -> int:
    """Bytes of every storage among nested tensors, each once, those of `own` left out."""
    excluded = {tensor.untyped_storage().data_ptr() for tensor in own}
    found = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors(result)}
    return sum(count for address, count in found.items() if address not in excluded)


def tensors(result: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples and lists."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from tensors(part)

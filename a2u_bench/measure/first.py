"""The first call of a case in a process: its memory, its seconds, and a checksum of what it gives."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from a2u_bench.measure.memory import Memory, call_memory, ready_libraries

LARGEST_DIGESTED = 1 << 28
"""Bytes of an output beyond which no digest is made of it."""


@dataclass(frozen=True)
class First:
    """What a call took while its memory was watched, and the digest of what it gave, where that is known."""

    memory: Memory | None
    seconds: float
    digest: str | None = None

    def columns(self, later: First) -> dict[str, float | int | str | None]:
        """The columns on the first call; `later` was watched in the same way, so that watching cancels."""
        peak = self.memory.peak if self.memory is not None else None
        return {"first_memory": peak, "first_call": max(0.0, self.seconds - later.seconds), "digest": self.digest}


def watch(call: Callable[[], Any], own: Iterable[Tensor], device: str, results: Sequence[Any] = ()) -> First:
    """Call once, with its memory, on a device that can tell; the seconds are those of the watched call.

    `results` is where the call leaves what it gives, which is digested. What CUDA's libraries take to start belongs to
    no case.
    """
    if device == "cuda":
        ready_libraries()
    begin = time.monotonic()
    memory = call_memory(call, own, device)
    seconds = time.monotonic() - begin
    return First(memory, seconds, digest(results[0]) if results else None)


def digest(result: Any) -> str | None:
    """Twelve hexadecimal digits of the bytes of a call's output; None of one that is too large, or not a tensor."""
    up = result[0] if isinstance(result, tuple) and result else result
    if not isinstance(up, Tensor) or up.numel() * up.element_size() > LARGEST_DIGESTED:
        return None
    found = up.detach().contiguous().cpu().reshape(-1).view(torch.uint8)
    return hashlib.blake2b(found.numpy().tobytes(), digest_size=6).hexdigest()

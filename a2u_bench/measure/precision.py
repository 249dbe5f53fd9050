"""What float32 means: factors as they are or, asked for as `tf32`, with ten bits of mantissa, as GPUs multiply best.

torch has TF32 on for convolutions by default: eight of 44 float32 cases then miss the tolerance of their definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from a2u_bench.case import TF32, Case


def stored(dtype: str) -> torch.dtype:
    """The type of a case's tensors: TF32 is a way to multiply those of float32."""
    found: torch.dtype = getattr(torch, "float32" if dtype == TF32 else dtype)
    return found


def multiply_in(dtype: str) -> None:
    """From now on this process makes convolutions and matrix products of float32 tensors so."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = dtype == TF32


@contextmanager
def as_asked(case: Case) -> Iterator[None]:
    """torch in the state that a case asks for: with or without gradients, float32 as it means it; whole afterwards."""
    multiply_in(case.dtype)
    try:
        with torch.set_grad_enabled(case.mode == "training"):
            yield
    finally:
        multiply_in("float32")

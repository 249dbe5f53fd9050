"""Tables of numbers as tensors on their device. Each is uploaded once: a GPU's host waits for every upload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.kept import Kept
from upsamplers.primitive.route import is_direct
from upsamplers.tracing import unrecorded

MOST = 1 << 24
"""Numbers of all tensors that are kept, 128 MiB of integers; the oldest go first."""

_kept: Kept[tuple[Any, ...], tuple[Any, Tensor]] = Kept(MOST, lambda kept: kept[1].numel())


def integers(values: tuple[Any, ...] | Callable[..., tuple[Any, ...]], device: torch.device, *given: Any) -> Tensor:
    """Integers, or a table of them, as a tensor; or what a function of tables and numbers gives.

    It is shared, never to be written to, and a constant of whatever is traced.
    """
    return _tensor(values, given, torch.int64, device)


def numbers(values: tuple[Any, ...], like: Tensor) -> Tensor:
    """Numbers, or a table of them, as a tensor of the type and device of another; shared as `integers` are."""
    return _tensor(values, (), like.dtype, like.device)


def _tensor(values: Any, given: tuple[Any, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    if not is_direct():  # compilers, traces, modes and transforms have tensors of their own
        with unrecorded():
            return torch.tensor(values(*given) if given else values, dtype=dtype, device=device)
    # a tensor of one stream may be freed while another reads it
    stream = torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else None
    named = (one if isinstance(one, int) else id(one) for one in (values, *given))
    key = (*named, dtype, device, stream)
    if found := _kept.get(key):
        return found[1]
    with torch.inference_mode(False):  # whoever trains may use it too
        made = torch.tensor(values(*given) if given else values, dtype=dtype, device=device)
    # what it is made of is kept too, so that nothing else has its identity meanwhile
    return _kept.keep(key, ((values, given), made))[1]

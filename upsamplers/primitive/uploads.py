"""Tables of numbers as tensors on their device. Each is uploaded once: a GPU's host waits for every upload."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.route import is_direct
from upsamplers.tracing import unrecorded

MOST = 1 << 24
"""Numbers of all tensors that are kept, 128 MiB of integers; the oldest go first."""

_kept: OrderedDict[tuple[Any, ...], tuple[Any, Tensor]] = OrderedDict()
_lock = Lock()


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
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key][1]
    with torch.inference_mode(False):  # whoever trains may use it too
        made = torch.tensor(values(*given) if given else values, dtype=dtype, device=device)
    with _lock:
        _kept[key] = (values, given), made  # what it is made of too, so that nothing else has its identity meanwhile
        while sum(tensor.numel() for _, tensor in _kept.values()) > MOST:
            _kept.popitem(last=False)
    return made

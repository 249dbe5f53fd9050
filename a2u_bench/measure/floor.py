"""Speed of light: no forward pass ends sooner than its compulsory bytes can be moved or its multiply-adds made.

Compulsory bytes are z, the guide, the parameters and the output, each once; what an operator reads or writes beside
them is its own affair. The rates are the best that this machine showed in the same run. Plain numbers, no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def floor(ceilings: Mapping[str, Any], compulsory: int, macs: int, dtype: str) -> float | None:
    """Seconds: the longer of moving and computing. None where a rate that is needed is unknown."""
    moving = copy_rate(ceilings, compulsory)
    computing = ceilings.get("matrix", {}).get(dtype)
    if not moving or not computing:
        return None
    return max(compulsory / moving, macs / float(computing))


def copy_rate(ceilings: Mapping[str, Any], count: int) -> float | None:
    """Bytes a second at which so many bytes may be moved: the best of all copies but those that are certainly quicker.

    A small copy stays in the caches. So a rate counts if its copy is as large, or is the next smaller one.
    """
    rates = sorted((int(size), float(rate)) for size, rate in ceilings.get("copy", ()))
    if not rates:
        return None
    smaller = max((size for size, _ in rates if size <= count), default=rates[0][0])
    return max(rate for size, rate in rates if size >= smaller)

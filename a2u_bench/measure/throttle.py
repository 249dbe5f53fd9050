"""Why a GPU's clock is lower than it could be, as NVML says where nvidia-ml-py is installed; nothing elsewhere."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

REASONS = {
    0x0002: "application clocks",
    0x0004: "power cap",
    0x0008: "hardware slowdown",
    0x0010: "sync boost",
    0x0020: "thermal, by software",
    0x0040: "thermal, by hardware",
    0x0080: "power brake",
    0x0100: "display clocks",
}
"""Bits of NVML's clock event reasons (nvml.h); idle, 0x0001, is none that matters to a call."""


def nvml() -> Any:
    """The NVML module, initialised; None where it or the driver is missing."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no module, no driver, no permission: all the same to us
        return None
    return pynvml


def bits(module: Any, index: int = 0) -> int:
    """The reasons that hold now, as NVML's bits; 0 where it cannot say."""
    if module is None:
        return 0
    for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        if hasattr(module, name):
            with suppress(Exception):  # NVML raises errors of its own, also for boards that do not support it
                return int(getattr(module, name)(module.nvmlDeviceGetHandleByIndex(index)))
    return 0


def reasons(seen: int) -> list[str]:
    """Words for the bits that were seen."""
    return [words for bit, words in REASONS.items() if seen & bit]

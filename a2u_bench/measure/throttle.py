"""Words for the reasons that NVML gives for a GPU's clock that is lower than it could be."""

from __future__ import annotations

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
"""Bits of NVML's clock event reasons (nvml.h); idle, 0x0001, does not matter to a call."""


def reasons(seen: int) -> list[str]:
    """Words for the bits that were seen."""
    return [words for bit, words in REASONS.items() if seen & bit]

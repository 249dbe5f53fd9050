"""Costs that are known: synthetic operators whose work, memory and duration must come back right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from a2u_bench.audit.calibration.alarms import Criterion
from a2u_bench.audit.calibration.pairs import CHANNELS, SIDE, synthetic
from a2u_bench.case import Case

DURATIONS = (100, 500)  # microseconds: short, because a busy machine takes a longer call apart
LONGER = 0.02  # the share by which a known duration may be exceeded: the call around it takes some microseconds
EXACT = 1e-9  # a mean of logarithms is exact to so much
KIBIBYTES = 3000


def known_cases() -> dict[Case, dict[str, tuple[float, float]]]:
    """Synthetic cases, and between what bounds each of their measures must lie."""
    points = (2 * SIDE) ** 2
    output = CHANNELS * points * 4
    nearest = float(CHANNELS * points)
    work = (1 + CHANNELS) * nearest
    found = {
        synthetic("Working"): {
            "params": (CHANNELS**2, CHANNELS**2),
            **dict.fromkeys(("macs", "macs_fvcore", "macs_torch"), (work, work)),
        },
        synthetic(f"Holding:kibibytes={KIBIBYTES}"): {
            "params": (0, 0),
            "macs": (nearest, nearest),
            "output_memory": (output, output),
            "workspace_memory": (1024 * KIBIBYTES, 1024 * KIBIBYTES),
            "peak_memory": (output + 1024 * KIBIBYTES, output + 1024 * KIBIBYTES),
        },
    }
    for duration in DURATIONS:
        seconds = duration * 1e-6
        found[synthetic(f"Lasting:microseconds={duration}")] = {"latency": (seconds, (1 + LONGER) * seconds + 20e-6)}
    return {
        case: {name: (float(low), float(high)) for name, (low, high) in ends.items()} for case, ends in found.items()
    }


def known_findings(
    known: Mapping[Case, Mapping[str, tuple[float, float]]], rows: Iterable[Mapping[str, Any]]
) -> list[Criterion]:
    """Whether each known cost came back right."""
    by_case = {row["case"]: row for row in rows}
    found = []
    for case, ends in known.items():
        row = by_case[case.id]
        title = case.options.rpartition("synthetic:")[2]
        for name, (low, high) in ends.items():
            value = row.get(name)
            demanded = f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
            said = (
                f"{value:.6g}" if value is not None else f"{row['status']}: {row['reason']}" if row["reason"] else "-"
            )
            found.append(
                Criterion(
                    f"{title} {name}",
                    demanded,
                    said,
                    value is not None and low <= (1 + EXACT) * value and value <= (1 + EXACT) * high,
                )
            )
    return found

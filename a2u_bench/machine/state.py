"""The state of this machine at one moment, as far as it moves a latency. What cannot be read is None."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from a2u_bench.machine.system import first_line

ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")


def now(root: Path = Path("/")) -> dict[str, Any]:
    """Load, niceness, memory, swap, heat, power and time taken by others. Sizes in bytes, temperatures in °C."""
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    times = psutil.cpu_times()
    steal = getattr(times, "steal", None)
    return {
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "nice": os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else None,
        "waiting": _waiting(root),
        "memory_available": memory.available,
        "swap_used": swap.used,
        "temperature": _hottest(),
        "core_throttle_count": _throttled(root),
        "on_battery": _on_battery(),
        "steal": None if steal is None or not sum(times) else steal / sum(times),
        "clock": _clock(),
    }


def lasting(root: Path = Path("/")) -> dict[str, Any]:
    """What stays as it is while the machine runs: virtual or not, one thread a core or two, huge pages, allocator."""
    return {
        "virtualised": _virtualised(root),
        "smt": first_line(root / "sys/devices/system/cpu/smt/active"),
        "huge_pages": _chosen(first_line(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        "allocator": _allocator(os.environ.get("LD_PRELOAD", "")),
        "no_turbo": first_line(root / "sys/devices/system/cpu/intel_pstate/no_turbo"),
    }


def _hottest() -> float | None:
    import psutil

    if not hasattr(psutil, "sensors_temperatures"):
        return None
    try:
        sensors = psutil.sensors_temperatures()
    except (OSError, RuntimeError):
        return None
    known = [reading.current for readings in sensors.values() for reading in readings if reading.current]
    return max(known, default=None)


def _waiting(root: Path) -> float | None:
    """Share of the last ten seconds in which some program that could run waited for a core."""
    found = re.match(r"some avg10=(\d+(?:\.\d+)?) ", first_line(root / "proc/pressure/cpu") or "")
    return float(found[1]) / 100 if found else None


def _throttled(root: Path) -> int | None:
    """How often cores were throttled for heat since the machine started."""
    counts = [
        int(text)
        for path in root.glob("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
        if (text := first_line(path)) and text.isdigit()
    ]
    return sum(counts) if counts else None


def _on_battery() -> bool | None:
    import psutil

    try:
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    except (OSError, RuntimeError):
        return None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


def _clock() -> float | None:
    """The cores' clock now, in hertz."""
    import psutil

    try:
        found = psutil.cpu_freq()
    except (OSError, RuntimeError, NotImplementedError):
        return None
    return found.current * 1e6 if found and found.current else None


def _virtualised(root: Path) -> bool | None:
    """Whether the processor says that a hypervisor stands above it."""
    try:
        text = (root / "proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return None
    flags = next((line for line in text.splitlines() if line.startswith("flags")), None)
    return None if flags is None else "hypervisor" in flags.split()


def _chosen(line: str | None) -> str | None:
    """The word in brackets of `always [madvise] never`."""
    return line.partition("[")[2].partition("]")[0] or None if line else None


def _allocator(preloaded: str) -> str:
    """Who gives memory to processes: a preloaded library, or the system's own."""
    named = next((name for name in ALLOCATORS if name in preloaded), None)
    libc = platform.libc_ver()[0] or ("Apple" if sys.platform == "darwin" else "system")
    return named or f"{libc} malloc"

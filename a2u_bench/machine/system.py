"""What the operating system tells of the machine and of this process's share of it. What is not known is None."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path


def cache_folder() -> Path:
    """Where this program keeps what it can make again; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "a2u-bench"


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str | None:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Hardware")))
    return next(named, platform.processor() or None)


def cgroup_quota(root: Path) -> float | None:
    """How many cores' worth of time the control group may use (version 2, then 1); None without a limit."""
    if line := first_line(root / "cpu.max"):
        quota, period = line.split()
        return None if quota == "max" else int(quota) / int(period)
    quota_line, period_line = (first_line(root / "cpu" / f"cpu.cfs_{part}_us") for part in ("quota", "period"))
    if quota_line and period_line and int(quota_line) > 0:
        return int(quota_line) / int(period_line)
    return None


def cgroup_memory(root: Path) -> int | None:
    """Bytes that the control group (version 2, then 1) may still use; None without a limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, now = first_line(root / limit), first_line(root / used)
        if most and now and most.isdigit() and int(most) < 1 << 60:
            return max(0, int(most) - int(now))
    return None


def first_line(path: Path) -> str | None:
    """The first line of a file, or None without one."""
    try:
        return path.read_text(errors="replace").strip().splitlines()[0]
    except (OSError, IndexError):
        return None


def version(package: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git(root: Path, *arguments: str) -> str | None:
    """An answer of git about the folder this code lies in; None where that is no repository of its own."""
    return _run("git", "-C", str(root), *arguments) if (root / ".git").exists() else None


def _run(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

"""Resident memory of this process: by how much it rose at most. For libraries whose own allocators nobody can watch."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from types import TracebackType

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Resident:
    """Around what is watched; `most` is afterwards how far the process rose, in bytes, None where Linux does not tell.

    Blocks that the C library keeps are given back first, since what it hands out again would not be seen.
    """

    most: int | None = None

    def __enter__(self) -> Resident:
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            RESET.write_text("5")  # forgets the high-water mark
        self._before = _field("VmRSS")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        highest = _field("VmHWM")
        if highest is not None and self._before is not None:
            self.most = max(0, highest - self._before)


def _field(name: str) -> int | None:
    """Bytes of a field of this process's status."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)

"""Standard output as commands meet it: a file's bytes where it is no terminal's, and nowhere where it is closed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable


def write(parts: Iterable[str | bytes]) -> None:
    """What would be a file's content: its own bytes, UTF-8 whatever a terminal's encoding is; to a terminal as text."""
    stream = sys.stdout
    stream.flush()
    raw = None if stream.isatty() else getattr(stream, "buffer", None)
    for part in parts:
        if raw is not None:
            raw.write(part.encode() if isinstance(part, str) else part)
        else:
            stream.write(part if isinstance(part, str) else part.decode())


def replace_closed_streams() -> None:
    """Give each standard stream that is closed a place that leads nowhere.

    Else the next file that is opened takes its number, and whatever writes to the stream writes into that file.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, the stream's own
            os.set_inheritable(descriptor, True)  # as a stream's is: processes that are started have it too
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))

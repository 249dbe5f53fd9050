"""Lines on disk: appended whole, flushed and synced, never rewritten.

A line that did not fit on the disk is taken back, so that the file always ends with a whole line; a line torn by a
crash is set aside into `rows.torn` or `samples.torn` when the run is resumed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from a2u_bench.columns import SCHEMA_VERSION
from a2u_bench.errors import BenchError
from a2u_bench.store.lines import LONGEST, parse_line


def append(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Every line, on disk when this returns, or none. ValueError for NaN and infinity; OSError where it cannot be."""
    data = "".join(json.dumps({"version": SCHEMA_VERSION, **line}, allow_nan=False) + "\n" for line in lines).encode()
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        before, written = os.fstat(descriptor).st_size, 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
        finally:
            if written < len(data):
                os.ftruncate(descriptor, before)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        sync_folder(path.parent)


def set_aside_torn_end(path: Path) -> str:
    """Move what follows the last line end to `<name>.torn`; a whole object that lacks only its line end gets one."""
    if not path.exists():
        return ""
    with path.open("r+b") as file:
        start = max(0, file.seek(0, os.SEEK_END) - LONGEST)
        file.seek(start)
        data = file.read()
        within = data.rfind(b"\n") + 1
        if start and not within:
            raise BenchError(f"{path}: its last line is longer than {LONGEST} bytes; this is no file of a run")
        end, tail = start + within, data[within:]
        if not tail:
            return ""
        if parse_line(tail) is not None:
            file.write(b"\n")
            kept = ""
        else:
            aside = path.with_suffix(".torn")
            with aside.open("ab") as other:
                other.write(tail + b"\n")
                other.flush()
                os.fsync(other.fileno())
            file.truncate(end)
            kept = f"{path.name}: the last line was torn; its {len(tail)} bytes were set aside in {aside.name}"
        file.flush()
        os.fsync(file.fileno())
    return kept


def sync_folder(folder: Path) -> None:
    """A new name is safe only when its folder is on disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

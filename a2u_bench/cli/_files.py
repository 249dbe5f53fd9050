"""The files that commands write are refused before anything is read where they cannot be."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from a2u_bench.errors import UsageError


def check_file(flag: str, path: Path, endings: Collection[str] = ()) -> None:
    """UsageError for what can be no file: a folder, a name in a folder that is not there, another ending than these."""
    if path.is_dir():
        raise UsageError(f"{flag} {path}: is a folder; allowed: the name of a file")
    if endings and path.suffix.lower().removeprefix(".") not in endings:
        named = ", ".join(f".{one}" for one in endings)
        raise UsageError(f"{flag} {path}: allowed: the name of a file that ends in {named}")
    if not path.parent.is_dir():
        raise UsageError(f"{flag} {path}: there is no folder {path.parent}; allowed: a file in a folder that is there")

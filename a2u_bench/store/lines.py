"""Reading lines of JSON that strangers may have written: of bounded length, none lost without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from a2u_bench.columns import SCHEMA_VERSION
from a2u_bench.store.migrate import FIRST_VERSION, is_known, to_current

MANIFEST, ROWS, SAMPLES = "manifest.json", "rows.jsonl", "samples.jsonl"
CURVES = "curves.jsonl"  # only where something was trained
FORMAT = "a2u-bench run"

MISSING = "missing"
TORN = "the last line is torn, left out"
BUFFER = 1 << 18  # bytes read at once
LONGEST = 1 << 22  # bytes of one line, or of a manifest: files come from strangers, so memory is bounded first


class Problems:
    """Counts what went wrong, so that ten thousand broken lines make one sentence with the first line's number."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._count: dict[str, int] = {}

    def add(self, what: str, line: int) -> None:
        self._first.setdefault(what, line)
        self._count[what] = self._count.get(what, 0) + 1

    def sentences(self, name: str) -> tuple[str, ...]:
        return tuple(
            f"{name}: {what}" + (f" (line {line}{f' and {count - 1} more' if count > 1 else ''})" if line else "")
            for (what, count), line in zip(self._count.items(), self._first.values(), strict=True)
        )


def contents(path: Path, found: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and content of each whole line of a version that we know; the rest goes to `found`."""
    if not is_file(path):
        if (why := absence(path)) != MISSING:
            found.add(why, 0)
        return
    try:
        file = path.open("rb", BUFFER)
    except OSError as error:
        found.add(f"cannot be read: {error.strerror}", 0)
        return
    with file:
        for number, line in _cut(file, found):
            content = parse_line(line)
            if content is not None:
                version = content.pop("version", FIRST_VERSION)
                if is_known(version):
                    yield number, to_current(path.stem, content, version)
                else:
                    what = f"of schema version {version!r:.20}, this program reads {SCHEMA_VERSION}, left out"
                    found.add(what, number)
            elif not line.endswith(b"\n"):
                found.add(TORN, number)
            elif line.strip():
                found.add("not a JSON object, left out", number)


def _cut(file: BinaryIO, found: Problems) -> Iterator[tuple[int, bytes]]:
    """Lines and their numbers; those too long go to `found`."""
    number = 0
    while line := file.readline(LONGEST):
        number += 1
        if len(line) < LONGEST or line.endswith(b"\n"):
            yield number, line
            continue
        found.add(f"longer than {LONGEST} bytes, left out", number)
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """One JSON object, or None where it is not a whole one."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            content = json.loads(line)  # which takes a little more: NaN, Infinity, half of a character
        except (ValueError, RecursionError):
            return None
    return content if isinstance(content, dict) else None


def is_file(path: Path) -> bool:
    """A regular file: opening a pipe of the same name would wait for ever."""
    try:
        return path.is_file()
    except OSError:
        return False


def absence(path: Path) -> str:
    """Why there is no such file to read: it is missing, or what has its name is not a file; "" where there is one."""
    try:
        if path.is_dir():
            return "is a folder, not a file"
        return "" if path.is_file() else "is no regular file" if path.exists() else MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"

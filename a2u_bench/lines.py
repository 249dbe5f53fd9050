"""Reading lines of JSON that strangers may have written: in batches, of bounded length, none lost without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from a2u_bench.migrate import FIRST_VERSION, is_current, is_known, to_current
from a2u_bench.record import SCHEMA_VERSION
from a2u_bench.rows import Batch

MISSING = "missing"
TORN = "the last line is torn, left out"
BATCH = 100  # lines that are looked at together: few enough to stay in the cache of a processor
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


def batches(path: Path, found: Problems) -> Iterator[Batch]:
    """The whole lines of a version that we know, in batches; the rest goes to `found`."""
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
        for numbers, lines in _cut(file, found):
            contents = _of_today(lines)
            yield (numbers, contents) if contents is not None else _one_by_one(path.stem, numbers, lines, found)


def _of_today(lines: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """The contents of lines that are all whole and of today's version, as most are; None where one may not be."""
    try:
        contents = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return None
    if not set(map(type, contents)) <= {dict}:
        return None
    versions = [content.pop("version", FIRST_VERSION) for content in contents]
    return contents if all(map(is_current, versions)) else None


def _one_by_one(kind: str, numbers: Sequence[int], lines: Sequence[bytes], found: Problems) -> Batch:
    contents = [_content(kind, number, line, found) for number, line in zip(numbers, lines, strict=True)]
    kept = [content is not None for content in contents]
    return list(compress(numbers, kept)), [content for content in contents if content is not None]


def _content(kind: str, number: int, line: bytes, found: Problems) -> dict[str, Any] | None:
    """What a line says, or None where it says nothing that we can read."""
    content = parse_line(line)
    if content is not None:
        version = content.pop("version", FIRST_VERSION)
        if is_known(version):
            return to_current(kind, content, version)
        found.add(f"of schema version {version!r:.20}, this program reads {SCHEMA_VERSION}, left out", number)
    elif not line.endswith(b"\n"):
        found.add(TORN, number)
    elif line.strip():
        found.add("not a JSON object, left out", number)
    return None


def _cut(file: BinaryIO, found: Problems) -> Iterator[tuple[list[int], list[bytes]]]:
    """Lines and their numbers, as many at a time as are quick to look at together; those too long go to `found`."""
    numbers: list[int] = []
    lines: list[bytes] = []
    number = size = 0
    while line := file.readline(LONGEST):
        number += 1
        if len(line) == LONGEST and not line.endswith(b"\n"):
            found.add(f"longer than {LONGEST} bytes, left out", number)
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST)
            continue
        numbers.append(number)
        lines.append(line)
        size += len(line)
        if len(lines) == BATCH or size > LONGEST:
            yield numbers, lines
            numbers, lines, size = [], [], 0
    yield numbers, lines


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
    """Why there is no such file to read: it is missing, or what has its name is none; "" where there is one."""
    try:
        if path.is_dir():
            return "is a folder, not a file"
        return "" if path.is_file() else "is no regular file" if path.exists() else MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"

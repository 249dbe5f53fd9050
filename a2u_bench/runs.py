"""Reading a run's folder: what can be read is read, what cannot is named in `problems`, and nothing raises a traceback.

A run is `manifest.json`, `rows.jsonl` and `samples.jsonl`, and `curves.jsonl` where something was trained. Each line
says its schema version; what an older program wrote is read as if today's had written it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from a2u_bench.errors import UsageError
from a2u_bench.migrate import FIRST_VERSION, is_current, is_known, to_current
from a2u_bench.record import SCHEMA_VERSION
from a2u_bench.rows import Batch, Rows

MANIFEST, ROWS, SAMPLES = "manifest.json", "rows.jsonl", "samples.jsonl"
CURVES = "curves.jsonl"  # only where something was trained
FORMAT = "a2u-bench run"
MISSING = "missing"
TORN = "the last line is torn, left out"
BATCH = 100  # lines that are looked at together: few enough to stay in the cache of a processor
BUFFER = 1 << 18  # bytes read at once
LONGEST = 1 << 22  # bytes of one line, or of a manifest: files come from strangers, so memory is bounded first


@dataclass(frozen=True)
class Run:
    """One folder of results as it could be read; `problems` says what was left out, and why."""

    path: Path
    manifest: dict[str, Any]
    rows: Sequence[dict[str, Any]]
    problems: tuple[str, ...]

    @cached_property
    def samples(self) -> tuple[dict[str, Any], ...]:
        """The raw samples, read when asked for: {"case", "process", "round", "latency": [seconds, …]}."""
        return self._read_samples[0]

    @property
    def sample_problems(self) -> tuple[str, ...]:
        """What was left out of the samples, and why."""
        return self._read_samples[1]

    @cached_property
    def _read_samples(self) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
        return read_samples(self.path)


class _Problems:
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


def read_run(folder: Path) -> Run:
    """The run in `folder`. Raises UsageError, in one line, where nothing is readable or the format is newer than us."""
    folder = Path(folder)
    _must_be_folder(folder)
    manifest, problems = read_manifest(folder)
    if not _is_file(folder / ROWS):
        if not manifest:
            raise UsageError(f"{folder}: not a run: no readable {MANIFEST} or {ROWS} ({'; '.join(problems)})")
        why = absence(folder / ROWS)
        begun = "; no case has ended yet" if why == MISSING else ""
        return Run(folder, manifest, (), (*problems, f"{ROWS}: {why}{begun}"))
    rows, more = _read_rows(folder / ROWS)
    problems = (*problems, *more)
    if not rows and (not manifest or any(TORN not in problem for problem in more)):
        raise UsageError(f"{folder}: nothing readable in it ({'; '.join(problems) or f'{ROWS} is empty'})")
    return Run(folder, manifest, rows, problems)


def read_samples(folder: Path) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Every whole sample of a run, and what was left out and why."""
    problems: list[str] = []
    return tuple(each_sample(folder, problems)), tuple(problems)


def each_sample(folder: Path, problems: list[str]) -> Iterator[dict[str, Any]]:
    """The same, one at a time; what was left out is added to `problems` at the end."""
    found = _Problems()
    for numbers, lines in _lines(folder / SAMPLES, found):
        for number, line in zip(numbers, lines, strict=True):
            if _is_sample(line):
                yield line
            else:
                found.add("not a sample, left out", number)
    problems += found.sentences(SAMPLES)


def each_curve(folder: Path) -> Iterator[dict[str, Any]]:
    """What trainings came to, epoch by epoch, one at a time; lines that cannot be read are left out."""
    for _, lines in _lines(folder / CURVES, _Problems()):
        yield from (line for line in lines if isinstance(line.get("case"), str))


def newest_run(root: Path) -> Path:
    """The folder under `root` whose manifest says it was made last. Raises UsageError where there is none."""
    newest: tuple[str, str] | None = None
    for manifest in sorted(root.glob(f"*/{MANIFEST}")) if root.is_dir() else ():
        try:
            content, _ = read_manifest(manifest.parent)
        except UsageError:  # a newer format: not ours to judge by age
            continue
        if content:
            made = _moment(content.get("created"))
            newest = max(newest or ("", ""), (made, str(manifest.parent)))
    if newest is None:
        raise UsageError(f"no run under {root}/; make one with: a2u-bench run --ops all, or name a run's folder")
    return Path(newest[1])


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


def _parse_facts(data: bytes) -> dict[str, Any] | None:
    """The same of a manifest, whose numbers are not checked one by one: those that are not finite are unknown."""
    try:
        content = json.loads(data, parse_constant=lambda word: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _lines(path: Path, found: _Problems) -> Iterator[Batch]:
    """The whole lines of a version that we know, in batches; the rest goes to `found`."""
    if not _is_file(path):
        if (why := absence(path)) != MISSING:
            found.add(why, 0)
        return
    try:
        file = path.open("rb", BUFFER)
    except OSError as error:
        found.add(f"cannot be read: {error.strerror}", 0)
        return
    with file:
        for numbers, lines in _batches(file, found):
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


def _one_by_one(kind: str, numbers: Sequence[int], lines: Sequence[bytes], found: _Problems) -> Batch:
    contents = [_content(kind, number, line, found) for number, line in zip(numbers, lines, strict=True)]
    kept = [content is not None for content in contents]
    return list(compress(numbers, kept)), [content for content in contents if content is not None]


def _content(kind: str, number: int, line: bytes, found: _Problems) -> dict[str, Any] | None:
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


def _batches(file: BinaryIO, found: _Problems) -> Iterator[tuple[list[int], list[bytes]]]:
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


def _read_rows(path: Path) -> tuple[Rows, tuple[str, ...]]:
    found = _Problems()
    rows = Rows.read(_lines(path, found), found.add)
    return rows, found.sentences(ROWS)


def _is_sample(line: Mapping[str, Any]) -> bool:
    times = line.get("latency")
    return (
        isinstance(line.get("case"), str)
        and isinstance(line.get("origin", ""), str)
        and all(type(line.get(name)) is int for name in ("process", "round"))
        and isinstance(times, list)
        and all(_is_time(t) for t in times)
        and ("pace" not in line or (_is_time(line["pace"]) and line["pace"] > 0))
    )


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e300


def read_manifest(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The manifest, empty with a problem where it cannot be read. Raises UsageError for a newer or foreign one."""
    path = folder / MANIFEST
    if not _is_file(path):
        return {}, (f"{MANIFEST}: {absence(path)}",)
    try:
        with path.open("rb") as file:
            content = _parse_facts(file.read(LONGEST + 1))
    except OSError as error:
        return {}, (f"{MANIFEST}: {error.strerror}",)
    if content is None:
        return {}, (f"{MANIFEST}: not a JSON object",)
    version = content.get("version")
    if content.get("format") != FORMAT or type(version) is not int:
        return {}, (f"{MANIFEST}: not the manifest of a run",)
    if version > SCHEMA_VERSION:
        raise UsageError(f"{folder}: schema version {version} is newer than this program's {SCHEMA_VERSION}; update it")
    if not is_known(version):
        return {}, (f"{MANIFEST}: schema version {version!r:.20} never was",)
    return to_current("manifest", content, version), ()


def _must_be_folder(folder: Path) -> None:
    try:
        if folder.is_dir():
            next(folder.iterdir(), None)
            return
        what = "is a file, not a run's folder" if folder.exists() else "no such folder"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        what = getattr(error, "strerror", None) or str(error)
    raise UsageError(f"{str(folder)!r}: {what}; allowed: a folder that `a2u-bench run` made, such as results/<run>")


def _is_file(path: Path) -> bool:
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


def _moment(created: Any) -> str:
    """An ISO moment as text that sorts by time, or "" where it is none."""
    try:
        return datetime.fromisoformat(created).astimezone().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""

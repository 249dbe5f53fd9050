"""Reading a run's folder: what can be read is read, what cannot is named in `problems`, and nothing raises a traceback.

A run is `manifest.json`, `rows.jsonl` and `samples.jsonl`, and `curves.jsonl` where something was trained. Each line
says its schema version; what an older program wrote is read as if today's had written it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from a2u_bench.columns import SCHEMA_VERSION
from a2u_bench.errors import UsageError
from a2u_bench.store import rows
from a2u_bench.store.lines import (
    CURVES,
    FORMAT,
    LONGEST,
    MANIFEST,
    MISSING,
    ROWS,
    SAMPLES,
    TORN,
    Problems,
    absence,
    contents,
    is_file,
)
from a2u_bench.store.migrate import is_known, to_current

MOST = 1 << 30  # processes, and rounds of one

RESULTS = Path("results")
"""Where runs are kept unless another place is named."""


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


def read_run(folder: Path) -> Run:
    """The run in `folder`. Raises UsageError, in one line, where nothing is readable or the format is newer than us."""
    folder = Path(folder)
    _must_be_folder(folder)
    manifest, problems = read_manifest(folder)
    if not is_file(folder / ROWS):
        if not manifest:
            raise UsageError(f"{folder}: not a run: no readable {MANIFEST} or {ROWS} ({'; '.join(problems)})")
        why = absence(folder / ROWS)
        begun = "; no case has ended yet" if why == MISSING else ""
        return Run(folder, manifest, (), (*problems, f"{ROWS}: {why}{begun}"))
    found = Problems()
    known = rows.read(contents(folder / ROWS, found), found.add, manifest.get("reference"))
    more = found.sentences(ROWS)
    problems = (*problems, *more)
    if not known and (not manifest or any(TORN not in problem for problem in more)):
        raise UsageError(f"{folder}: nothing readable in it ({'; '.join(problems) or f'{ROWS} is empty'})")
    return Run(folder, manifest, known, problems)


def read_samples(folder: Path) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Every whole sample of a run, and what was left out and why."""
    problems: list[str] = []
    return tuple(each_sample(folder, problems)), tuple(problems)


def each_sample(folder: Path, problems: list[str]) -> Iterator[dict[str, Any]]:
    """The same, one at a time; what was left out is added to `problems` at the end."""
    found = Problems()
    for number, line in contents(folder / SAMPLES, found):
        if _is_sample(line):
            yield line
        else:
            found.add("not a sample, left out", number)
    problems += found.sentences(SAMPLES)


def each_curve(folder: Path) -> Iterator[dict[str, Any]]:
    """What trainings came to, epoch by epoch, one at a time; lines that cannot be read are left out."""
    for _, line in contents(folder / CURVES, Problems()):
        if isinstance(line.get("case"), str):
            yield line


def there(folder: Path, *beside: Path) -> Path:
    """The folder or, where none is here, that of its name in one `beside` or under `results/`. UsageError where there
    is nothing of this name; what is no folder is for whoever reads it to tell."""
    roots = () if folder.is_absolute() else (*beside, RESULTS)
    found = next((one for one in (folder, *(root / folder for root in roots)) if os.path.isdir(one)), folder)
    try:
        os.stat(found)
    except FileNotFoundError:
        where = "".join(f", and no {root / folder}" for root in roots)
        allowed = f"a folder that `a2u-bench run` made, or its name under {RESULTS}/"
        raise UsageError(f"{str(folder)!r}: no such folder{where}; allowed: {allowed}") from None
    except (OSError, ValueError):
        pass
    return found


def newest_run(root: Path) -> Path:
    """The folder under `root` whose manifest says it was made last. Raises UsageError without one."""
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


def _is_sample(line: Mapping[str, Any]) -> bool:
    return (
        isinstance(line.get("case"), str)
        and isinstance(line.get("origin", ""), str)
        and _is_number(line.get("process"))
        and _is_number(line.get("round"))
        and _are_times(line.get("latency"))
        and ("latency_cold" not in line or _are_times(line["latency_cold"]))
    )


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < MOST


def _are_times(values: Any) -> bool:
    return isinstance(values, list) and all(map(_is_time, values))


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e300


def read_manifest(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The manifest, empty with a problem where it cannot be read. Raises UsageError for a newer or foreign one."""
    path = folder / MANIFEST
    if not is_file(path):
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


def _moment(created: Any) -> str:
    """An ISO moment as text that sorts by time, or "" for any other text."""
    try:
        return datetime.fromisoformat(created).astimezone().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""

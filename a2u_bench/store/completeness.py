"""What a reader would expect in a run and is not there: cases that have not ended, axes and latencies of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from a2u_bench.columns import is_open
from a2u_bench.store.lines import MISSING, ROWS, absence
from a2u_bench.store.read import Run

AXES = (
    *("operator", "options", "batch", "channels", "height", "width", "scale"),
    *("dtype", "layout", "mode", "runtime", "device", "threads"),
)
"""What every row of costs says, whichever program wrote it."""


def lacks(run: Run) -> tuple[str, ...]:
    """Sentences, none for a whole run."""
    costs = [row for row in run.rows if row["task"] is None]
    found = []
    few = "" if "origins" in run.manifest else unended(run)  # `merge` says it of each
    if few:
        found.append(f"{few}; --resume of `a2u-bench {maker(run)}` goes on with it")
    missing = {name: sum(row[name] is None for row in costs) for name in AXES}
    names = [name for name, count in missing.items() if count]
    if names:
        found.append(f"{max(missing.values())} of {len(run.rows)} rows do not say {', '.join(names)}: taken as unknown")
    untimed = sum(row["status"] == "ok" and row["latency"] is None for row in costs)
    if untimed:
        found.append(f"{untimed} of {len(run.rows)} rows ended ok without a latency")
    return tuple(found)


def unended(run: Run) -> str:
    """How many of its planned cases have ended, in words; "" where all have, or nobody knows how many were planned.

    Of a merged run it is said of the first part that is not whole.
    """
    parts = run.manifest.get("origins")
    if not isinstance(parts, Mapping):
        return _few({case for case, _ in _ended(run)}, run.manifest.get("planned"))
    cases: dict[str, set[Any]] = {}
    for case, origin in _ended(run):
        cases.setdefault((origin or "").partition("/")[0], set()).add((case, origin))
    said = {
        name: _few(cases.get(name, set()), part.get("planned"))
        for name, part in parts.items()
        if isinstance(part, Mapping)
    }
    return next((f"{few} in {name}" for name, few in said.items() if few), "")


def unplanned(run: Run) -> str:
    """What to say where nobody knows how many cases a run, or a part of a merged one, was to have; "" elsewhere."""
    parts = run.manifest.get("origins")
    known = parts if isinstance(parts, Mapping) else {"": run.manifest}
    silent = [name for name, part in known.items() if type(_entries(part).get("planned")) is not int]
    if not silent:
        return ""
    where = f" of {silent[0]}" if silent[0] else ""
    return f"the manifest{where} does not say how many cases were planned, so nobody knows whether all have ended"


def nothing(runs: Sequence[Run]) -> str:
    """What to say where not one of these runs has a row, with what to do; "" where there are rows."""
    if not runs or any(len(run.rows) for run in runs):
        return ""
    run = runs[0]
    for one in runs:
        why = absence(one.path / ROWS)
        if why not in ("", MISSING):
            return f"{one.path}: its {ROWS} {why}, so there is nothing to show; allowed: a run's own folder"
    return (
        f"{', '.join(str(one.path) for one in runs)}: no case has ended yet, so there is nothing to show; the same "
        f"`a2u-bench {maker(run)}` with --out {run.path} --resume goes on with it"
    )


def maker(run: Run) -> str:
    """The command that makes such a run."""
    return "quality" if run.manifest.get("suite") == "quality" else "run"


def _ended(run: Run) -> Iterator[tuple[Any, Any]]:
    """Case and origin of each row that is the last word on its case."""
    return ((row["case"], row["origin"]) for row in run.rows if not is_open(row["status"], row["stopped"]))


def _entries(part: object) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def _few(ended: Set[Any], planned: object) -> str:
    return (
        f"{len(ended)} of {planned} planned cases have ended" if type(planned) is int and len(ended) < planned else ""
    )

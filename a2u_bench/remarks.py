"""What must stand under any table of these runs: what disturbed them, how they were made, what an axis changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from a2u_bench import doctor, ranking
from a2u_bench.frames import RUN, floor_share

FLOOR = (
    "speed of light: the longer of moving z, guide, parameters and output at this machine's copy rate and making the "
    "MACs at its matrix rate, both measured in the same run"
)

BEYOND = (
    "above the speed of light: {}. This run measured the machine's rates too low for them, as where other programs use "
    "it, so their floor is no bound"
)

MOST_ROWS = 5000
"""Rankings of more rows are left to whoever asks for them: comparing every pair takes time."""


def remarks(manifests: Sequence[Mapping[str, Any]], frame: pd.DataFrame, columns: Sequence[str] = ()) -> list[str]:
    """Sentences in this order: notes of rows, the environment's grade, where memory comes from, rankings, the
    floor."""
    said = _of_rows(frame)
    if frame["latency"].notna().any():
        said += doctor.notes(manifests)
        said += _allocation(manifests)
        if RUN not in frame and len(frame) <= MOST_ROWS:
            said += ranking.notes(frame)
    if any(name.startswith("floor") for name in columns):
        said += [FLOOR, *beyond(frame)]
    return said


def beyond(frame: pd.DataFrame) -> list[str]:
    """A sentence on the rows that are quicker than their floor, which then is none."""
    names = frame["options"][(floor_share(frame) > 1).fillna(False).astype(bool)].fillna("unknown")
    who = dict.fromkeys(map(str, names))
    return [BEYOND.format(f"{'; '.join(list(who)[:4])}{_more(who)}")] if who else []


def _of_rows(frame: pd.DataFrame) -> list[str]:
    """Each different note of a row, with the operators that it is about."""
    who: dict[str, dict[str, None]] = {}
    known = frame[frame["note"].notna()]
    for note, options in zip(known["note"], known["options"], strict=True):
        for text in str(note).split("; "):
            who.setdefault(text.partition(":")[0], {})[str(options)] = None
    return [f"{what}: {'; '.join(list(names)[:4])}{_more(names)}" for what, names in who.items() if what]


def _more(names: Mapping[str, None]) -> str:
    return f" and {len(names) - 4} more" if len(names) > 4 else ""


def _allocation(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    found: dict[str, None] = {}
    for manifest in manifests:
        said, machine = manifest.get("allocation"), manifest.get("machine")
        state = machine.get("state") if isinstance(machine, Mapping) else None
        allocator = state.get("allocator") if isinstance(state, Mapping) else None
        if isinstance(said, str):
            found[f"{said}{f' ({allocator})' if allocator else ''}"] = None
    return list(found)

"""What must stand under any table of these runs: what disturbed them, how they were made, what an axis changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from a2u_bench import doctor
from a2u_bench.frames import floor_share
from a2u_bench.plain import some
from a2u_bench.reading import Reading

FLOOR = (
    "speed of light: the longer of moving z, guide, parameters and output at this machine's copy rate and making the "
    "MACs at its matrix rate, both measured in the same run"
)

BEYOND = (
    "above the speed of light: {}. This run measured the machine's rates too low for them, as where other programs use "
    "it, so their floor is no bound"
)


def remarks(reading: Reading, frame: pd.DataFrame, columns: Sequence[str] = ()) -> list[str]:
    """Sentences on some rows of what was read, in this order: notes of rows, the environment's grade, how far absolute
    times move, where memory comes from, the floor."""
    said = _of_rows(frame)
    if frame["latency"].notna().any():
        strays = reading.strays()
        said += doctor.notes(reading.manifests, strays)
        said += [_moving(label, *stray) for label, stray in strays.items()]
        said += _allocation([run.manifest for run in reading.runs])
    if any(name.startswith("floor") for name in columns):
        said += [FLOOR, *beyond(frame)]
    return said


def beyond(frame: pd.DataFrame) -> list[str]:
    """A sentence on the rows that are quicker than their floor, which then is none."""
    names = frame["options"][(floor_share(frame) > 1).fillna(False).astype(bool)].fillna("unknown")
    return [BEYOND.format(some(names))] if len(names) else []


def _of_rows(frame: pd.DataFrame) -> list[str]:
    """Each different note of a row, with the operators that it is about."""
    who: dict[str, dict[str, None]] = {}
    known = frame[frame["note"].notna()]
    for note, options in zip(known["note"], known["options"], strict=True):
        for text in str(note).split("; "):
            who.setdefault(text.partition(":")[0], {})[str(options)] = None
    return [f"{what}: {some(names)}" for what, names in who.items() if what]


def _moving(label: str, operator: str, share: float) -> str:
    """How far absolute times move from run to run, by what the reference's own processes showed."""
    return (
        f"{f'{label}: ' if label else ''}from process to process {operator} varied by ±{share:.1%}: the times of "
        "another run may differ by as much, its ratios do not"
    )


def _allocation(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    found: dict[str, None] = {}
    for manifest in manifests:
        said, machine = manifest.get("allocation"), manifest.get("machine")
        state = machine.get("state") if isinstance(machine, Mapping) else None
        allocator = state.get("allocator") if isinstance(state, Mapping) else None
        if isinstance(said, str):
            found[f"{said}{f' ({allocator})' if allocator else ''}"] = None
    return list(found)

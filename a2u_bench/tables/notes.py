"""Sentences under a table: how sure it is, what disturbed its runs, what memory and the speed of light are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench.columns import FLOOR_SHARE
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.verdicts import numbers
from a2u_bench.machine import grades
from a2u_bench.sanitize import plain, some
from a2u_bench.store.frames import to_values
from a2u_bench.tables import suspicions

CLOSE = 1e-9
"""Two latencies that differ by less than this share are one, written by two programs."""

APART = "of two latencies that were not timed in the same rounds (Welch's t), which is less sure"

PAIRED = ", timed in the same rounds"
"""How ratios are taken, where every one is."""

FLOOR = (
    "speed of light: the longer of moving z, guide, parameters and output at this machine's copy rate and making the "
    "MACs at its matrix rate, both measured in the same run"
)

BEYOND = (
    "above the speed of light: {}. This run measured the machine's rates too low for them, as where other programs use "
    "it, so it is no bound for them"
)


def of_reading(reading: Reading) -> tuple[str, ...]:
    """On all that was read: doubled cases, and samples that lack or contradict."""
    said = [*_doubled(reading.frame, reading.doubled), *reading.problems, *_contradicted(reading)]
    return tuple(map(plain, [*said, *_without_samples(reading)]))


def of_rows(reading: Reading, frame: pd.DataFrame, columns: Sequence[str] = ()) -> list[str]:
    """On some rows of what was read: what is said of them themselves, the environment's grade, how far absolute times
    move, and where memory comes from."""
    said = [*_of_rows(frame, columns), *suspicions.of_rows(frame, reading)]
    if frame["latency"].notna().any():
        strays = reading.strays()
        said += grades.notes(reading.manifests, strays)
        said += [_moving(label, *stray) for label, stray in strays.items()]
        said += _allocation([run.manifest for run in reading.runs])
    return said


def of_these(reading: Reading, frame: pd.DataFrame, columns: Sequence[str] = ()) -> tuple[str, ...]:
    """Of the same what must be known of any table of these rows, however short its notes."""
    doubtful = suspicions.of_rows(frame, reading, bound=False)
    return (*of_reading(reading), *map(plain, _of_rows(frame, columns)), *doubtful)


def _of_rows(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """On rows by themselves: their own notes and, where `columns` show it, the floor."""
    floor = [FLOOR, *beyond(frame)] if any(name.startswith("floor") for name in columns) else []
    return [*_own(frame), *floor]


def beyond(frame: pd.DataFrame) -> list[str]:
    """A sentence on the rows that are quicker than their floor, which is then too high."""
    names = frame["options"][(frame[FLOOR_SHARE] > 1).fillna(False).astype(bool)].fillna("unknown")
    return [BEYOND.format(some(names))] if len(names) else []


def _doubled(frame: pd.DataFrame, doubled: NDArray[np.bool_]) -> list[str]:
    """On cases that stand more than once in their run: whose row their samples are is not known."""
    if not doubled.any():
        return []
    count = frame["case"][doubled].nunique()
    return [
        f"{count} case{' stands' if count == 1 else 's stand'} in several rows of one run: {_names(frame, doubled)}; "
        "each row is judged by its own interval, since the samples may be of any; of two runs the first rows of a case "
        "are compared, then the second ones"
    ]


def _contradicted(reading: Reading) -> list[str]:
    """On rows whose latency is not what their samples say: one of the two was changed."""
    timed = reading.timings.get("latency")
    if timed is None:
        return []
    given, said = numbers(reading.stored, "latency"), numbers(reading.frame, "latency")
    known = (reading.place >= 0) & ~np.isnan(given)
    earlier = timed.pooled(reading.place)  # which is what earlier programs wrote
    wrong = known & ~np.isclose(given, said, CLOSE, 0) & ~np.isclose(given, earlier, CLOSE, 0)
    if not wrong.any():
        return []
    count = int(wrong.sum())
    return [
        f"{count} row{' has a latency' if count == 1 else 's have latencies'} that the samples contradict: "
        f"{_names(reading.stored, wrong)}; what is shown is what the samples say"
    ]


def _without_samples(reading: Reading) -> list[str]:
    """On runs of whose latencies there are no samples, and on cases that one process alone timed."""
    timed = reading.frame["latency"].notna().to_numpy()
    bare, single = timed & (reading.place < 0), timed & (numbers(reading.frame, "processes") == 1)
    said = [
        (label, f"no samples of {_share(bare & here, here)}: the intervals are those of the rows")
        for label, here in _runs(reading, timed)
        if (bare & here).any()
    ]
    said += [
        (
            label,
            "timed in one process, which says nothing of how processes differ, so without an interval: "
            f"{_names(reading.frame, here)}",
        )
        for label, here in _runs(reading, single)
    ]
    return _of_runs(reading, said)


def ratios(reading: Reading) -> list[str]:
    """To what the ratios of each run are, how they were taken, and where there are none."""
    said = []
    for label, here in _runs(reading, reading.frame["latency"].notna().to_numpy()):
        operator = reading.operators.get(label, "")
        ends = dict.fromkeys(to_values(reading.frame["status"][reading.chosen & (reading.label == label)]))
        sick = [str(end) for end in ends if end != "ok"]
        why = f"ended {' and '.join(sick)}" if sick else "was not timed"
        whose = "" if label in reading.named else ", since the run names no reference"
        lacking, loose = here & (reading.against < 0), _unpaired(reading, here)
        if (lacking == here).all():
            said.append((label, f"no ratio: {operator} {why}{whose}; --baseline OP chooses another operator"))
            continue
        how = f"; of {_share(loose, here)} it is {APART}" if loose.any() else PAIRED
        none = f"; none for {_share(lacking, here)}, where that {why}" if lacking.any() else ""
        said.append((label, f"ratio: to {operator}{whose}{how}{none}"))
    return _of_runs(reading, said)


def _unpaired(reading: Reading, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of these rows were not paired with what their ratio is to, round by round or by way of the reference."""
    base = reading.against
    at = np.flatnonzero(rows & (base >= 0) & (base != np.arange(len(base))))
    found = np.zeros(len(rows), dtype=bool)
    found[at] = np.isnan(reading.ratios("latency", at, base[at]).log)
    return found


def _runs(reading: Reading, rows: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The runs of these rows, and which of them are of each."""
    for label in dict.fromkeys(reading.label[rows]):
        yield label, rows & (reading.label == label)


def _of_runs(reading: Reading, said: Sequence[tuple[str, str]]) -> list[str]:
    """Each sentence once, with the runs that it is of where it is not of all."""
    found: dict[str, list[str]] = {}
    for label, text in said:
        found.setdefault(text, []).append(label)
    every = len(set(reading.label))
    return [text if len(labels) == every else f"{some(labels, between=', ')}: {text}" for text, labels in found.items()]


def _share(few: NDArray[np.bool_], rows: NDArray[np.bool_]) -> str:
    count, of = int(few.sum()), int(rows.sum())
    return "every case" if count == of else f"{count} of {of} cases"


def _names(frame: pd.DataFrame, rows: NDArray[np.bool_]) -> str:
    return some(to_values(frame["options"].fillna("unknown").iloc[np.flatnonzero(rows)]))


def _own(frame: pd.DataFrame) -> list[str]:
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
        f"{f'{label}: ' if label else ''}from process to process {operator} varied by {grades.varied(share)}: times "
        "of another run may differ by as much, ratios of the same rounds do not"
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

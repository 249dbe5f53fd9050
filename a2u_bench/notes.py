"""What makes intervals and ratios of runs less sure than a reader would think: a sentence for each cause."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench.frames import to_values
from a2u_bench.judge import Rows, numbers
from a2u_bench.plain import some

if TYPE_CHECKING:
    from a2u_bench.reading import Reading

CLOSE = 1e-9
"""Two latencies that differ by less than this share are one, written by two programs."""

APART = "of two latencies that were not timed in the same rounds (Welch's t), which is less sure"


def of_doubled(frame: pd.DataFrame, doubled: NDArray[np.bool_]) -> list[str]:
    """On cases that stand more than once in their run: whose row their samples are is not known."""
    if not doubled.any():
        return []
    count = frame["case"][doubled].nunique()
    return [
        f"{count} case{' stands' if count == 1 else 's stand'} in several rows of one run: {_names(frame, doubled)}; "
        "each row is judged by its own interval, since the samples may be of any; of two runs the first rows of a case "
        "are compared, then the second ones"
    ]


def contradicted(stored: pd.DataFrame, reading: Reading) -> list[str]:
    """On rows whose latency is not what their samples say: one of the two was changed."""
    timed = reading.timings.get("latency")
    if timed is None:
        return []
    given, said = numbers(stored, "latency"), numbers(reading.frame, "latency")
    known = (reading.place >= 0) & ~np.isnan(given)
    earlier = timed.pooled(reading.place)  # which is what earlier programs wrote
    wrong = known & ~np.isclose(given, said, CLOSE, 0) & ~np.isclose(given, earlier, CLOSE, 0)
    if not wrong.any():
        return []
    count = int(wrong.sum())
    return [
        f"{count} row{' has a latency' if count == 1 else 's have latencies'} that the samples contradict: "
        f"{_names(stored, wrong)}; what is shown is what the samples say"
    ]


def without_samples(reading: Reading) -> list[str]:
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


def of_ratios(
    reading: Reading, base: Rows, operators: Mapping[str, str], named: Collection[str], chosen: NDArray[np.bool_]
) -> list[str]:
    """To what the ratios of each run are, how they were taken, and where there are none.

    `operators`: what each run is read against; `named`: the runs that say so themselves, and where a person does all
    of them; `chosen`: the rows of that operator.
    """
    said = []
    for label, here in _runs(reading, reading.frame["latency"].notna().to_numpy()):
        operator = operators.get(label, "")
        ends = dict.fromkeys(to_values(reading.frame["status"][chosen & (reading.label == label)]))
        sick = [str(end) for end in ends if end != "ok"]
        why = f"ended {' and '.join(sick)}" if sick else "was not timed"
        whose = "" if label in named else ", since the run names no reference"
        lacking, loose = here & (base < 0), _unpaired(reading, here, base)
        if (lacking == here).all():
            said.append((label, f"no ratio: {operator} {why}{whose}; --baseline OP chooses another operator"))
            continue
        how = f"; of {_share(loose, here)} it is {APART}" if loose.any() else ", timed in the same rounds"
        none = f"; none for {_share(lacking, here)}, where that {why}" if lacking.any() else ""
        said.append((label, f"ratio: to {operator}{whose}{how}{none}"))
    return _of_runs(reading, said)


def _unpaired(reading: Reading, rows: NDArray[np.bool_], base: Rows) -> NDArray[np.bool_]:
    """Which of these rows were not paired with their base, round by round or by way of the reference."""
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

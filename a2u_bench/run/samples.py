"""What was timed of one case, and what that makes of its row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from a2u_bench import stats
from a2u_bench.measure.clock import launch_bound
from a2u_bench.stats import Estimate
from a2u_bench.store.read import each_sample

if TYPE_CHECKING:
    from a2u_bench.store.write import Store

KINDS = ("latency", "latency_device", "latency_cold")
"""What a round may have of each case, by the names of columns and of samples."""

Rounds = dict[int, dict[int, float]]
"""Process -> round -> seconds."""


@dataclass
class Taken:
    """The samples of one case: warm ones, of an accelerator its own time, warm and on a flushed cache, and notes."""

    warm: Rounds = field(default_factory=dict)
    device: Rounds = field(default_factory=dict)
    cold: Rounds = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)  # each once, in order

    def add(self, sample: Mapping[str, Any]) -> None:
        """A stored sample: one round of one process."""
        for name, rounds in zip(KINDS, (self.warm, self.device, self.cold), strict=True):
            if times := sample.get(name):
                rounds.setdefault(sample["process"], {})[sample["round"]] = math.fsum(times) / len(times)

    def half_width(self, reference: Taken | None) -> float:
        """Half the interval of the ratio to the reference, or of the latency without one, as a share."""
        beside = None if reference is None or reference is self else stats.ratio(self.warm, reference.warm)
        return float((stats.latency(self.warm) if beside is None else beside).half_width)

    def columns(self) -> dict[str, Any]:
        """The columns of a row that are made of samples."""
        warm = stats.latency(self.warm)
        device = stats.latency(self.device) if self.device else None
        waits = launch_bound(float(warm.value), float(device.value)) if device is not None else ""
        return {
            **_interval("latency", warm),
            **(_interval("latency_device", device) if device is not None else {}),
            **(_interval("latency_cold", stats.latency(self.cold)) if self.cold else {}),
            "latency_best": min(min(rounds.values()) for rounds in self.warm.values()),
            "samples": sum(len(rounds) for rounds in self.warm.values()),
            "processes": len(self.warm),
            "note": "; ".join(self.notes | (dict.fromkeys([waits]) if waits else {})) or None,
        }


def sample(case: str, process: int, index: int, *times: Sequence[float]) -> dict[str, Any]:
    """One round of one process as it is stored; seconds of each of the `KINDS`, of which only the first is always
    there."""
    line = {"case": case, "process": process, "round": index}
    return line | {name: list(some) for name, some in zip(KINDS, times, strict=False) if some or name == KINDS[0]}


def renew_references(store: Store) -> None:
    """Store each row of the reference anew that has more samples since: those that were timed beside other cases."""
    text = store.manifest.get("reference")
    rows = {(row["case"], row["origin"]): row for row in store.rows if row["options"] == text and row["status"] == "ok"}
    taken = {key: Taken(notes=dict.fromkeys(_lasting(row["note"]))) for key, row in rows.items()}
    for line in each_sample(store.folder, []) if rows else ():
        if (key := (line["case"], line.get("origin"))) in taken:
            taken[key].add(line)
    for key, row in rows.items():
        if len(taken[key].warm) > (row["processes"] or 0):
            store.append_row({**row, **taken[key].columns()})


def _lasting(note: str | None) -> list[str]:
    """The parts of a note that are not made of samples."""
    return [part for part in (note or "").split("; ") if part and not part.startswith("launch-bound")]


def _interval(name: str, estimate: Estimate) -> dict[str, float | None]:
    """An estimate and the ends of its interval, which are unknown where one process was timed."""
    low, high = (float(end) for end in estimate.interval())
    known = math.isfinite(high)
    return {name: float(estimate.value), f"{name}_low": low if known else None, f"{name}_high": high if known else None}

"""The notes that stand under an exported table: the hardware, what was counted and how, n, and the commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from a2u_bench import units
from a2u_bench.judge.reading import Reading
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import run_labels

PROGRAM = "a2u-bench"
COUNTED = {
    "mac": "multiply-adds (MACs) by the operator's formula, without bias, norm, softmax and pooling",
    "flop": "FLOPs, two for each multiply-add of the operator's formula, without bias, norm, softmax and pooling",
}


def notes(
    reading: Reading, frame: pd.DataFrame, shown: Sequence[str], convention: str, arguments: Sequence[str]
) -> tuple[str, ...]:
    """Sentences for a table of these rows; `arguments` is the command line that made it, without the program.

    `shown` are the names of its headings: what is not in the table is not explained.
    """
    runs = reading.runs
    on_gpu = bool(frame["device"].str.startswith("cuda").fillna(False).any())
    said = []
    for label, run in zip(run_labels(runs), runs, strict=True):
        said.append(f"run: {label}; {hardware(run.manifest, on_gpu)}")
        said += [f"reading {label}: {problem}" for problem in run.problems]
    if any(name.startswith("macs") for name in shown):
        said.append(f"work: {COUNTED[convention]}")
    if any(name.startswith("latency") for name in shown) and frame["latency"].notna().any():
        said.append(_latency(frame, reading))
    said += dict.fromkeys(f"measured by: {text}" for run in runs if (text := _run_command(run.manifest)))
    said.append(f"this table: {shlex.join([PROGRAM, *arguments])}")
    return tuple(plain(text) for text in said)


def hardware(manifest: Mapping[str, Any], on_gpu: bool) -> str:
    """The machine of a run in a line: what computed, with which software, when."""
    machine = _mapping(manifest.get("machine"))
    torch, packages = _mapping(machine.get("torch")), _mapping(machine.get("packages"))
    cores = machine.get("usable_cores")
    parts = [
        torch.get("gpu") if on_gpu else None,
        machine.get("cpu"),
        f"{cores} core{'' if cores == 1 else 's'}" if cores else None,
        f"torch {torch.get('version') or packages.get('torch')}"
        if torch.get("version") or packages.get("torch")
        else None,
        f"CUDA {torch['cuda']}" if on_gpu and torch.get("cuda") else None,
        machine.get("system"),
        str(manifest.get("created") or "")[:10],
    ]
    return ", ".join(str(part) for part in parts if part) or "machine unknown"


def _latency(frame: pd.DataFrame, reading: Reading) -> str:
    """How the latencies of these rows and their intervals were made."""
    known = frame[frame["latency"].notna()]
    counts = [f"{_range(known[name])} {name}" for name in ("processes", "samples") if known[name].notna().any()]
    text = f"latency: geometric mean of the medians of processes{f', n = {counts[0]}' if counts else ''}"
    text += f" of {counts[1]} in all" if len(counts) > 1 else ""
    if known["latency_low"].notna().any():
        text += "; ± is half the 95 % interval" + (
            ", Student's t over processes" if reading.timings else " of the rows"
        )
    return text


def _range(values: pd.Series) -> str:
    known = values.dropna()
    if known.empty:
        return "unknown"
    least, most = int(known.min()), int(known.max())
    return units.whole(least) if least == most else f"{units.whole(least)} to {units.whole(most)}"


def _run_command(manifest: Mapping[str, Any]) -> str:
    """The command line of the run as a person would type it, "" where it is unknown."""
    command = _mapping(manifest.get("machine")).get("command")
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        return ""
    first = Path(command[0]).name
    return shlex.join([PROGRAM if first in ("__main__.py", PROGRAM) else first, *command[1:]])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

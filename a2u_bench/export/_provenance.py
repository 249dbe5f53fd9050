"""Where the numbers of an exported table come from: one sentence for under it, and every fact for a comment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from a2u_bench import units
from a2u_bench.columns import RATIO
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.seeds import over_seeds
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import SEEDS, is_trained, run_labels
from a2u_bench.tables.summary import of_ranges

PROGRAM = "a2u-bench"
COUNTED = {
    "mac": "multiply-adds (MACs) {}",
    "flop": "FLOPs, two for each multiply-add {}",
}
FORMULA = "by the operator's formula, without bias, norm, softmax and pooling"
NETWORK = "of the whole network, as torch counts them"
"""Who counted the work: an operator's own formula, or torch's counter where it is in a network."""

_ADVICE = re.compile(rf"; ({PROGRAM} doctor says what to do|more: compare --notes full|--baseline OP .*)")
_RUN = re.compile(r"^run: ([^;]*); ")
_FLAG = re.compile(r"(?<!\S|-)\(?(compare )?--[a-z]")

WAYS = {
    "conv": "conv is a strided convolution",
    "s2d": "S2D is space to depth",
    "pool": "pool is max pooling",
    "twin": "twin is the downsampling that the operator itself defines",
}
"""The ways down of pairs."""

BOLD = "bold: the best, and the next ones before the first that is significantly worse"


def facts(reading: Reading, frame: pd.DataFrame, shown: Sequence[str], convention: str) -> tuple[str, ...]:
    """What was measured, and how, of a table of these rows.

    `shown` are the names of its headings: what is not in the table is not explained.
    """
    runs = reading.runs
    on_gpu = bool(frame["device"].str.startswith("cuda").fillna(False).any())
    said = []
    for label, run in zip(run_labels(runs), runs, strict=True):
        said.append(f"run: {label}; {hardware(run.manifest, on_gpu)}")
        said += [f"reading {label}: {problem}" for problem in run.problems]
    if any(name.startswith("macs") for name in shown):
        said.append(f"work: {_counted(frame, convention)}")
    if any(name.startswith("latency") for name in shown) and frame["latency"].notna().any():
        said.append(_latency(frame, reading))
    return tuple(map(plain, [*said, *_scores(frame[is_trained(frame)], shown)]))


def commands(reading: Reading, arguments: Sequence[str]) -> tuple[str, ...]:
    """The commands of the runs, and that of the table: `arguments` is its command line without the program."""
    said = dict.fromkeys(f"measured by: {text}" for run in reading.runs if (text := _run_command(run.manifest)))
    return tuple(map(plain, (*said, f"this table: {shlex.join([PROGRAM, *arguments])}")))


def printed(note: str, names: Collection[str] = ()) -> str:
    """A note as a reader of a paper wants it: a sentence without advice on measuring; "" of what is a command. `names`
    are those of runs and operators, which keep their small letters."""
    text = _RUN.sub(r"\1 was measured on ", _ADVICE.sub("", note)).removesuffix(".")
    if not text or PROGRAM in text or _FLAG.search(text):
        return ""
    is_name = any(text.startswith((f"{name} ", f"{name}:")) for name in names)
    return f"{text[0] if is_name else text[0].upper()}{text[1:]}."


def sentence(reading: Reading, frame: pd.DataFrame, shown: Sequence[str], convention: str, reference: str) -> str:
    """All that a reader of a paper must know of a table of these rows, in one sentence; "" of nothing that was timed.

    `shown` as in `notes`; `reference`: what the ratios are to, as the table names it.
    """
    parts = []
    known = frame[frame["latency"].notna()]
    if any(name.startswith("latency") for name in shown) and len(known):
        half = f", {_half(known)}," if known["latency_low"].notna().any() else ""
        count = f" of {_range(known['processes'])} processes" if known["processes"].notna().any() else ""
        parts.append(f"latency is the geometric mean{count}{half} on {_machines(reading, frame)}")
    if RATIO in shown and known[RATIO].notna().any() and reference:
        parts.append(f"ratio is to {reference}, timed beside it")
    if any(name.startswith("macs") for name in shown):
        parts.append(f"{units.CONVENTIONS[convention][0]} are {_counted(frame, convention, short=True)}")
    text = "; ".join([*parts, *_scores(frame[is_trained(frame)], shown)])
    return plain(f"{text[:1].upper()}{text[1:]}.") if text else ""


def _scores(trained: pd.DataFrame, shown: Sequence[str]) -> list[str]:
    """Over what the scores of trainings are means, and what their pairs are."""
    counts = over_seeds(trained)[SEEDS] if "pair" in shown else pd.Series(dtype="Int64")
    if not (counts > 0).any():
        return []
    restored = trained["gain"].notna().any()
    what = ("fold" if restored else "seed") + "s" * (int(counts.max()) > 1)
    half = ", ± half their 95 % interval" if counts.max() > 1 else ""
    told = [f"scores are means of {_range(counts[counts > 0])} {what}{half}"]
    if restored and "share" in shown:
        told.append("share is how far the error is on the way from bilinear's to the ceiling's")
    downs = {str(pair).partition("/")[0] for pair in trained["pair"].dropna() if "/" in str(pair)}
    ways = [words for down, words in WAYS.items() if down in downs]
    return [*told, *([f"pairs are how the network goes down / up: {', '.join(ways)}"] if ways else [])]


def _machines(reading: Reading, frame: pd.DataFrame) -> str:
    """What computed, and with which torch; of several runs each machine once."""
    on_gpu = bool(frame["device"].str.startswith("cuda").fillna(False).any())
    return " and ".join(dict.fromkeys(_computed(run.manifest, on_gpu) for run in reading.runs))


def _computed(manifest: Mapping[str, Any], on_gpu: bool) -> str:
    machine = _mapping(manifest.get("machine"))
    torch, packages = _mapping(machine.get("torch")), _mapping(machine.get("packages"))
    version = torch.get("version") or packages.get("torch")
    processor = (torch.get("gpu") if on_gpu else None) or machine.get("cpu") or "an unknown machine"
    return f"{processor}{f' (torch {version})' if version else ''}"


def _counted(frame: pd.DataFrame, convention: str, short: bool = False) -> str:
    """What the work of these rows is, and who counted it."""
    in_networks = frame["network"].notna() if "network" in frame else pd.Series([], dtype=bool)
    whose = [words for words, some in ((NETWORK, in_networks.any()), (FORMULA, not in_networks.all())) if some]
    if short:
        return " and ".join(words.partition(", without")[0] for words in whose)
    return COUNTED[convention].format(" and ".join(whose))


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
        text += f"; {_half(known, 'the', ' is')}" + (
            ", Student's t over processes" if reading.timings else " of the rows"
        )
    return text


def _half(frame: pd.DataFrame, whose: str = "its", verb: str = "") -> str:
    """What ± is, and a range where there is one."""
    return f"±{verb} half {whose} 95 % interval{' (a range: all of it)' * bool(of_ranges(frame))}"


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
    words = map(without_folders, command[1:])
    return shlex.join([PROGRAM if first in ("__main__.py", PROGRAM) else first, *words])


def without_folders(word: str) -> str:
    """A word of a command, of a path its last part: where somebody's files lie is nobody's business."""
    flag, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    is_path = value.startswith(("/", "~", "./", "../")) or "\\" in value or value.count("/") > 0
    return f"{flag}{equals}{PurePath(value.replace(chr(92), '/')).name or value}" if is_path else word


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

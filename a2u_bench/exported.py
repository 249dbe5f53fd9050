"""What `check --exports` stored: which operators become ONNX models; read, and joined to the rows of runs.

It is a fact of an operator on a version of torch and not of a time. So one file serves every run beside it that has
this torch, and of a run with another torch it says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2u_bench.lines import LONGEST
from a2u_bench.machines import machines
from a2u_bench.runs import Run

if TYPE_CHECKING:
    import pandas as pd

FILE = "exports.json"
FORMAT, VERSION = "a2u-bench exports", 1
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Answer:
    """Whether an operator with its options becomes an ONNX model at this scale: "yes", "no", None where it is unknown.

    `why` says what stands against it.
    """

    options: str
    scale: int
    onnx: str | None
    why: str = ""


@dataclass(frozen=True)
class Exports:
    """The answers of one version of torch."""

    torch: str
    answers: tuple[Answer, ...]

    def to_json(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Plain data, with `more` facts, such as the other versions."""
        head = {"format": FORMAT, "version": VERSION, "torch": self.torch}
        return {**head, **more, "operators": [asdict(answer) for answer in self.answers]}

    def with_those_of(self, other: Exports) -> Exports:
        """These answers, and before them what only the other ones say, where both are of one torch."""
        if self.torch != other.torch:
            return self
        mine = {(answer.options, answer.scale) for answer in self.answers}
        kept = tuple(answer for answer in other.answers if (answer.options, answer.scale) not in mine)
        return Exports(self.torch, (*kept, *self.answers))


def read(path: Path) -> Exports:
    """The answers in a file. ValueError, in a few words, where it holds none."""
    try:
        if path.stat().st_size > LONGEST:
            raise ValueError(f"larger than {LONGEST} bytes")
        content = json.loads(path.read_bytes())
    except (OSError, RecursionError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("cannot be read") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("torch"), str):
        raise ValueError("is no answer of check --exports")
    if content.get("version") != VERSION:
        raise ValueError(f"is of version {content.get('version')!r:.20}, this program reads {VERSION}")
    found = content.get("operators")
    return Exports(content["torch"], tuple(_answers(found if isinstance(found, list) else [])))


def of_run(run: Run) -> tuple[Exports | None, tuple[str, ...]]:
    """The answers that hold for a run, from the file in its folder or else beside it; what was left out, and why."""
    versions = {_torch(machine) for machine in machines(run.manifest)}
    problems = []
    for path in (run.path / FILE, run.path.resolve().parent / FILE):
        if not path.is_file():
            continue
        try:
            found = read(path)
        except ValueError as error:
            problems.append(f"{path}: {error}; left out")
            continue
        if versions == {found.torch}:
            return found, tuple(problems)
        had = " and ".join(sorted(version or "an unknown torch" for version in versions))
        problems.append(f"{path}: of torch {found.torch}, the run is of {had}; left out")
    return None, tuple(problems)


def join(frame: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The rows of a run with `onnx` filled, where it is unknown, from the answers that hold for it.

    An answer is of an operator alone: rows of networks and of trainings stay as they are.
    """
    found, _ = of_run(run)
    if found is None:
        return frame
    alone = frame["network"].isna() & frame["task"].isna()
    for scale in {answer.scale for answer in found.answers}:
        told = {answer.options: answer.onnx for answer in found.answers if answer.scale == scale and answer.onnx}
        here = alone & (frame["scale"] == scale).fillna(False).astype(bool)
        filled = frame["onnx"].fillna(frame["options"].map(told).astype(frame["onnx"].dtype))
        frame = frame.assign(onnx=filled.where(here, frame["onnx"]))
    return frame


def _answers(found: Iterable[Any]) -> Iterable[Answer]:
    for one in found:
        if isinstance(one, dict) and isinstance(one.get("options"), str) and type(one.get("scale")) is int:
            onnx, why = one.get("onnx"), one.get("why")
            known = onnx if onnx in (YES, NO) else None
            yield Answer(one["options"], one["scale"], known, why if isinstance(why, str) else "")


def _torch(machine: Any) -> str:
    """The version of torch on a machine as its record has it, "" where it is unknown."""
    for part, name in (("torch", "version"), ("packages", "torch")):
        inner = machine.get(part) if isinstance(machine, Mapping) else None
        if isinstance(inner, Mapping) and isinstance(inner.get(name), str):
            return str(inner[name])
    return ""

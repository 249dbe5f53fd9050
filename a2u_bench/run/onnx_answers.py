"""Asks of each operator whether it becomes an ONNX model: in a process of its own, so that a crash is an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.operators import strings
from a2u_bench.operators.engine_limits import EXPORTER, missing
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.processes import Workers

PACKAGES = (*EXPORTER, "onnxruntime")

SHAPE = (1, 64, 9, 9)
"""B, C, H, W of z: whether an operator exports does not depend on how large a map is."""

TIMEOUT = 300.0
SEED = 0


@dataclass(frozen=True)
class Answer:
    """Whether an operator with its options becomes an ONNX model at this scale: "yes", "no", None where it is unknown.

    `why` says what stands against it.
    """

    options: str
    scale: int
    onnx: str | None
    why: str = ""


def must_be_installed() -> None:
    """BenchError, with what to install, where a package is missing that an export needs."""
    if lacking := missing("onnxruntime"):
        raise BenchError(f"exports need {lacking}")


def is_asked(case: Case) -> bool:
    """Whether `run --onnx` asks it of such a case: of an operator alone, at its defaults, as it is exported.

    An export takes seconds, a variant's answer is seldom another, and `check --exports` asks it of every variant.
    """
    plain = (case.dtype, case.mode, case.runtime, case.device) == ("float32", "inference", "eager", "cpu")
    return plain and case.network is None and case.options == case.operator


def cases(texts: str | Iterable[str], scales: Iterable[int] = (2,)) -> list[Case]:
    """One case for each operator string and scale; `all` is every declared variant. UsageError for anything else."""
    wanted: dict[str, operators.Operator] = {}
    for text in strings.split(texts):
        meant = operators.every_variant() if text == "all" else [operators.operator(text)]
        wanted |= {one.text: one for one in meant}
    if not wanted:
        raise UsageError(f"no operator given. Allowed: all, {', '.join(operators.names())}")
    found = [Case(one.name, one.variant, one.text, *SHAPE, scale=scale) for one in wanted.values() for scale in scales]
    return list(dict.fromkeys(found))


def answers(asked: Iterable[Case], workers: Workers) -> Iterator[Answer]:
    """An answer for each case, in order. What hangs, runs out of memory or cannot take the scale stays unknown."""
    waiting = deque(asked)
    while waiting:
        with workers.start("cpu", 1, SEED, TIMEOUT) as worker:
            while waiting:
                case = waiting.popleft()
                if reason := operators.why_not(case):
                    yield Answer(case.options, case.scale, None, reason)
                    continue
                try:
                    worker.ask("build", case)
                    why = str(worker.ask("onnx", case) or "")
                    worker.ask("drop", case)
                except CaseEnded as end:
                    yield Answer(case.options, case.scale, "no" if end.status == "failed" else None, end.reason)
                    if end.lost:
                        break
                else:
                    yield Answer(case.options, case.scale, "no" if why else "yes", why)

"""The side of the measuring process: it answers one step for one case at a time, and decides nothing.

What operators print goes to a log; the answers go through a pipe of their own.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from a2u_bench.spec import Case

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from a2u_bench.measure.clock import Timer
    from a2u_bench.measure.inputs import Cache, Prepared
    from a2u_bench.measure.latency import Calls

STEPS = {
    "facts": "looking around",
    "build": "building",
    "check": "checking",
    "measure": "measuring memory and work",
    "warm_up": "warming up",
    "time": "timing",
    "drop": "clearing away",
}
"""Every step, and the words for it."""


def serve(connection: Connection, log: str, device: str, threads: int, seed: int) -> None:
    """Answer requests until the other side is gone. An answer is (status, result or reason)."""
    _stand_alone(log)
    try:
        bench = Bench(device, threads, seed)
    except Exception as error:  # said to the parent, whatever it is
        connection.send(("failed", _reason(error)))
        os._exit(1)
    connection.send(("ok", ""))
    while True:
        try:
            step, *arguments = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # threads that an operator left behind do not keep us
        connection.send(bench.answer(step, arguments))


@dataclass
class Bench:
    """The cases that this process has built, and the means to measure them."""

    device: str
    threads: int
    seed: int
    built: dict[str, Prepared] = field(default_factory=dict)
    cache: Cache = field(default_factory=dict)

    def __post_init__(self) -> None:
        import torch

        # Before the first operation: threads of the pool inherit the flag when they start.
        torch.set_flush_denormal(True)
        torch.set_num_threads(self.threads)

    def answer(self, step: str, arguments: list[Any]) -> tuple[str, Any]:
        """Do a step; a failure is a status with its reason."""
        from a2u_bench.build import Impossible
        from a2u_bench.check import Incorrect

        try:
            return "ok", getattr(self, step)(*arguments)
        except Impossible as error:
            return "skipped", str(error)
        except Incorrect as error:
            return "incorrect", str(error)
        except BaseException as error:  # an operator may raise anything, SystemExit too
            return _status(error), _reason(error)

    def facts(self) -> dict[str, Any]:
        """What torch says of itself."""
        from a2u_bench.machine import torch_facts

        return torch_facts()

    def build(self, case: Case) -> None:
        """Make the module and its inputs."""
        from a2u_bench.measure.inputs import prepare

        self.built[case.id] = prepare(case, self.seed, self.cache)

    def check(self, case: Case) -> None:
        """Compare with the definition."""
        import torch

        from a2u_bench.check import check

        with torch.set_grad_enabled(case.mode == "training"):
            check(self.built[case.id])

    def measure(self, case: Case) -> dict[str, int | None]:
        """Parameters, multiply-adds and memory, under the names of their columns."""
        import torch

        from a2u_bench.measure import memory, work

        prepared = self.built[case.id]
        training = case.mode == "training"
        found: dict[str, int | None] = {
            "params": work.params(prepared.module),
            "macs": work.macs(prepared.module, case),
            "macs_fvcore": work.macs_fvcore(prepared.module, prepared.inputs).macs,
        }
        with torch.set_grad_enabled(training):
            found["peak_memory"] = memory.peak_memory(prepared.call, case.device)
        if training:
            forward = prepared.runner
            found["saved_memory"] = memory.saved_memory(lambda: forward(prepared.z, prepared.guide), prepared.own)
        return found

    def warm_up(self, case: Case, seconds: float) -> Calls:
        """Call until warm; the calls that make one sample."""
        import torch

        from a2u_bench.measure import latency

        with torch.set_grad_enabled(case.mode == "training"):
            return latency.warm_up(self.built[case.id].call, self._timer(), seconds)

    def time(self, case: Case, calls: Calls) -> list[float]:
        """One sample, in seconds."""
        import torch

        from a2u_bench.measure import latency

        with torch.set_grad_enabled(case.mode == "training"):
            return [latency.sample(self.built[case.id].call, self._timer(), calls)]

    def drop(self, case: Case) -> None:
        """Forget a case and all inputs."""
        self.built.pop(case.id, None)
        self.cache.clear()

    def _timer(self) -> Timer:
        from a2u_bench.measure.clock import timer_for

        if not hasattr(self, "_made"):
            self._made = timer_for(self.device)
        return self._made


def _stand_alone(log: str) -> None:
    """A group of our own, deaf to Ctrl-C (the parent decides), silent, and gone when our parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        with suppress(PermissionError):
            os.setsid()
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def _status(error: BaseException) -> str:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "oom"
    words = str(error)
    if isinstance(error, RuntimeError) and ("can't allocate memory" in words or "out of memory" in words):
        return "oom"
    if isinstance(error, NotImplementedError | RuntimeError) and "not implemented for '" in words:
        return "skipped"  # a dtype that this device has no kernel for
    return "failed"


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]

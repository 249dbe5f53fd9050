"""The side of the measuring process: it answers one step for one case at a time, and decides nothing.

What operators print goes to a log; the answers go through a pipe of their own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from a2u_bench.measure.steps import Steps

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

STEPS = {
    "facts": "looking around",
    "ceilings": "measuring what this machine can do",
    "predict": "predicting its memory",
    "build": "building",
    "compile": "compiling",
    "check": "checking",
    "measure": "measuring memory and work",
    "export": "exporting to ONNX",
    "onnx": "exporting to ONNX",
    "warm_up": "warming up",
    "time": "timing",
    "round": "timing",
    "time_cold": "timing on a flushed cache",
    "time_device": "timing the device alone",
    "notes": "looking at what may have disturbed it",
    "drop": "clearing away",
}
"""Every step, and the words for it."""


def serve(connection: Connection, log: str, place: Any, device: str, threads: int, seed: int) -> None:
    """Answer requests until the other side is gone. An answer is (status, result or reason).

    `place.value` tells the other side at any time which case of a round is being timed.
    """
    _stand_alone(log)
    try:
        steps = Steps(device, threads, seed, place)
    except Exception as error:  # said to the parent, whatever it is
        connection.send(("failed", _reason(error)))
        os._exit(1)
    connection.send(("ok", ""))
    while True:
        try:
            step, *arguments = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # threads that an operator left behind do not keep us
        connection.send(answer(steps, step, arguments))


def answer(steps: Steps, step: str, arguments: list[Any]) -> tuple[str, Any]:
    """Do a step; a failure is a status with its reason."""
    from a2u_bench.measure.check import Incorrect
    from a2u_bench.measure.onnx import NotRun
    from a2u_bench.measure.predict import OutOfMemory
    from a2u_bench.operators import Impossible

    try:
        return "ok", getattr(steps, step)(*arguments)
    except Impossible as error:
        return "skipped", str(error)
    except Incorrect as error:
        return "incorrect", str(error)
    except OutOfMemory as error:
        return "oom", str(error)
    except NotRun as error:
        return "failed", str(error)
    except BaseException as error:  # an operator may raise anything, SystemExit too
        return _status(error), _reason(error)


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
    if "fork" in multiprocessing.get_all_start_methods():
        # Locks that a library makes as it loads then have no name that would be left behind when we are killed.
        multiprocessing.set_start_method("fork", force=True)
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

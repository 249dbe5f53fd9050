"""What NVML, the library that comes with NVIDIA's driver, says of one GPU: None where it, or the GPU, does not say.

It is asked directly: it needs no package, makes no context on the GPU and so takes none of its memory.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
from ctypes import byref, c_char_p, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass
from typing import Any

SM, MEMORY = 1, 2  # clocks, as nvml.h numbers them
MOST_PROCESSES = 256
REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")  # newer, older


class _Memory(ctypes.Structure):
    _fields_ = [("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong)]


class _Process(ctypes.Structure):
    _fields_ = [("pid", c_uint), ("memory", c_ulonglong), ("gpu_instance", c_uint), ("compute_instance", c_uint)]


def library() -> Any:
    """NVML, initialised; None without a driver."""
    try:
        found = ctypes.CDLL("libnvidia-ml.so.1")
        return found if found.nvmlInit_v2() == 0 else None
    except (OSError, AttributeError):
        return None


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a slice of one, whose `parent` then answers what it cannot."""

    library: Any
    handle: Any
    parent: Any = None

    def clock_reasons(self) -> int:
        """Why the clock is lower than it could be, as NVML's bits; 0 where it cannot say."""
        return next((bits for name in REASONS if (bits := self._number(name, kind=c_ulonglong)) is not None), 0)

    def free_memory(self) -> int | None:
        """Bytes that nobody uses."""
        found = _Memory()
        return int(found.free) if self._ask("nvmlDeviceGetMemoryInfo", byref(found)) else None

    def facts(self) -> dict[str, Any]:
        """What moves a latency, in watts, hertz and °C; what changes from run to run has names that begin with now."""
        pending = byref(c_uint())
        watts = self._number("nvmlDeviceGetPowerManagementLimit")
        clocks = {
            f"{when}clock_{name}": mega and mega * 1_000_000
            for when, verb in (("max_", "nvmlDeviceGetMaxClockInfo"), ("now_", "nvmlDeviceGetClockInfo"))
            for name, kind in (("sm", SM), ("memory", MEMORY))
            for mega in (self._number(verb, c_uint(kind)),)
        }
        return {
            "power_limit": watts and watts / 1000,
            "ecc": self._switch("nvmlDeviceGetEccMode", pending),
            "mig": self._switch("nvmlDeviceGetMigMode", pending),
            "persistence": self._switch("nvmlDeviceGetPersistenceMode"),
            **clocks,
            "now_temperature": self._number("nvmlDeviceGetTemperature", c_uint(0)),
            "now_processes": self._processes(),
        }

    def driver(self) -> str | None:
        """The driver's version."""
        text = ctypes.create_string_buffer(96)
        done = self._call("nvmlSystemGetDriverVersion", text, c_uint(len(text)))
        return text.value.decode(errors="replace") if done else None

    def _processes(self) -> int | None:
        """How many programs compute on it besides this process and those that it comes from."""
        count, found = c_uint(MOST_PROCESSES), (_Process * MOST_PROCESSES)()
        if not self._ask("nvmlDeviceGetComputeRunningProcesses_v3", byref(count), found):
            return None
        begun_by = multiprocessing.parent_process()
        ours = {os.getpid(), os.getppid(), begun_by and begun_by.pid}
        return sum(one.pid not in ours for one in found[: count.value])

    def _switch(self, name: str, *more: Any) -> bool | None:
        state = c_uint()
        return bool(state.value) if self._ask(name, byref(state), *more) else None

    def _number(self, name: str, *before: Any, kind: Any = c_uint) -> int | None:
        found = kind()
        return int(found.value) if self._ask(name, *before, byref(found)) else None

    def _ask(self, name: str, *arguments: Any) -> bool:
        """Whether it, or what it is a slice of, has answered; the answer is in the arguments."""
        return any(self._call(name, one, *arguments) for one in (self.handle, self.parent) if one is not None)

    def _call(self, name: str, *arguments: Any) -> bool:
        function = getattr(self.library, name, None)
        return function is not None and function(*arguments) == 0


def gpu(uuid: str | None, given: Any = None) -> Gpu | None:
    """The GPU that CUDA shows with this UUID, else the first that CUDA_VISIBLE_DEVICES names; None without NVML.

    CUDA's numbers are not NVML's: they leave out what is not visible and may come in another order. `given` is NVML.
    """
    found = library() if given is None else given
    if found is None:
        return None
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    for name in (*((f"GPU-{uuid}", f"MIG-{uuid}") if uuid else ()), first):
        handle, parent = c_void_p(), c_void_p()
        if name.isdigit():
            done = found.nvmlDeviceGetHandleByIndex_v2(c_uint(int(name)), byref(handle)) == 0
        else:
            done = found.nvmlDeviceGetHandleByUUID(c_char_p(name.encode()), byref(handle)) == 0
        if done:
            of_slice = getattr(found, "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", None)
            sliced = of_slice is not None and of_slice(handle, byref(parent)) == 0
            return Gpu(found, handle, parent if sliced else None)
    return None

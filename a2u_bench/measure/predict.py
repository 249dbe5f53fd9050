"""What a case will need, known before it runs: the same call on tensors that have shapes and no memory.

Every storage that an operation returns is followed until nobody holds it. Scratch inside a kernel has no shape to
follow and is not foreseen, so what is predicted is what a case needs at least: one that is said not to fit does not.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.machine.system import cgroup_memory
from a2u_bench.measure.inputs import with_inputs
from a2u_bench.measure.memory import SCALAR, Memory, tensors
from a2u_bench.measure.precision import stored

NEGLIGIBLE = 1 / 1000
"""Share of the available memory: of a case whose inputs and output stay below it, nothing is predicted.

No kernel of an output point is wider than a few hundred taps; loading what predicts takes seconds.
"""


class OutOfMemory(Exception):
    """A case will not fit into memory; the message says what it needs and what there is."""


@dataclass(frozen=True)
class Need:
    """Bytes of inputs and parameters, and of the call beside them."""

    inputs: int
    call: Memory

    @property
    def total(self) -> int:
        """All of it at the highest point."""
        return self.inputs + self.call.peak


class LiveStorages(TorchDispatchMode):
    """Follows the storages that operations return while the mode is on; `peak` is the most bytes alive at once.

    Storages of `own` were there before and are not counted.
    """

    def __init__(self, own: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.level = self.peak = 0
        self._own = {tensor.untyped_storage()._cdata for tensor in own}
        self._alive: dict[int, tuple[Any, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tensors(result):
            self._follow(tensor.untyped_storage())
        return result

    def _follow(self, storage: Any) -> None:
        count, key = storage.nbytes(), storage._cdata
        if count <= SCALAR or key in self._alive or key in self._own:
            return

        def gone(_: Any) -> None:
            self.level -= self._alive.pop(key)[1]

        self._alive[key] = (weakref.ref(storage, gone), count)
        self.level += count
        self.peak = max(self.peak, self.level)


def predict(case: Case, seed: int = 0) -> Need:
    """What a case needs, without allocating any of it. Raises what building or calling it raises."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with torch.device("meta"):
        module = operators.create(case)
    with FakeTensorMode(), torch.set_grad_enabled(case.mode == "training"):
        _place(module, torch.device(case.device), stored(case.dtype))
        prepared = with_inputs(replace(case, runtime="eager"), module, seed, {})
        before = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in prepared.own}
        with LiveStorages(prepared.own) as live:
            result = prepared.call()
        returned = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors(result)}
        output = sum(count for key, count in returned.items() if key not in before)
        return Need(sum(before.values()), Memory(output, live.peak))


def _place(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Give a module tensors like its own on this device, of this dtype where they are floating-point."""
    made: dict[int, Tensor] = {}  # a parameter that two layers share stays one

    def like(tensor: Tensor) -> Tensor:
        if id(tensor) not in made:
            kind = dtype if tensor.is_floating_point() else tensor.dtype
            new = torch.empty(tensor.shape, dtype=kind, device=device)
            made[id(tensor)] = nn.Parameter(new, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else new
        return made[id(tensor)]

    for layer in module.modules():
        for tensors_of in (layer._parameters, layer._buffers):
            for name, tensor in tensors_of.items():
                if tensor is not None:
                    tensors_of[name] = like(tensor)  # type: ignore[assignment]  # parameters stay parameters


def require_memory(case: Case, limit: int | None, predict: Callable[[Case], Need] = predict) -> None:
    """Raise OutOfMemory where a case will certainly need more than is available, or than `limit` bytes.

    An operator that cannot run on tensors without memory is let through: nothing is known of it.
    """
    available = available_memory(case.device) if limit is None else limit
    if operators.is_own_network(case):  # it may do what only numbers allow, and is built in a process of its own
        return
    if available is None or _least(case) < NEGLIGIBLE * available:
        return
    try:
        need = predict(case).total
    except Exception:  # an operator may do what only numbers allow; if it is broken, the check will say so
        return
    if need > available:
        raise OutOfMemory(f"predicted: needs at least {need} bytes; {available} are available")


def available_memory(device: str) -> int | None:
    """Bytes that are free on a device now; on a CPU also within the control group's limit. None where unknown.

    Blocks of a GPU that torch keeps for the next allocation are free: it gives them back before one fails.
    """
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0]) + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    import psutil

    free = int(psutil.virtual_memory().available)
    group = cgroup_memory(Path("/sys/fs/cgroup"))
    return free if group is None else min(free, group)


def _least(case: Case) -> int:
    """Bytes of z and the output."""
    elements = case.batch * case.channels * case.height * case.width
    return elements * (1 + case.scale**2) * stored(case.dtype).itemsize

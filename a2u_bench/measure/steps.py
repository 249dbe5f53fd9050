"""The steps of measuring a case in this process, from building it to forgetting it; who asks decides their order."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from a2u_bench.case import ENGINES, Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from a2u_bench.measure.clock import Timer
    from a2u_bench.measure.first import First
    from a2u_bench.measure.inputs import Cache, Prepared
    from a2u_bench.measure.latency import Calls

COMPILING = -1
"""What `place` says while kernels are being compiled; smaller numbers say how often they were."""


@dataclass
class Steps:
    """The cases that this process has built; each method is a step for one of them, or for the machine."""

    device: str
    threads: int
    seed: int
    place: Any = None
    built: dict[str, Prepared] = field(default_factory=dict)
    cache: Cache = field(default_factory=dict)
    first: dict[str, First] = field(default_factory=dict)
    throttled: int = 0  # reasons that were seen, as NVML's bits
    _compiled: int = 0

    def __post_init__(self) -> None:
        import torch

        from a2u_bench.measure.precision import multiply_in

        # Before the first operation: threads of the pool inherit the flag when they start.
        torch.set_flush_denormal(True)
        torch.set_num_threads(self.threads)
        multiply_in("float32")
        if self.device == "cuda":
            torch.zeros(1, device="cuda").sum().item()  # a GPU that cannot is told from a case that cannot
        # torch.compile would keep a pool of processes, which would run while a case is being timed.
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

    def facts(self) -> dict[str, Any]:
        """What torch says of itself."""
        from a2u_bench.measure.torch_facts import torch_facts

        return torch_facts()

    def ceilings(self, dtypes: Sequence[str]) -> dict[str, Any]:
        """The best rates of this machine with these threads."""
        from a2u_bench.measure.ceilings import ceilings

        return ceilings(self.device, self.threads, dtypes, self._timer())

    def predict(self, case: Case, limit: int | None) -> None:
        """Nothing, or the end of a case that will not fit into memory."""
        from a2u_bench.measure.predict import require_memory

        require_memory(case, limit)

    def build(self, case: Case) -> None:
        """Make the module and its inputs."""
        from a2u_bench.measure.allocator import keep_freed_blocks
        from a2u_bench.measure.inputs import prepare

        if case.allocator == "kept":  # as every case of this process has it
            keep_freed_blocks()

        self.built[case.id] = prepare(case, self.seed, self.cache)

    def compile(self, case: Case) -> float:
        """One call, in which what a case runs is compiled; its seconds, which may be more than those of other steps."""
        import time

        from a2u_bench.measure.precision import as_asked

        begin = time.monotonic()
        with as_asked(case):
            self.built[case.id].call()
        return time.monotonic() - begin

    def export(self, case: Case) -> None:
        """Make the model that a case's engine runs, where nobody has."""
        self.built[case.id].runner.export()  # type: ignore[attr-defined]  # an Engine

    def check(self, case: Case) -> float:
        """Compare with the definition, noting what the first call takes; the seconds in which kernels were compiled."""
        from a2u_bench.measure.check import check
        from a2u_bench.measure.compiling import compiling
        from a2u_bench.measure.first import watch
        from a2u_bench.measure.precision import as_asked

        prepared, results = self.built[case.id], []

        def first() -> Any:
            results.append(prepared.call())
            return results[0]

        def watched() -> Any:
            self.first[case.id] = watch(first, prepared.own, _counted_on(case), results)
            return results.pop() if results else first()

        with as_asked(case), compiling(self._now_compiling) as seconds:
            check(prepared, watched)
        return sum(seconds)

    def measure(self, case: Case, ceilings: dict[str, Any] | None = None) -> dict[str, float | int | str | None]:
        """Parameters, multiply-adds, memory and the floor of a checked, so warm, case by the names of their columns."""
        from a2u_bench import operators
        from a2u_bench.measure import memory, work
        from a2u_bench.measure.first import watch
        from a2u_bench.measure.floor import floor
        from a2u_bench.measure.precision import as_asked

        prepared = self.built[case.id]
        training = case.mode == "training"
        counted = work.macs_torch(prepared.module, prepared.inputs).macs
        own = operators.is_own_network(case)
        macs = counted if own else work.macs(prepared.module, case)
        found: dict[str, float | int | str | None] = {
            "params": work.params(prepared.module),
            "macs": macs,
            "macs_fvcore": work.fvcore_if_traced(prepared.module, prepared.inputs),
            "macs_torch": counted,
        }
        with as_asked(case):
            later = watch(prepared.call, prepared.own, _counted_on(case))
        first = self.first.get(case.id)
        if (taken := later.memory) is not None:
            found |= {"output_memory": taken.output, "peak_memory": taken.peak, "workspace_memory": taken.workspace}
        if first is not None:
            found |= first.columns(later)
        found["process_memory"] = getattr(prepared.runner, "process_memory", None)
        if ceilings is not None and not training:
            found["floor"] = floor(ceilings, prepared.compulsory, macs, case.dtype)
        if training:
            forward = prepared.runner
            found["saved_memory"] = memory.saved_memory(lambda: forward(prepared.z, prepared.guide), prepared.own)
        elif own and case.runtime == "eager":
            from a2u_bench.measure.share import shares

            with as_asked(case):
                found |= shares(prepared)
        return found

    def onnx(self, case: Case) -> str:
        """Why a case's operator is no ONNX model, or ""."""
        from a2u_bench.measure.onnx import why_not

        prepared = self.built[case.id]
        return why_not(prepared.module, prepared.inputs)

    def warm_up(self, case: Case, seconds: float) -> Calls:
        """Call until warm; the calls that make one sample."""
        from a2u_bench.measure import latency
        from a2u_bench.measure.precision import as_asked

        with as_asked(case):
            return latency.warm_up(self.built[case.id].call, self._timer(), seconds)

    def time(self, case: Case, calls: Calls) -> list[float]:
        """One sample, in seconds."""
        from a2u_bench.measure import latency
        from a2u_bench.measure.precision import as_asked

        with as_asked(case):
            return [latency.sample(self.built[case.id].call, self._timer(), calls)]

    def round(self, asked: Sequence[tuple[Case, Calls]]) -> list[list[float]]:
        """One sample of each case, in seconds."""
        found = []
        for place, (case, calls) in enumerate(asked):
            self.place.value = place
            found.append(self.time(case, calls))
        if (gpu := self._gpu()) is not None:
            self.throttled |= gpu.clock_reasons()
        return found

    def time_cold(self, case: Case, calls: Calls) -> list[float]:
        """One sample of the device's own time on a flushed cache, in seconds; none where nothing can flush it."""
        return self._of_the_device("cold", case, calls)

    def time_device(self, case: Case, calls: Calls) -> list[float]:
        """One sample of the device's own time, in seconds; none where the host's time is the device's."""
        return self._of_the_device("busy", case, calls)

    def notes(self, case: Case) -> list[str]:
        """What a reader of this case's times must know: that the clock was throttled."""
        from a2u_bench.measure import throttle

        return [f"clock throttled ({words})" for words in throttle.reasons(self.throttled)]

    def drop(self, case: Case) -> None:
        """Forget a case and all inputs."""
        self.built.pop(case.id, None)
        self.first.pop(case.id, None)
        self.cache.clear()

    def _now_compiling(self, begins: bool) -> None:
        """Tell the other side, which then waits longer."""
        self._compiled += not begins
        if self.place is not None:
            self.place.value = COMPILING if begins else COMPILING - self._compiled

    def _of_the_device(self, kind: str, case: Case, calls: Calls) -> list[float]:
        from a2u_bench.measure.precision import as_asked

        sample = getattr(self._timer(), kind, None)
        if sample is None:
            return []
        with as_asked(case):
            return [sample(self.built[case.id].call, calls.timed)]

    def _timer(self) -> Timer:
        from a2u_bench.measure.clock import timer_for

        if not hasattr(self, "_made"):
            self._made = timer_for(self.device)
        return self._made

    def _gpu(self) -> Any:
        """The GPU as NVML knows it; None without one."""
        if self.device != "cuda":
            return None
        if not hasattr(self, "_found"):
            from a2u_bench.operators.devices import visible_gpu

            self._found = visible_gpu()
        return self._found


def _counted_on(case: Case) -> str:
    """Whose allocations are a case's: torch's on its device, or its engine's, which tells nobody."""
    return case.runtime if case.runtime in ENGINES else case.device

"""What can be wrong with a machine that measures: a rule for each, from its record to a grade, evidence and advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Facts:
    """A record with a few of its values together."""

    machine: Mapping[str, Any]
    asked: Sequence[int]

    def get(self, *names: str) -> Any:
        value: Any = self.machine
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    @property
    def cores(self) -> int:
        return int(self.get("usable_cores") or self.get("logical_cores") or 1)

    @property
    def threads(self) -> int:
        return max(self.asked, default=self.cores)


Found = Iterator[tuple[str, str, str]] | None
"""Grade, evidence and advice of each finding; None where the record does not say."""


def _load(facts: Facts) -> Found:
    load = facts.get("now", "load") or facts.get("load")
    if not isinstance(load, Sequence) or not load:
        return None
    share = float(load[0]) / facts.cores
    grade = "A" if share < 0.1 else "B" if share < 0.3 else "C" if share < 0.7 else "D" if share < 2 else "F"
    evidence = f"load {load[0]:.1f} on {facts.cores} core{'' if facts.cores == 1 else 's'}"
    return iter([(grade, evidence, "end other programs, or measure at another time")])


def _niceness(facts: Facts) -> Found:
    nice, waiting, load = facts.get("now", "nice"), facts.get("now", "waiting"), facts.get("now", "load")
    if nice is None:
        return None
    if nice <= 0:
        return iter(())
    alone = waiting < 0.05 if waiting is not None else bool(load) and load[0] < 0.3 * facts.cores
    grade = "C" if alone else "D" if nice < 5 else "F"  # at 5 another program has three times its share, at 19 seventy
    evidence = f"niceness {nice}: {'another program would go' if alone else 'other programs go'} first"
    return iter([(grade, evidence, "start it without nice")])


def _waiting(facts: Facts) -> Found:
    waiting = facts.get("now", "waiting")
    if waiting is None:
        return None
    grade = "A" if waiting < 0.05 else "B" if waiting < 0.15 else "C" if waiting < 0.4 else "D"
    return iter([(grade, f"programs wait for a core {waiting:.0%} of the time", "end other programs")])


def _steal(facts: Facts) -> Found:
    steal = facts.get("now", "steal")
    if steal is None:
        return None
    grade = "A" if steal < 0.005 else "C" if steal < 0.02 else "D"
    return iter([(grade, f"{steal:.1%} of the time was given to other guests", "take a machine of your own")])


def _quota(facts: Facts) -> Found:
    quota = facts.get("cgroup_quota")
    if quota is None:
        return iter(())
    evidence = f"a quota of {quota:g} cores for {facts.threads} thread{'' if facts.threads == 1 else 's'}"
    grade = "D" if quota < facts.threads else "B"
    return iter([(grade, evidence, f"--threads {max(1, int(quota))}, or a container without a quota")])


def _threads(facts: Facts) -> Found:
    physical = facts.get("cores")
    if facts.threads > facts.cores:
        evidence = f"{facts.threads} threads on {facts.cores} cores"
        return iter([("F", evidence, f"--threads {facts.cores} or fewer")])
    if physical is None:
        return None
    if facts.threads > physical:
        return iter([("B", f"{facts.threads} threads on {physical} physical cores", f"--threads {physical}")])
    return iter(())


def _governor(facts: Facts) -> Found:
    governor = facts.get("governor")
    if governor is None:
        return None
    grade = "A" if governor == "performance" else "C"
    return iter([(grade, f"governor {governor}", "cpupower frequency-set --governor performance")])


def _turbo(facts: Facts) -> Found:
    boost, no_turbo = facts.get("turbo"), facts.get("state", "no_turbo")
    if boost is None and no_turbo is None:
        return None
    on = no_turbo == "0" if no_turbo is not None else boost == "1"
    where = "intel_pstate/no_turbo" if no_turbo is not None else "cpufreq/boost"
    off = "1" if no_turbo is not None else "0"
    advice = f"echo {off} > /sys/devices/system/cpu/{where}, as root"
    return iter([("B", "turbo is on: the clock follows the heat", advice)] if on else [])


def _swap(facts: Facts) -> Found:
    used, available = facts.get("now", "swap_used"), facts.get("now", "memory_available")
    if used is None or available is None:
        return None
    short = available < used
    if used < 1 << 26:
        return iter(())
    return iter([("D" if short else "B", f"{used / 2**20:.0f} MiB are swapped out", "end programs that hold memory")])


def _thermal(facts: Facts) -> Found:
    heat, throttled = facts.get("now", "temperature"), facts.get("now", "core_throttle_count")
    if heat is None and throttled is None:
        return None
    found = []
    if heat is not None and heat >= 80:
        found.append(("D" if heat >= 90 else "C", f"{heat:.0f} °C", "let it cool, see to its air"))
    if throttled:
        found.append(("B", f"cores were throttled {throttled} times since the start", "see to its air"))
    return iter(found)


def _battery(facts: Facts) -> Found:
    on_battery = facts.get("now", "on_battery")
    if on_battery is None:
        return iter(())  # most machines have none
    return iter([("D", "runs on its battery", "plug it in")] if on_battery else [])


def _virtual(facts: Facts) -> Found:
    virtual = facts.get("state", "virtualised")
    if virtual is None:
        return None
    return iter([("C", "a virtual machine: neighbours are unseen", "measure on bare metal")] if virtual else [])


def _allocator(facts: Facts) -> Found:
    allocator = facts.get("state", "allocator")
    changed = [name for name in facts.get("environment") or () if name.startswith(("MALLOC_", "LD_PRELOAD"))]
    if allocator is None:
        return None
    if not changed:
        return iter(())
    return iter([("B", f"{allocator}, changed by {', '.join(changed)}", "say so beside the numbers, or unset them")])


def _denormals(facts: Facts) -> Found:
    flushed = facts.get("torch", "flush_denormals")
    if flushed is None:
        return None
    return iter([] if flushed else [("B", "denormals are not flushed", "update torch: this processor can")])


def _code(facts: Facts) -> Found:
    dirty = facts.get("git_dirty")
    if dirty is None:
        return iter(())  # installed, not checked out
    return iter([("B", "the code differs from its commit", "commit before publishing")] if dirty else [])


def _gpu(facts: Facts) -> Found:
    if not facts.get("torch", "gpu"):
        return iter(())
    found = []
    if facts.get("torch", "tf32_matmul"):
        found.append(("B", "float32 products are made in TF32", "torch.set_float32_matmul_precision('highest')"))
    if facts.get("torch", "gpu_persistence") is False or facts.get("torch", "persistence") == "Disabled":
        found.append(("B", "the GPU's driver sleeps between runs", "nvidia-smi -pm 1, as root"))
    if others := facts.get("torch", "now_processes"):
        found.append(
            ("D", f"{others} program{'s' * (others > 1)} besides on the GPU", "end them; nvidia-smi lists them")
        )
    if facts.get("torch", "gpu_mig"):
        found.append(("C", "a slice of a GPU (MIG): its neighbours share the power and the clock", "take a whole GPU"))
    return iter(found)


RULES: dict[str, Callable[[Facts], Found]] = {
    "load": _load,
    "niceness": _niceness,
    "waiting for a core": _waiting,
    "time taken by other guests": _steal,
    "quota": _quota,
    "threads": _threads,
    "governor": _governor,
    "turbo": _turbo,
    "swap": _swap,
    "heat": _thermal,
    "battery": _battery,
    "virtual machine": _virtual,
    "allocator": _allocator,
    "denormals": _denormals,
    "code": _code,
    "gpu": _gpu,
}
"""What the doctor looks at, in this order."""

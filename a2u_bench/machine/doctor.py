"""The doctor: what in a machine's record makes latencies worth less, how much less, and what helps. Grades A to F.

It reads the record alone, so the grade of a run can be worked out again from its manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

GRADES = "ABCDF"
"""From good to useless; there is no E, lest it be read as an error."""


@dataclass(frozen=True)
class Finding:
    """One thing that moves latencies: what it is, the grade that it alone allows, the evidence, and what helps."""

    name: str
    grade: str
    evidence: str
    advice: str


@dataclass(frozen=True)
class Report:
    """The worst grade of all findings, the findings, and what could not be read."""

    grade: str
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]

    def to_manifest(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "grade": self.grade,
            "findings": [asdict(finding) for finding in self.findings],
            "unknown": list(self.unknown),
        }


RULES = (
    ("load", "load", "load {load:.1f} on {on_cores}", "end other programs, or measure at another time"),
    ("niceness", "nice", "niceness {nice}: {others_go} first", "start it without nice"),
    ("waiting for a core", "waiting", "programs wait for a core {waiting:.0%} of the time", "end other programs"),
    (
        "time taken by other guests",
        "steal",
        "{steal:.1%} of the time was given to other guests",
        "take a machine of your own",
    ),
    (
        "quota",
        "quota",
        "a quota of {quota:g} cores for {for_threads}",
        "--threads {whole}, or a container without a quota",
    ),
    ("threads", "crowd", "{threads} threads on {cores} cores", "--threads {cores} or fewer"),
    ("threads", "physical", "{threads} threads on {physical} physical cores", "--threads {physical}"),
    ("governor", "governor", "governor {governor}", "cpupower frequency-set --governor performance"),
    ("turbo", "turbo", "turbo is on: the clock follows the heat", "echo {turbo_off}, as root"),
    ("swap", "swap", "{swapped:.0f} MiB are swapped out", "end programs that hold memory"),
    ("heat", "heat", "{heat:.0f} °C", "let it cool, see to its air"),
    ("heat", "throttled", "cores were throttled {throttled} times since the start", "see to its air"),
    ("battery", "battery", "runs on its battery", "plug it in"),
    ("virtual machine", "virtual", "a virtual machine: neighbours are unseen", "measure on bare metal"),
    ("allocator", "changed", "{allocator}, changed by {changed}", "say so beside the numbers, or unset them"),
    ("denormals", "flushed", "denormals are not flushed", "update torch: this processor can"),
    ("code", "dirty", "the code differs from its commit", "commit before publishing"),
    ("gpu", "tf32", "float32 products are made in TF32", "torch.set_float32_matmul_precision('highest')"),
    ("gpu", "sleeps", "the GPU's driver sleeps between runs", "nvidia-smi -pm 1, as root"),
    ("gpu", "others", "{others} program{others_s} besides on the GPU", "end them; nvidia-smi lists them"),
    ("gpu", "slice", "a slice of a GPU (MIG): its neighbours share the power and the clock", "take a whole GPU"),
)
"""What the doctor looks at, in this order: a name, the fact that is graded, evidence and advice, which name facts."""

GRADING: dict[str, Callable[[Any], str]] = {
    "load": lambda f: _below(f.load / f.cores, "F", A=0.1, B=0.3, C=0.7, D=2.0),
    "nice": lambda f: "A" if f.nice <= 0 else "C" if f.alone else "D" if f.nice < 5 else "F",  # at 5 others have thrice
    "waiting": lambda f: _below(f.waiting, "D", A=0.05, B=0.15, C=0.4),
    "steal": lambda f: _below(f.steal, "D", A=0.005, C=0.02),
    "quota": lambda f: "D" if f.quota < f.threads else "B",
    "crowd": lambda f: "F",
    "physical": lambda f: "B" if f.physical < f.threads <= f.cores else "A",
    "governor": lambda f: "A" if f.governor == "performance" else "C",
    "swap": lambda f: "A" if f.swap < 1 << 26 else "D" if f.available < f.swap else "B",
    "heat": lambda f: _below(f.heat, "D", A=80, C=90),
    "battery": lambda f: "D" if f.battery else "A",
    "virtual": lambda f: "C" if f.virtual else "A",
    "flushed": lambda f: "A" if f.flushed else "B",
    "others": lambda f: "D" if f.others else "A",
    "slice": lambda f: "C" if f.slice else "A",
}
"""What a known fact is worth; one that is not here is a small effect where it is so."""

RARE = ("quota", "code", "battery", "gpu")
"""What most machines do not have: where it is not known, nothing is missed."""


def examine(machine: Mapping[str, Any], threads: Sequence[int] = ()) -> Report:
    """The report on a machine's record (`machine.record()`); `threads` are those of a run's cases."""
    facts = _facts(machine, threads)
    findings: list[Finding] = []
    known = set(RARE)
    for name, fact, evidence, advice in RULES:
        value = getattr(facts, fact)
        if value is None:
            continue
        known.add(name)
        grade = GRADING[fact](facts) if fact in GRADING else "B" if value else "A"
        if grade != "A":
            findings.append(Finding(name, grade, evidence.format_map(vars(facts)), advice.format_map(vars(facts))))
    unknown = tuple(name for name in dict.fromkeys(rule[0] for rule in RULES) if name not in known)
    findings.sort(key=lambda finding: -GRADES.index(finding.grade))
    grade = findings[0].grade if findings else "A"
    # Where neither load nor quota can be read, nothing is known of what matters most.
    if "load" in unknown and grade in "AB":
        grade = "C"
    return Report(grade, tuple(findings), unknown)


def _below(value: float, worst: str, **limits: float) -> str:
    """The first grade whose limit a value stays below, else the worst."""
    return next((grade for grade, limit in limits.items() if value < limit), worst)


def _facts(machine: Mapping[str, Any], asked: Sequence[int]) -> SimpleNamespace:
    """What the rules grade and tell, by name; None where the record does not say."""

    def get(*names: str) -> Any:
        value: Any = machine
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    cores = int(get("usable_cores") or get("logical_cores") or 1)
    threads, quota, load = max(asked, default=cores), get("cgroup_quota"), get("now", "load") or get("load")
    load = float(load[0]) if isinstance(load, Sequence) and load else None
    nice, waiting, swap, available = (get("now", name) for name in ("nice", "waiting", "swap_used", "memory_available"))
    alone = waiting < 0.05 if waiting is not None else load is not None and load < 0.3 * cores
    boost, no_turbo = get("turbo"), get("state", "no_turbo")
    turbo_file = "cpufreq/boost" if no_turbo is None else "intel_pstate/no_turbo"
    changed = [name for name in get("environment") or () if name.startswith(("MALLOC_", "LD_PRELOAD"))]
    gpu = get("torch") if get("torch", "gpu") else None
    of_gpu = gpu.get if gpu else lambda name: None
    sleeps = of_gpu("gpu_persistence") is False or of_gpu("persistence") == "Disabled"
    allocator = get("state", "allocator")
    return SimpleNamespace(
        load=load,
        cores=cores,
        on_cores=f"{cores} core{'' if cores == 1 else 's'}",
        nice=nice,
        alone=alone,
        others_go="another program would go" if alone else "other programs go",
        waiting=waiting,
        steal=get("now", "steal"),
        quota=quota,
        whole=max(1, int(quota or 0)),
        threads=threads,
        for_threads=f"{threads} thread{'' if threads == 1 else 's'}",
        crowd=threads if threads > cores else None,
        physical=get("cores"),
        governor=get("governor"),
        turbo=no_turbo == "0" if no_turbo is not None else None if boost is None else boost == "1",
        turbo_off=f"{'0' if no_turbo is None else '1'} > /sys/devices/system/cpu/{turbo_file}",
        swap=None if available is None else swap,
        swapped=(swap or 0) / 2**20,
        available=available,
        heat=get("now", "temperature"),
        throttled=get("now", "core_throttle_count"),
        battery=get("now", "on_battery"),
        virtual=get("state", "virtualised"),
        allocator=allocator,
        changed=None if allocator is None else ", ".join(changed),
        flushed=get("torch", "flush_denormals"),
        dirty=get("git_dirty"),
        tf32=of_gpu("tf32_matmul"),
        sleeps=sleeps,
        others=of_gpu("now_processes"),
        others_s="" if of_gpu("now_processes") == 1 else "s",
        slice=of_gpu("gpu_mig"),
    )

"""The plan: which cases will be measured, which cannot be, and how long and how closely to measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from a2u_bench.case import Case
from a2u_bench.errors import UsageError
from a2u_bench.paper_names import Known, to_manifest

BLOCK = 8
"""Cases that interleave, beside the reference: more would not fit in memory together."""

Workload = tuple[tuple[str, object], ...]

SUBJECT = ("operator", "variant", "options")
"""The axes by which operators differ. All others together are a workload."""


@dataclass(frozen=True)
class Settings:
    """How long and how closely to measure. Times in seconds."""

    time_budget: float | None = None  # for timing; what the cases need at `each` where None. `schedule` says how
    each: float = 1.5  # seconds of timing for each case, forkservers included, where no budget is given
    processes: int = 8  # fresh ones for each block, at least; more where time is left, three if it is not enough
    warm_up: float = 0.02  # of each case in each process
    target_ci: float = 0.02  # a case is measured closely enough when half its interval is below this share
    timeout: float = 60.0  # of one step of one case: building, checking, or one round; not of a process's start
    min_rounds: int = 2  # of each process, whatever the budget: one there and one back
    max_rounds: int = 50  # of each process
    block: int = BLOCK  # cases that interleave, beside the reference
    memory_limit: int | None = None  # bytes that a case may need; what is free on its device where None
    seed: int = 0
    onnx: bool = False  # whether each operator is also asked if it becomes an ONNX model


@dataclass(frozen=True)
class Skipped:
    """A case that will not be measured, and why: impossible (`skipped`), or an operator that is broken (`failed`)."""

    case: Case
    reason: str
    status: str = "skipped"


@dataclass(frozen=True)
class Site:
    """One shape B×C×H×W of z at which a suite upsamples, and at how many places its network does so."""

    shape: tuple[int, int, int, int]
    count: int = 1
    ops: tuple[str, ...] = ()  # what is measured there where no operators are asked for; all where empty
    scale: int | None = None  # its own; those of the request or of the suite where None

    def to_manifest(self) -> dict[str, object]:
        """The site as plain data."""
        own = {} if self.scale is None else {"scale": self.scale}
        return {"shape": list(self.shape), "count": self.count, **own}


@dataclass(frozen=True)
class Reference:
    """The operator that is timed beside every block, so that what was timed apart can be compared through it."""

    operator: str
    variant: str
    options: str

    def beside(self, case: Case) -> Case:
        """The reference's own case of the same workload."""
        return replace(case, **asdict(self))


@dataclass(frozen=True)
class Plan:
    """Everything `run` needs: cases in the order of the table, those known to be impossible, and the settings.

    The reference's own cases are among them, one of each workload.
    """

    suite: str
    cases: tuple[Case, ...]
    skipped: tuple[Skipped, ...] = ()
    settings: Settings = field(default_factory=Settings)
    sites: tuple[Site, ...] = ()
    reference: Reference | None = None
    named: tuple[str, ...] = ()  # operators that were asked for by name rather than as one of all
    own: Mapping[str, Known] = field(default_factory=dict)  # a person's own operators

    @property
    def devices(self) -> frozenset[str]:
        """Where its cases run."""
        return frozenset(case.device for case in self.cases)

    @property
    def gradients(self) -> bool:
        """Whether torch differentiates or compiles a case, or may have to see its calls for another reason."""
        plain = ("inference", "cpu")
        return any((case.mode, case.device) != plain or case.runtime == "compile" for case in self.cases)

    def only(self, ids: Sequence[str]) -> Plan:
        """The plan of these cases alone. UsageError for one that is not in it: it comes from a plan made elsewhere."""
        cases = {case.id: case for case in self.cases}
        if strange := [one for one in ids if one not in cases]:
            raise UsageError(f"--only {strange[0]}: no such case is planned here; is it another version?")
        return replace(self, cases=tuple(case for case in self.cases if case.id in ids), skipped=())

    def to_manifest(self) -> dict[str, object]:
        """The plan as plain data for the manifest of a run."""
        return {
            "suite": self.suite,
            "named": list(self.named),
            **to_manifest(self.own),
            "sites": [site.to_manifest() for site in self.sites],
            "settings": asdict(self.settings),
            "reference": self.reference.options if self.reference else None,
            "interval": "mean of logarithms over processes, Student's t",
            "allocation": "each timed call allocates its output",
            "planned": len(self.cases) + len(self.skipped),
        }

    def going_on(self, manifest: Mapping[str, Any], stored: Set[str], finished: Set[str]) -> dict[str, object]:
        """What changes in the manifest of a run that goes on with this plan: how many cases it has, and its settings.

        `stored` are the cases that have a row, `finished` those of them that need no other. Settings under which rows
        were measured are kept in `earlier_settings`.
        """
        changed: dict[str, object] = {}
        asked = {*stored, *(case.id for case in self.cases), *(one.case.id for one in self.skipped)}
        known = manifest.get("planned")
        if type(known) is int and len(asked) > known:  # asked for more when it went on: it has not ended yet
            changed["planned"] = len(asked)
        if self.reference and not manifest.get("reference"):  # begun when there was none
            changed["reference"] = self.reference.options
        for name, entries in to_manifest(self.own).items():
            held = manifest.get(name)
            had = dict(held) if isinstance(held, Mapping) else {}
            if (every := {**had, **entries}) != had:
                changed[name] = every
        settings, before = asdict(self.settings), manifest.get("settings")
        if before != settings and any(case.id not in finished for case in self.cases):
            earlier = manifest.get("earlier_settings")
            kept = [*(earlier if isinstance(earlier, list) else ()), *([before] if before else ())]
            changed |= {"settings": settings, "earlier_settings": kept}
        return changed


def workload(case: Case) -> Workload:
    """What a case has in common with those that it is compared with: all of its axes but the operator."""
    return tuple((field.name, getattr(case, field.name)) for field in fields(case) if field.name not in SUBJECT)

"""The grades that a run's manifest holds: what they mean, which is worse, and the sentence on them under a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from a2u_bench.machine.differences import some
from a2u_bench.machine.doctor import GRADES, Finding, examine

MEANING = {
    "A": "nothing found that moves latencies",
    "B": "small effects, known and recorded",
    "C": "latencies repeat within some per cent",
    "D": "small differences may be the machine's",
    "F": "latencies say little",
}

FACTOR = 0.5
"""The share from which a factor says more: ±120% is no distance below."""

PROMISE = {"A": 0.02, "B": 0.05, "C": 0.10, "D": 0.25}
"""How far the reference's latency may vary from process to process, as half of the range that holds 95 of 100."""


def varied(share: float) -> str:
    """How far times vary: `±22.3%`, or from its half on as a factor."""
    return f"±{share:.1%}" if share < FACTOR else f"a factor of {1 + share:.2g}"


def worse(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of two reports on one machine, as in a manifest, the one with the lower grade; the first where they are alike."""
    if one is None:
        return other
    places = [GRADES.find(str(report.get("grade", "?"))[:1]) for report in (one, other)]
    return other if places[1] > places[0] else one


def with_samples(report: Mapping[str, Any], operator: str, share: float) -> Mapping[str, Any]:
    """The report, with a lower grade where this operator, the reference, varied by more than the grade promises."""
    earned = next((grade for grade, most in PROMISE.items() if share <= most), "F")
    if GRADES.find(str(report.get("grade", "?"))[:1]) >= GRADES.index(earned):
        return report
    evidence = f"{operator} varied by {varied(share)} from process to process"
    found = Finding("samples", earned, evidence, "measure where nothing else runs, or with a larger --time-budget")
    return {**report, "grade": earned, "findings": [asdict(found), *_findings(report)]}


def sentence(report: Mapping[str, Any], nodes: Sequence[str] = ()) -> str:
    """One line for under a table: the grade, what it means, and the worst that was found. `report` as in a manifest.

    `nodes` are the machines that it is true of, where a run has others.
    """
    grade = str(report.get("grade", "?"))[:1]
    worst = [str(one.get("evidence", "")) for one in _findings(report) if one.get("grade") == grade]
    because = f" ({'; '.join(worst[:3])})" if worst else ""
    advice = "; a2u-bench doctor says what to do" if worst else ""
    where = f" on {some(nodes)}" if nodes else ""
    return f"environment: grade {grade}{where}, {MEANING.get(grade, 'unknown')}{because}{advice}"


def reports(manifest: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The reports that belong to a run, each with its node's name, "" where there is one: those that were stored, else
    one for each machine in its manifest."""
    stored, of_nodes = manifest.get("doctor"), manifest.get("doctors")
    if isinstance(stored, Mapping):
        return [("", stored)]
    machines, origins = manifest.get("machines"), manifest.get("origins")
    if isinstance(origins, Mapping) and origins:
        return [report for one in origins.values() if isinstance(one, Mapping) for report in reports(one)]
    if isinstance(of_nodes, Mapping) and of_nodes:
        known = {node: report for node, report in of_nodes.items() if isinstance(report, Mapping)}
    else:
        nodes = machines if isinstance(machines, Mapping) and machines else {"": manifest.get("machine")}
        known = {
            node: examine(machine).to_manifest()
            for node, machine in nodes.items()
            if isinstance(machine, Mapping) and "now" in machine
        }
    return [(str(node) if len(known) > 1 else "", report) for node, report in known.items()]


def notes(manifests: Mapping[str, Mapping[str, Any]], strays: Mapping[str, tuple[str, float]]) -> list[str]:
    """A sentence for each different report of these runs, with the nodes that it is of.

    `strays`: of the runs whose samples say so, the reference and how far it varied from process to process.
    """
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for label, manifest in manifests.items():
        for node, stored in reports(manifest):
            report = with_samples(stored, *strays[label]) if label in strays else stored
            found.setdefault(sentence(report), (report, []))[1].append(node)
    if len(found) == 1:
        return list(found)
    return [sentence(report, [node for node in nodes if node]) for report, nodes in found.values()]


def worst(
    manifests: Mapping[str, Mapping[str, Any]], strays: Mapping[str, tuple[str, float]]
) -> tuple[str, Mapping[str, Any]]:
    """The lowest grade of these runs and the first finding that earned it; "" and nothing without a grade.

    `strays` as in `notes`.
    """
    found = [
        with_samples(stored, *strays[label]) if label in strays else stored
        for label, manifest in manifests.items()
        for _, stored in reports(manifest)
    ]
    lowest = max(found, key=lambda report: GRADES.find(str(report.get("grade", "?"))[:1]), default={})
    grade = str(lowest.get("grade", ""))[:1]
    return grade, next((one for one in _findings(lowest) if one.get("grade") == grade), {})


def _findings(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    raw = report.get("findings")
    return [one for one in raw if isinstance(one, Mapping)] if isinstance(raw, Sequence) else []

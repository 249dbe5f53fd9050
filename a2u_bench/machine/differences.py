"""Whether runs are of one machine: which of the facts that change a latency differ between their manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOMENTARY = ("load", "time", "date", "created", "command", "argv", "git", "free", "uptime", "now")
"""Beginnings of names whose values change from run to run on one machine."""

PLACES = ("_DIR", "_PATH", "_HOME")
"""Endings of environment variables that say where files lie."""

MEMORY = "memory"
"""In bytes, of which a kernel keeps some more or fewer at each start."""

SHOWN = 4
"""Names of nodes that a text lists before it counts the rest."""

HARDWARE = ("architecture", "cpu", "cores", "logical_cores", "usable_cores", "cgroup_quota", "governor", "turbo")
"""What two runs must share for a difference of their times to be the program's; so must every name with `gpu` in it."""


def hardware_differences(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those of the differences that are of the machine itself rather than of the programs on it."""
    return [
        text for text in differences(manifests) if text.partition(":")[0] in HARDWARE or "gpu" in text.partition(":")[0]
    ]


def differences(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """One text for each fact of a machine on which the manifests disagree: its name and the values.

    A merged run has the machines of its origins; one that was measured by jobs has those of its nodes, whose names
    stand beside the values.
    """
    facts = [(node, _flat(machine)) for manifest in manifests for node, machine in _named(manifest)]
    names = sorted({name for _, machine in facts for name in machine})
    found = []
    for name in names:
        if name.split(".")[-1].startswith(MOMENTARY) or name.startswith(MOMENTARY) or name.endswith(PLACES):
            continue
        values: dict[str, list[str]] = {}
        for node, machine in facts:
            value = machine.get(name, "unknown")
            if name == MEMORY and value.isdecimal():
                value = f"{int(value) / 2**30:.1f} GiB"
            values.setdefault(value, []).extend([node] if node and node != value else [])
        if len(values) > 1:
            texts = (f"{value} ({some(nodes)})" if nodes else value for value, nodes in values.items())
            found.append(f"{name}: {' / '.join(texts)}")
    return found


def some(names: Sequence[str]) -> str:
    """Names in a line, the first few and a count where they are many."""
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    return f"{', '.join(different[:SHOWN])}{more}"


def machines(manifest: Mapping[str, Any]) -> list[Any]:
    """Each machine of a run: of its nodes, or of what was merged into it."""
    return [machine for _, machine in _named(manifest)]


def by_node(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The machines of a run that was measured by jobs on several nodes, by name; else its machine, under ""."""
    return dict(_named({name: manifest.get(name) for name in ("machine", "machines")}))


def _named(manifest: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Each machine of a run, with its name where the run has several."""
    origins, nodes = manifest.get("origins"), manifest.get("machines")
    if isinstance(origins, Mapping) and origins:
        return [m for one in origins.values() if isinstance(one, Mapping) for m in _named(one)]
    if isinstance(nodes, Mapping) and nodes:
        return [(str(node) if len(nodes) > 1 else "", machine) for node, machine in nodes.items()]
    return [("", manifest.get("machine"))]


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Nested facts as `a.b` names with text values; what is not a mapping at the top says nothing."""
    if not isinstance(value, Mapping):
        return {path: str(value)} if path else {}
    flat: dict[str, str] = {}
    for name, inner in value.items():
        flat.update(_flat(inner, f"{path}.{name}" if path else str(name)))
    return flat

"""Whether runs are of one machine: which of the facts that change a latency differ between their manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOMENTARY = ("load", "time", "date", "created", "command", "argv", "git", "free", "uptime", "now")
"""Beginnings of names whose values change from run to run on one machine."""

HARDWARE = ("architecture", "cpu", "cores", "logical_cores", "usable_cores", "cgroup_quota", "governor", "turbo")
"""What two runs must share for a difference of their times to be the program's; so must every name with `gpu` in it."""


def hardware_differences(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those of the differences that are of the machine itself rather than of the programs on it."""
    return [
        text for text in differences(manifests) if text.partition(":")[0] in HARDWARE or "gpu" in text.partition(":")[0]
    ]


def differences(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """One text for each fact of a machine on which the manifests disagree: its name and the values.

    A merged run has the machines of its origins, one that was measured by jobs those of its nodes.
    """
    machines = [_flat(machine) for manifest in manifests for machine in _machines(manifest)]
    names = sorted({name for machine in machines for name in machine})
    found = []
    for name in names:
        if name.split(".")[-1].startswith(MOMENTARY) or name.startswith(MOMENTARY):
            continue
        values = [machine.get(name, "unknown") for machine in machines]
        if len(set(values)) > 1:
            found.append(f"{name}: {' / '.join(dict.fromkeys(values))}")
    return found


def _machines(manifest: Mapping[str, Any]) -> list[Any]:
    origins, nodes = manifest.get("origins"), manifest.get("machines")
    if isinstance(origins, Mapping) and origins:
        return [m for one in origins.values() if isinstance(one, Mapping) for m in _machines(one)]
    if isinstance(nodes, Mapping) and nodes:
        return list(nodes.values())
    return [manifest.get("machine")]


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Nested facts as `a.b` names with text values; what is not a mapping at the top says nothing."""
    if not isinstance(value, Mapping):
        return {path: str(value)} if path else {}
    flat: dict[str, str] = {}
    for name, inner in value.items():
        flat.update(_flat(inner, f"{path}.{name}" if path else str(name)))
    return flat

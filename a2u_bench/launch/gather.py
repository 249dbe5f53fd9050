"""Gathering: what a part holds is copied into the run, each row and each sample once, whatever interrupts it."""

from __future__ import annotations

import shutil
from collections.abc import Set
from pathlib import Path
from typing import Any

from a2u_bench import doctor
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.launch import part
from a2u_bench.launch.rates import better
from a2u_bench.record import is_open
from a2u_bench.runs import Run, each_curve, each_sample, read_run
from a2u_bench.store import Store

HELD = 1000
"""Samples that are written at once."""

Row = dict[str, Any]


def gather(folder: Path, store: Store) -> list[Row]:
    """Copy the rows of a part that the run lacks, and their samples; the rows. A part that is used up is removed.

    Samples of the reference come with those that were timed beside it, also where its own row is there already.

    A case that time did not suffice for, but that has samples, stays in its part, where a job goes on with it.
    """
    try:
        run = read_run(folder / part.RUN)
    except UsageError:  # its job died before it had begun
        rows: list[Row] = []
    else:
        rows = [row for row in run.rows if row["case"] not in store.finished]
        begun = _begun(folder, {row["case"] for row in rows if is_open(row["status"], row["stopped"])})
        rows = [row for row in rows if row["case"] not in begun]
        if rows:
            cases = [row["case"] for row in rows]
            _copy_samples(folder, store, cases)
            _copy_curves(folder, store, cases)
            _remember_machine(store, rows, run)
            store.append_rows(rows)
    if _is_used_up(folder, store.finished | {row["case"] for row in rows}):
        shutil.rmtree(folder)
    return rows


def _copy_samples(folder: Path, store: Store, cases: list[str]) -> None:
    """Samples first, then rows: a copy that was interrupted finds what it has copied before, and goes on there.

    The numbers of processes go on from those of the run, because processes of different parts are different ones.
    """
    beside = {case.id for case in part.references(folder)}
    copied = {
        case: [s for s in store.rounds.get(case, ()) if s.get("part") == folder.name] for case in {*cases, *beside}
    }
    offset: int | None = None
    waiting: list[dict[str, Any]] = []
    for sample in each_sample(folder / part.RUN, []):
        if sample["case"] not in copied:
            continue
        if copied[sample["case"]]:
            earlier = copied[sample["case"]].pop(0)
            offset = earlier["process"] - sample["process"] if offset is None else offset
            continue
        offset = store.last_process + 1 if offset is None else offset
        waiting.append({**sample, "process": sample["process"] + offset, "part": folder.name})
        if sample["case"] in beside:  # the part may be gathered again, with more of them
            store.rounds.setdefault(sample["case"], []).append(waiting[-1])
        if len(waiting) == HELD:
            store.append_samples(waiting)
            waiting = []
    if waiting:
        store.append_samples(waiting)


def _copy_curves(folder: Path, store: Store, cases: list[str]) -> None:
    for curve in each_curve(folder / part.RUN):
        if curve["case"] in cases:
            store.append_curve(curve)


def _remember_machine(store: Store, rows: list[Row], run: Run) -> None:
    """The run's machine is that of its first rows; of all nodes, their machines, grades and ceilings stand by name."""
    machine, nodes = run.manifest.get("machine"), {row["node"] for row in rows if row["node"]}
    if not machine or not nodes:
        return
    known = store.manifest
    report, found = run.manifest.get("doctor"), run.manifest.get("ceilings", ())
    reports, rates = known.get("doctors", {}), known.get("ceilings", ())
    for node in sorted(nodes):
        reports = {**reports, node: doctor.worse(reports.get(node), report)} if report else reports
        rates = better(rates, [{**entry, "node": node} for entry in found])
    entries = {
        "machine": known.get("machine", machine),
        "machines": {**dict.fromkeys(nodes, machine), **known.get("machines", {})},
        **({"doctors": reports} if reports else {}),
        **({"ceilings": rates} if rates else {}),
    }
    if any(known.get(name) != entry for name, entry in entries.items()):
        store.write_manifest(entries)


def _begun(folder: Path, cases: set[str]) -> set[str]:
    """Those of these cases that have samples in the part."""
    return (
        {sample["case"] for sample in each_sample(folder / part.RUN, []) if sample["case"] in cases} if cases else cases
    )


def _is_used_up(folder: Path, ended: Set[str]) -> bool:
    try:
        return all(one in ended for one in part.ids(folder))
    except BenchError:
        return False

"""Gathering: what a part's run holds is copied into the whole run, each row and each sample once, whatever interrupts
it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from a2u_bench.case import Case
from a2u_bench.columns import is_open
from a2u_bench.errors import UsageError
from a2u_bench.machine import grades
from a2u_bench.operators import strings
from a2u_bench.run.jobs import command
from a2u_bench.store.merge import in_turn
from a2u_bench.store.read import Run, each_curve, each_sample, read_run
from a2u_bench.store.write import Store

Row = dict[str, Any]
Entry = Mapping[str, Any]

PLACE = ("node", "device", "threads")
"""What a ceiling is of."""


def gather(folder: Path, store: Store) -> list[Row]:
    """Copy the rows of a part that the run lacks, and their samples; the rows. A part that is used up is removed.

    Samples of the reference come with those that were timed beside it, also where its own row is there already. A case
    that time did not suffice for, but that has samples, stays in its part, where a job goes on with it.
    """
    try:
        run = read_run(folder / command.RUN)
    except UsageError:  # its job died before it had begun
        return []
    samples = list(each_sample(run.path, []))
    timed = {sample["case"] for sample in samples}
    rows = [
        row
        for row in run.rows
        if row["case"] not in store.finished and not (is_open(row["status"], row["stopped"]) and row["case"] in timed)
    ]
    if rows:
        cases = {row["case"] for row in rows}
        text = run.manifest.get("reference")
        beside = {_beside(row, text) for row in rows} if isinstance(text, str) else set()
        name = f"{folder.name} {run.manifest.get('created', '')}".strip()  # a later part of the workload is another
        _copy_samples(name, [s for s in samples if s["case"] in cases | beside], beside, store)
        for curve in each_curve(run.path):
            if curve["case"] in cases:
                store.append_curve(curve)
        _remember_machine(store, rows, run)
        store.append_rows(rows)
    ended = store.finished | {row["case"] for row in rows}
    planned = run.manifest.get("planned", 1)
    if isinstance(planned, int) and len(ended.intersection(row["case"] for row in run.rows)) >= planned:
        shutil.rmtree(folder)
    return rows


def _beside(row: Row, reference: str) -> str:
    """The id of the reference's case on a row's workload."""
    return replace(Case.from_row(row), operator=strings.parse(reference).name, options=reference).id


def _copy_samples(name: str, samples: Sequence[dict[str, Any]], beside: set[str], store: Store) -> None:
    """Those of these samples that an earlier copy, which may have been interrupted, has not.

    The numbers of processes go on from those of the run, because processes of different parts are different ones.
    """
    copied = {
        case: [s for s in store.rounds.get(case, ()) if s.get("part") == name] for case in {s["case"] for s in samples}
    }
    first = next((sample for sample in samples if copied[sample["case"]]), None)  # was copied first of its case
    offset = 1 + store.last_process if first is None else copied[first["case"]][0]["process"] - first["process"]
    known = {(s["case"], s["process"], s["round"]) for some in copied.values() for s in some}
    new = [{**sample, "process": sample["process"] + offset, "part": name} for sample in samples]
    for some in in_turn(s for s in new if (s["case"], s["process"], s["round"]) not in known):
        store.append_samples(some)
        for sample in some:
            if sample["case"] in beside:  # the part may be gathered again, with more of them
                store.rounds.setdefault(sample["case"], []).append(sample)


def _remember_machine(store: Store, rows: Sequence[Row], run: Run) -> None:
    """The run's machine is that of its first rows; of all nodes, their machines, grades and ceilings stand by name."""
    machine, nodes = run.manifest.get("machine"), sorted({row["node"] for row in rows if row["node"]})
    if not machine or not nodes:
        return
    machine = {**machine, "command": ["a2u-bench", *sys.argv[1:]]}  # the one that was typed, not the job's
    known, report = store.manifest, run.manifest.get("doctor")
    reports, rates = known.get("doctors", {}), known.get("ceilings", ())
    for node in nodes:
        reports = {**reports, node: grades.worse(reports.get(node), report)} if report else reports
        rates = better(rates, ({**entry, "node": node} for entry in run.manifest.get("ceilings", ())))
    entries = {
        "machine": known.get("machine", machine),
        "machines": {**dict.fromkeys(nodes, machine), **known.get("machines", {})},
        **({"doctors": reports} if reports else {}),
        **({"ceilings": rates} if rates else {}),
    }
    if any(known.get(name) != entry for name, entry in entries.items()):
        store.write_manifest(entries)


def better(known: Iterable[Entry], new: Iterable[Entry]) -> list[dict[str, Any]]:
    """Ceilings of both lists, an entry for each node, device and threads: of each size and each dtype the higher rate.

    A ceiling is no typical rate: a job that found less had a neighbour.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in (*known, *new):
        before = found.get(place := tuple(entry.get(name) for name in PLACE), {})
        copies, products = dict(before.get("copy", ())), dict(before.get("matrix", {}))
        for rates, rate in ((copies, entry.get("copy", ())), (products, entry.get("matrix", {}).items())):
            for of, value in rate:
                rates[of] = max(value, rates.get(of, 0.0))
        own = {"copy": [list(pair) for pair in sorted(copies.items())], "matrix": products}
        found[place] = {**entry, **before, **own}
    return list(found.values())

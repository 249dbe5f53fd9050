"""Runs with made-up samples, written as `run` writes them, for whatever reads ratios."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from a2u_bench import stats
from a2u_bench.case import Case
from a2u_bench.columns import SCHEMA_VERSION, make_row
from a2u_bench.store.lines import FORMAT
from a2u_bench.store.read import Run, read_run

INTERVAL = "mean of logarithms over processes, Student's t"
NOISE = np.array([1.001, 0.999, 1.0005, 0.9995, 1.0, 1.0])

Times = Mapping[int, Mapping[int, float]]


def case(options: str, **axes: Any) -> Case:
    return Case(
        options.partition(":")[0], options, options, **({"batch": 1, "channels": 8, "height": 4, "width": 4} | axes)
    )


def one_round(times: Any, first: int = 0) -> Times:
    """Samples of one round in each process, the first of which has this number."""
    return {first + number: {0: float(time)} for number, time in enumerate(times)}


def write_run(
    folder: Path,
    timed: Mapping[Any, Times],
    ended: Mapping[str, str] | None = None,
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    **manifest: Any,
) -> Run:
    """A run of these cases with these samples, and of those that `ended` in another way; `rows` changes what rows say.

    `timed` has an operator string or a case for each. The manifest names bilinear as the reference unless `reference`
    says another one, or None for none.
    """
    folder.mkdir(parents=True)
    facts = {"reference": "bilinear", "interval": INTERVAL, "created": "2026-01-02T03:04:05+00:00"} | manifest
    head = {"format": FORMAT, "version": SCHEMA_VERSION, **{name: v for name, v in facts.items() if v is not None}}
    (folder / "manifest.json").write_text(json.dumps(head))
    lines, samples = [], []
    for subject, times in timed.items():
        one = case(subject) if isinstance(subject, str) else subject
        found = stats.latency(times)
        low, high = found.interval() if found.freedom else (None, None)
        measures = {"latency": float(found.value), "latency_low": low, "latency_high": high, "processes": len(times)}
        measures |= {"samples": sum(map(len, times.values()))}
        lines.append(make_row(one, "ok", "", measures) | dict((rows or {}).get(one.options, {})))
        samples += [
            {"case": one.id, "process": process, "round": index, "latency": [time]}
            for process, rounds in times.items()
            for index, time in rounds.items()
        ]
    lines += [make_row(case(options), status, "", {}) for options, status in (ended or {}).items()]
    for name, contents in (("rows", lines), ("samples", samples)):
        text = "".join(f"{json.dumps({'version': SCHEMA_VERSION, **line})}\n" for line in contents)
        (folder / f"{name}.jsonl").write_text(text)
    return read_run(folder)

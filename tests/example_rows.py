"""A run with made-up numbers for whatever shows results: fixed, so that what is shown can be held to the letter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.quality.trial import Trial
from a2u_bench.store.write import Store

COSTS = {"nearest": 1, "bilinear": 2, "carafe": 11, "a2u": 7, "a2u:rank=4,sharing=unshared": 16, "dysample": 4}
"""Operator strings and how much slower, larger and heavier each is made than the first."""

STUDENT = 12.706204736  # of one degree of freedom

MACHINE = {"cpu": "Imaginary 9000", "cores": 4, "torch": {"version": "2.13.0"}}


def case(options: str, **axes: Any) -> Case:
    name = options.partition(":")[0]
    variant = "default" if options == name else options.partition(":")[2].replace("=", " ").replace(",", ", ")
    sizes = {"batch": 1, "channels": 64, "height": 32, "width": 32, "threads": 4} | axes
    return Case(name, variant, options, **sizes)


def measures(cost: int, one: Case) -> dict[str, Any]:
    """Numbers that grow with the cost and the number of output elements."""
    elements = one.batch * one.channels * one.height * one.width * one.scale**2
    latency = cost * elements * 1e-10
    output = 4 * elements
    return {
        "params": 1000 * (cost - 1),
        "macs": cost * elements,
        "latency": latency,
        "latency_low": latency * math.exp(-STUDENT * _noise(cost)),
        "latency_high": latency * math.exp(STUDENT * _noise(cost)),
        "samples": 8,
        "processes": 2,
        "floor": 5e-11 * elements,
        "output_memory": output,
        "peak_memory": output + (cost - 1) * elements,
        "workspace_memory": (cost - 1) * elements,
    }


def _noise(cost: int) -> float:
    """How far each of two processes is from their mean, as a logarithm, which is also the error of that mean."""
    return 0.001 * (1 + cost % 3)


def make_run(folder: Path, cases: list[Case] | None = None) -> Path:
    """A run of these cases, by default every operator at one workload; one that failed stands at its end."""
    made = [case(options) for options in COSTS] if cases is None else cases
    with Store.create(
        folder, {"suite": "custom", "reference": "bilinear", "machine": MACHINE, "created": "2026-01-02T03:04:05+00:00"}
    ) as store:
        for one in made:
            row = measures(COSTS[one.options], one)
            store.append_row(make_row(one, "ok", "", row))
            for process, sign in ((1, -1), (2, 1)):
                middle = row["latency"] * math.exp(sign * _noise(COSTS[one.options]))
                times = [middle * (1 + step / 10_000) for step in (-1, 0, 0, 1)]
                store.append_samples([{"case": one.id, "process": process, "round": 0, "latency": times}])
        if cases is None:
            store.append_row(make_row(case("fade"), "failed", "out of patience", {}))
    return folder


def make_quality(
    folder: Path, scores: dict[str, float], seeds: int = 3, epochs: int = 3, task: str = "reconstruction"
) -> Path:
    """Trainings of these pairs, DOWN/OPERATOR, each from so many seeds a tenth apart, in dB or in thousands."""
    with Store.create(folder, {"suite": "quality", "machine": MACHINE}) as store:
        for seed in range(seeds):
            for pair, value in scores.items():
                options = pair.partition("/")[2]
                name = options.partition(":")[0]
                fields: dict[str, Any] = {"preset": "short", "seed": seed, "epochs": epochs, "images": 1000}
                fields |= {"test_images": 100, "learning_rate": 0.002}
                trial = Trial(name, "default", options, pair, task, "natural", **fields)
                measure = "psnr" if task == "reconstruction" else "sad"
                store.append_row(make_row(trial, "ok", "", {measure: value + seed / 10}))
    return folder

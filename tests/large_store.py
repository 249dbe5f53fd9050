"""A store of as many rows as one likes, without measuring: `python tests/large_store.py FOLDER [ROWS]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from a2u_bench import stats
from a2u_bench.case import Case
from a2u_bench.columns import SCHEMA_VERSION, make_row
from a2u_bench.store.lines import FORMAT

OPERATORS = ("nearest", "bilinear", "bicubic", "deconv", "a2u", "a2u:rank=4,sharing=unshared", "carafe", "fade", "sapa")


def write(folder: Path, rows: int) -> None:
    """A run of this many cases, all different, each operator on every workload."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "format": FORMAT,
        "version": SCHEMA_VERSION,
        "created": "2025-01-01T00:00:00+00:00",
        "suite": "large",
        "reference": "bilinear",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file, (folder / "samples.jsonl").open("w") as samples:
        for number in range(rows):
            workload, which = divmod(number, len(OPERATORS))
            options = OPERATORS[which]
            height, width = 8 + workload % 100, 8 + workload // 100 % 100
            dtype = ("float32", "float16")[workload // 10_000]
            case = Case(options.partition(":")[0], options, options, 1, 64, height, width, dtype=dtype)
            latency = (1 + which) * height * width * (1 + number % 97 / 1e4) * 1e-9
            times: dict[int, dict[int, float]] = {}
            for moment in range(8):
                process, index = divmod(moment, 2)
                slow = 1 + (number * 7 + moment * 13) % 97 / 5000
                times.setdefault(4 * workload + process, {})[index] = latency * slow
            measures = {
                "params": 1000 * which,
                "macs": number * 1000,
                "macs_fvcore": number * 1000,
                "latency": float(stats.latency(times).value),
                "latency_low": latency * 0.99,
                "latency_high": latency * 1.02,
                "samples": 8,
                "processes": 4,
                "peak_memory": number * 4096,
                "saved_memory": number * 64,
                "stopped": "target",
            }
            for process, rounds in times.items():
                for index, time in rounds.items():
                    sample = {"case": case.id, "process": process, "round": index, "latency": [time]}
                    samples.write(json.dumps({"version": SCHEMA_VERSION, **sample}) + "\n")
            file.write(json.dumps({"version": SCHEMA_VERSION, **make_row(case, "ok", "", measures)}) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)

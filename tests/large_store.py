"""A store of as many rows as one likes, without measuring: `python tests/large_store.py FOLDER [ROWS]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from a2u_bench.record import SCHEMA_VERSION, make_row
from a2u_bench.runs import FORMAT
from a2u_bench.spec import Case

OPERATORS = ("nearest", "bilinear", "bicubic", "deconv", "a2u", "a2u:rank=4,sharing=unshared", "carafe", "fade", "sapa")


def write(folder: Path, rows: int) -> None:
    """A run of this many cases, all different, each operator on every workload."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"format": FORMAT, "version": SCHEMA_VERSION, "created": "2025-01-01T00:00:00+00:00", "suite": "large"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number in range(rows):
            workload, which = divmod(number, len(OPERATORS))
            options = OPERATORS[which]
            height, width = 8 + workload % 100, 8 + workload // 100 % 100
            dtype = ("float32", "float16")[workload // 10_000]
            case = Case(options.partition(":")[0], options, options, 1, 64, height, width, dtype=dtype)
            latency = (1 + which) * height * width * (1 + number % 97 / 1e4) * 1e-9
            measures = {
                "params": 1000 * which,
                "macs": number * 1000,
                "macs_fvcore": number * 1000,
                "latency": latency,
                "latency_low": latency * 0.99,
                "latency_high": latency * 1.02,
                "samples": 24,
                "processes": 6,
                "peak_memory": number * 4096,
                "saved_memory": number * 64,
                "stopped": "target",
            }
            file.write(json.dumps({"version": SCHEMA_VERSION, **make_row(case, "ok", "", measures)}) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)

"""A large study in jobs that measure nothing: planned, submitted to a pool on this machine, gathered, compared.

`python -m soak.study COUNT` prints, as JSON, the seconds of each phase and the memory of the process after it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
JOB = (
    "import pathlib, sys\n"
    "sys.path.insert(0, sys.argv[1])\n"
    "import launched\n"
    "launched.study(pathlib.Path(sys.argv[2]), sys.argv[3:])\n"
)


def study(folder: Path, count: int, jobs: int = 2) -> dict[str, Any]:
    """What became of a study of `count` cases; of each phase its seconds and the MiB that the process held after it."""
    from a2u_bench.run.jobs import groups
    from a2u_bench.run.jobs.jobs import run
    from a2u_bench.run.jobs.local import Local, Place
    from a2u_bench.store.read import read_run
    from a2u_bench.store.write import Store
    from a2u_bench.tables.request import Request
    from a2u_bench.tables.view import make as make_view

    phases: dict[str, Any] = {}
    begin = time.monotonic()

    def ends(phase: str) -> None:
        nonlocal begin
        held = psutil.Process().memory_info().rss >> 20
        phases[phase] = {"seconds": round(time.monotonic() - begin, 1), "MiB": held}
        begin = time.monotonic()

    plan = make_study(count)
    ends("planned")
    place = Place(frozenset(range(os.cpu_count() or 1)))
    (folder / "cases.json").write_text(json.dumps([asdict(case) for case in plan.cases]))
    pool = Local([place] * jobs, [sys.executable, "-c", JOB, str(ROOT), str(folder / "cases.json")])
    with Store.create(folder / "run", plan.to_manifest()) as store:
        run(groups.jobs(plan.cases, plan.settings), store, pool)
        rows = len(store.rows)
    ends("measured and gathered")
    found = read_run(folder / "run")
    ends("read")
    tables = make_view([found], Request(baseline="bilinear", variants=True)).tables()
    ends("compared")
    cases = {row["case"] for row in found.rows}
    expected = {case.id for case in plan.cases}
    return {
        "cases": len(plan.cases),
        "rows": rows,
        "lost": len(expected - cases),
        "doubled": len(found.rows) - len(cases),
        "problems": len(found.problems),
        "lines": sum(len(table.cells) for table in tables),
        "phases": phases,
        "most MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def make_study(count: int) -> Any:
    """A plan of so many cases: every operator and variant on as many workloads as it takes."""
    from a2u_bench.suites.expand import make_plan

    shapes = [
        f"1x{channels}x{side}x{side + more}"
        for more in (0, 1, 2, 3)
        for channels in (16, 32, 64, 128)
        for side in (8, 16, 32)
    ]
    each = len(make_plan(ops="all", shapes=["1x16x8x8"], device="cpu", threads=["1"]).cases)
    several = count > each * len(shapes)
    dtypes = ("float32", "float64") if several else ("float32",)
    layouts = ("contiguous", "channels_last") if several else ("contiguous",)
    modes = ("inference", "training") if several else ("inference",)
    workloads = -(-count // (each * len(dtypes) * len(layouts) * len(modes)))
    plan = make_plan(
        ops="all",
        shapes=shapes[:workloads],
        dtypes=dtypes,
        layouts=layouts,
        modes=modes,
        device="cpu",
        threads=["1"],
    )
    return replace(plan, cases=plan.cases[:count], skipped=())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(study(Path(name), int(sys.argv[1]))))

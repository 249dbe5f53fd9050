"""What a reader would expect in a run and is not there: cases that have not ended, axes and latencies of rows."""

from __future__ import annotations

from a2u_bench.rows import Rows
from a2u_bench.runs import Run

AXES = (
    *("operator", "options", "batch", "channels", "height", "width", "scale"),
    *("dtype", "layout", "mode", "runtime", "device", "threads"),
)
"""What every row of costs says, whichever program wrote it."""


def lacks(run: Run) -> tuple[str, ...]:
    """Sentences, none for a whole run."""
    rows = run.rows if isinstance(run.rows, Rows) else Rows(run.rows)
    columns = rows.columns
    costs = [not trained for trained in columns["task"].known]
    found = []
    planned, ended = run.manifest.get("planned"), len(set(columns["case"].values)) if len(rows) else 0
    if type(planned) is int and ended < planned and "origins" not in run.manifest:  # `merge` says it of each
        found.append(f"{ended} of {planned} planned cases have ended; --resume of `a2u-bench run` goes on with it")
    some = [name for name in AXES if 0 in columns[name].known]
    missing = {name: sum(c and not k for c, k in zip(costs, columns[name].known, strict=True)) for name in some}
    names = [name for name, count in missing.items() if count]
    if names:
        found.append(f"{max(missing.values())} of {len(rows)} rows do not say {', '.join(names)}: taken as unknown")
    status, latency = columns["status"].values, columns["latency"].known
    untimed = sum(c and s == "ok" and not k for c, s, k in zip(costs, status, latency, strict=True))
    if untimed:
        found.append(f"{untimed} of {len(rows)} rows ended ok without a latency")
    return tuple(found)

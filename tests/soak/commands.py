"""Every command that reads a run, as it is typed: `{run}` is a hostile one, a sound one lies beside it."""

from __future__ import annotations

COMMANDS = {
    "compare": ["compare", "{run}"],
    "compare with a baseline": ["compare", "{run}", "{run}/../sound", "--baseline", "a2u:rank=4"],
    "compare as JSON": ["compare", "{run}", "--json"],
    "csv": ["export", "{run}", "--format", "csv"],
    "markdown": ["export", "{run}", "--format", "markdown"],
    "latex": ["export", "{run}", "--format", "latex"],
    "html": ["export", "{run}", "--format", "html"],
    "json": ["export", "{run}", "--format", "json"],
    "recommend": ["recommend", "{run}", "--budget", "latency=1s"],
    "doctor": ["doctor", "{run}"],
    "doctor as JSON": ["doctor", "{run}", "--json"],
    "a dry run": ["run", "--ops", "nearest", "--device", "cpu", "--out", "{run}", "--resume", "--dry-run"],
    "report": ["report", "{run}", "--out", "{out}.html"],
    "plot": ["plot", "{run}", "--out", "{out}"],
    "merge": ["merge", "{run}", "{run}/../sound", "--out", "{out}"],
}

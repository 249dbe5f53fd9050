"""The full figures: 200 random kills, 10,000 cases through a pool of jobs, 10,000 fuzzed files. `make soak` runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from soak import crash, fuzz, study
from soak.commands import COMMANDS
from soak.readers import readers

RUNS, LIMITS = 110, 60  # of which each is killed one to three times: more than 200 kills
CASES, FEWER = 10_000, 1_000
DAMAGED, HOSTILE = 700, 160
GROWTH = 100
"""MiB that ten times the cases may cost. 9,000 cases more were seen to cost 60: 17 while they are measured and gathered
(2 KiB for each case, its id and its row by column), 43 while they are compared (40,000 samples, two frames, the table's
texts); the rest of what the process holds, 500, is torch and the operators, whatever the number of cases."""


def kills() -> str:
    with tempfile.TemporaryDirectory() as name:
        expected, seconds, size = crash.undisturbed(Path(name) / "whole")
        tally = crash.Tally()
        for seed in range(RUNS):
            crash.kill_once(Path(name) / str(seed), expected, seconds, size, seed, tally)
        largest = max(path.stat().st_size for path in (Path(name) / "whole").iterdir())
        for limit in range(0, largest, largest // LIMITS):
            crash.fill_disk(Path(name) / f"full-{limit}", limit)
    return (
        f"{tally.kills} kills of {RUNS} runs, {tally.torn} runs with a torn line: {tally.rounds} samples and "
        f"{tally.rows} rows were stored, none lost, none doubled; {LIMITS} full disks survived"
    )


def cases() -> str:
    said = []
    held = []
    for count in (FEWER, CASES):
        command = [sys.executable, "-m", "soak.study", str(count)]
        done = subprocess.run(command, cwd=study.ROOT, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        if (found["cases"], found["rows"], found["lost"], found["doubled"], found["problems"]) != (
            count,
            count,
            0,
            0,
            0,
        ):
            raise crash.Lost(f"a study of {count} cases: {found}")
        held.append(found["most MiB"])
        phases = (f"{name} {facts['seconds']} s {facts['MiB']} MiB" for name, facts in found["phases"].items())
        said.append(f"{count} cases: {', '.join(phases)}; {found['most MiB']} MiB at most")
    if held[1] - held[0] > GROWTH:
        raise crash.Lost(f"memory grows with the cases: {said}")
    return "; ".join(said)


def files() -> str:
    total = 0
    for reader in readers():
        total += _said(reader.name, fuzz.fuzz_reader(reader, DAMAGED))
    for name, command in COMMANDS.items():
        total += _said(name, fuzz.fuzz_commands([command], HOSTILE))
    return f"{total} files without a traceback"


def _said(name: str, count: int) -> int:
    print(f"  {name}: {count}", flush=True)
    return count


def main(wanted: list[str]) -> int:
    parts: dict[str, Callable[[], str]] = {"kills": kills, "cases": cases, "files": files}
    for name in wanted or parts:
        begin = time.monotonic()
        said = parts[name]()
        print(f"{name}: {said} [{time.monotonic() - begin:.0f} s]", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

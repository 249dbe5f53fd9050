"""A store of 10,000 rows with samples is compared and exported within 400 MB, and no row is lost; it prints times."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from large_store import OPERATORS, write

from a2u_bench.tables.naming import INDENT

ROOT = Path(__file__).resolve().parents[2]
ROWS = 10_000
LIMIT = 400_000_000  # bytes


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large") / "run"
    write(folder, ROWS)
    return folder


# What a process may have used of memory before it became this one counts in getrusage, but not in /proc.
CHILD = """
import resource, sys
from pathlib import Path
from a2u_bench.cli import main
code = main()  # without arguments: as a process of its own runs
status = Path("/proc/self/status")
if status.exists():
    peak = 1024 * next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(peak, "torch" in sys.modules, file=sys.stderr)
sys.exit(code)
"""


def run(*arguments: str, out: Path) -> str:
    """What a command prints; fails where it took more memory than LIMIT or loaded torch."""
    start = time.perf_counter()
    with out.open("w") as file:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *arguments],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    assert done.returncode == 0, done.stderr
    peak, torch = done.stderr.splitlines()[-1].split()
    seconds = time.perf_counter() - start
    print(f"{' '.join(arguments[:1] + arguments[2:])}: {seconds:.2f} s, {int(peak) / 1e6:.0f} MB")
    assert int(peak) < LIMIT
    assert torch == "False"
    return out.read_text(encoding="utf-8")


@pytest.mark.parametrize(("flags", "lines"), [(("--baseline", "bilinear"), 200), (("--all",), ROWS)])
def test_comparing(store, tmp_path, flags, lines):
    asked = ("--variants", "--names", "option", *flags)
    text = run("compare", str(store), *asked, out=tmp_path / "out").splitlines()
    assert sum(line.startswith((*OPERATORS, INDENT)) for line in text[4:]) == lines  # after title, heads, units, rule
    assert any("200 of 10,000 lines are shown; --all shows every one" in line for line in text) == (lines < ROWS)
    assert any(line.startswith("ratio: to bilinear, timed in the same rounds") for line in text)


@pytest.mark.parametrize(("form", "around"), [("csv", 1), ("json", 6), ("markdown", 4)])
def test_exporting(store, tmp_path, form, around):
    text = run("export", str(store), "--variants", "--format", form, out=tmp_path / "out")
    body, _, notes = text.partition("\n\n- ")
    assert len(body.splitlines()) == ROWS + around
    assert bool(notes) == (form == "markdown")


@pytest.mark.parametrize(("form", "end", "heads"), [("html", "</tr>", 1), ("latex", r" \\", 2)])
def test_exporting_for_a_document(store, tmp_path, form, end, heads):
    text = run("export", str(store), "--variants", "--format", form, out=tmp_path / "out")
    tables = text.count("\\begin{table") or 1  # of LaTeX a long one goes on in further floats
    assert sum(line.endswith(end) for line in text.splitlines()) == ROWS + heads * tables

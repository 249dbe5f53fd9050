"""What `make gpu` runs: one line without a GPU; with one every part in its order, each in its time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(shutil.which("timeout") is None, reason="needs bash and coreutils")

PYTHON = """#!/usr/bin/env bash
echo "$*" >> {log}
case "$*" in *{fails}*) echo "it failed because"; exit 1 ;; esac
"""


def run(folder: Path, python: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / ".ci").mkdir(exist_ok=True)
    shutil.copy(ROOT / ".ci" / "gpu", folder / ".ci" / "gpu")
    given = {**os.environ, "PYTHON": str(python), "PYTHONPATH": str(ROOT), "NAME": "cuda-test", **environment}
    return subprocess.run(["bash", ".ci/gpu"], env=given, capture_output=True, text=True, cwd=folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_is_one_line_and_exit_code_2_and_nothing_is_written(tmp_path):
    done = run(tmp_path, sys.executable)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --device cuda: ") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [".ci"]


def test_without_a_module_it_is_one_line_that_names_it(tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/usr/bin/env bash\nexec {sys.executable} -S "$@"\n')  # with none that was installed
    python.chmod(0o755)
    done = run(tmp_path, python, PYTHONPATH="")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ") and ", fvcore, " in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".ci", "python"]


def stand_in(folder: Path, fails: str = "nothing") -> tuple[Path, Path]:
    """A Python that notes what it is asked, and fails where it is told to."""
    python, log = folder / "python", folder / "asked"
    python.write_text(PYTHON.format(log=log, fails=fails))
    python.chmod(0o755)
    return python, log


def test_every_part_runs_in_order_and_says_what_it_does_and_where_results_are(tmp_path):
    python, log = stand_in(tmp_path)
    done = run(tmp_path, python)
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [line for line in log.read_text().splitlines() if line.startswith("-m ")]
    assert ["whole_maps" in asked[0], "every_operator" in asked[1]] == [True, True]
    assert asked[2:] == [
        "-m a2u_bench run --ops all --device cuda --out results/cuda-test",
        "-m a2u_bench run --suite primitive --device cuda --time-budget 45 --out results/cuda-test-primitive",
    ]
    files = [word for line in asked[:2] for word in line.split() if word.endswith(".py")]
    assert len(files) == 4
    assert [file for file in files if not (ROOT / file).is_file()] == []
    for part in ("check", "test", "run", "primitive"):
        assert f"== {part}: exit code 0 after " in done.stdout
        assert (tmp_path / "results" / "gpu-logs" / f"{part}.log").exists()
    assert "results/cuda-test" in done.stdout.splitlines()[-1]


def test_a_part_that_fails_shows_its_end_and_the_others_still_run(tmp_path):
    python, log = stand_in(tmp_path, "whole_maps")
    done = run(tmp_path, python, PARTS="check run")
    assert done.returncode == 1
    assert "== check: exit code 1" in done.stdout and "it failed because" in done.stdout
    assert "a2u_bench run --ops all" in log.read_text() and "--suite primitive" not in log.read_text()


def seconds(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """What each part may take."""
    found = re.findall(r"^== (\w+): .* \(at most (\d+) s\)$", done.stdout, re.MULTILINE)
    return {what: int(most) for what, most in found}


LONG = str(100_000 + 15)
"""Seconds, so many that those that pass here do not count; in the last ones the last part ends."""


def test_each_part_has_its_share_when_those_before_it_take_all_of_theirs(tmp_path):
    python, parts = stand_in(tmp_path)[0], ["check", "test", "run", "primitive"]
    taken, percents = 0, []
    for place, part in enumerate(parts):  # bash counts its seconds from SECONDS on
        left = {"PARTS": " ".join(parts[place:]), "SECONDS": str(taken), "LIMIT": LONG}
        given = seconds(run(tmp_path, python, **left))[part]
        percents.append(round(given / 1000))
        taken += given
    assert percents == [12, 18, 52, 18]
    assert taken <= 100_000


def test_all_take_ten_minutes_at_most(tmp_path):
    given = seconds(run(tmp_path, stand_in(tmp_path)[0]))
    assert given["check"] < 1 + 0.12 * (600 - 15)
    assert max(given.values()) <= 600 - 15


def test_what_a_part_leaves_is_the_next_one_s_and_one_alone_has_all(tmp_path):
    python = stand_in(tmp_path)[0]
    given = seconds(run(tmp_path, python, LIMIT=LONG))
    assert [round(given[part] / 1000) for part in ("check", "test", "run", "primitive")] == [12, 30, 82, 100]
    assert round(seconds(run(tmp_path, python, LIMIT=LONG, PARTS="run"))["run"] / 1000) == 100


def test_an_unknown_part_is_wrong_usage(tmp_path):
    python, log = stand_in(tmp_path)
    done = run(tmp_path, python, PARTS="check chekc")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: no part chekc; allowed: check, test, run, primitive\n"
    assert not log.exists()

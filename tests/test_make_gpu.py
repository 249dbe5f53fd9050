"""What `make gpu` runs: one line without a GPU; with one every part in its order, each in its time."""

from __future__ import annotations

import os
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
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "gpu", folder / ".ci" / "gpu")
    given = {**os.environ, "PYTHON": str(python), "PYTHONPATH": str(ROOT), "NAME": "cuda-test", **environment}
    return subprocess.run([folder / ".ci" / "gpu"], env=given, capture_output=True, text=True, cwd=folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_is_one_line_and_exit_code_2_and_nothing_is_written(tmp_path):
    done = run(tmp_path, sys.executable)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --device cuda: ") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [".ci"]


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
        "-m a2u_bench run --suite primitive --device cuda --time-budget 60 --out results/cuda-test-primitive",
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


def test_an_unknown_part_is_wrong_usage(tmp_path):
    done = run(tmp_path, stand_in(tmp_path)[0], PARTS="chekc")
    assert (done.returncode, done.stderr) == (2, "error: no part chekc; allowed: check, test, run, primitive\n")

"""Ctrl-C reaches every process of a terminal: ours alone answers it, at once, and no other says a word."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="there is no forkserver here"
)

SLOW = """
import signal, time
from pathlib import Path
deaf = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
Path("loading, deaf" if deaf else "loading, not deaf").touch()
while True:
    time.sleep(0.01)
"""

RUN = """
import signal, sys
from a2u_bench import operators
from a2u_bench.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
operators.preload = lambda devices, gradients: ["slow"]
sys.exit(main(["run", "--ops", "bilinear", "--quick", "--out", "r"]))
"""


def test_a_run_whose_forkserver_still_loads_is_interrupted_at_once_and_without_a_traceback(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    places = os.pathsep.join([str(ROOT), str(tmp_path)])
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": places},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            while not list(tmp_path.glob("loading*")):
                assert run.poll() is None
                time.sleep(0.01)
            os.killpg(run.pid, signal.SIGINT)
            _, said = run.communicate(timeout=60)  # until the forkserver, which would load for ever, is gone too
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    assert [path.name for path in tmp_path.glob("loading*")] == ["loading, deaf"]  # it has no time to show it
    assert run.returncode == 130
    assert said.startswith("interrupted; no result was there to keep")
    assert said.count("\n") == 1

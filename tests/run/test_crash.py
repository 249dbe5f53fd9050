"""A run may be killed at any moment and the disk may fill up: nothing is lost, nothing is there twice."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from soak import crash

from a2u_bench.run import schedule
from a2u_bench.store.read import read_run
from a2u_bench.store.write import Store

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10


def test_a_run_killed_within_any_of_its_writes_goes_on(tmp_path):
    expected, _, _ = crash.undisturbed(tmp_path / "whole")
    first_row = (tmp_path / "whole" / "samples.jsonl").stat().st_size + 5
    told = crash._in_child(tmp_path / "run", lambda: crash._die_after(first_row))
    assert (tmp_path / "run" / "rows.jsonl").stat().st_size == 5
    crash._check(tmp_path / "run", told)
    crash._in_child(tmp_path / "run", lambda: None)
    assert crash._comparable(tmp_path / "run") == expected


def hurry() -> None:
    """From now on this process has no time for the second block of the plan."""
    crash.PLAN = replace(crash.PLAN, settings=replace(crash.PLAN.settings, time_budget=0.01))
    schedule.GRACE = 0.0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.99])
def test_cases_that_lacked_time_are_there_once_wherever_the_run_that_takes_them_up_is_killed(tmp_path, share):
    expected, _, _ = crash.undisturbed(tmp_path / "whole")
    told = crash._in_child(tmp_path / "run", hurry)
    begun = Counter((row["status"], row["stopped"]) for row in read_run(tmp_path / "run").rows)
    assert begun[("timeout", "budget")] == 5
    assert begun[("ok", "budget")] == 5
    size = sum((tmp_path / "whole" / name).stat().st_size for name in ("rows.jsonl", "samples.jsonl")) / 2
    told += crash._in_child(tmp_path / "run", lambda: crash._die_after(int(share * size)))
    crash._check(tmp_path / "run", told)
    assert len(read_run(tmp_path / "run").rows) == 10
    told += crash._in_child(tmp_path / "run", lambda: None)
    crash._check(tmp_path / "run", told)
    assert crash._comparable(tmp_path / "run") == expected


def test_a_run_killed_at_random_moments_and_resumed_is_an_undisturbed_run(tmp_path):
    expected, seconds, size = crash.undisturbed(tmp_path / "whole")
    assert len(expected) == len(crash.PLAN.cases)
    tally = crash.Tally()
    for seed in range(KILLS):
        crash.kill_once(tmp_path / str(seed), expected, seconds, size, seed, tally)
    assert tally.kills >= KILLS
    assert tally.torn


def test_the_check_for_what_was_lost_or_doubled_notices_both(tmp_path):
    crash.undisturbed(tmp_path)
    told = [(case.id,) for case in crash.PLAN.cases]
    crash._check(tmp_path, told)
    path = tmp_path / "rows.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(crash.Lost, match="lost"):
        crash._check(tmp_path, told)
    path.write_bytes(b"".join([*lines, lines[0]]))
    with pytest.raises(crash.Lost, match="twice"):
        crash._check(tmp_path, told)


def test_a_disk_that_fills_up_anywhere_leaves_whole_lines_and_a_run_that_goes_on(tmp_path):
    expected, _, _ = crash.undisturbed(tmp_path / "whole")
    largest = max(path.stat().st_size for path in (tmp_path / "whole").iterdir())
    finished = []
    for limit in (0, 100, largest // 5, largest // 2, largest - 1, largest):
        finished.append(crash.fill_disk(tmp_path / str(limit), limit))
        assert crash._comparable(tmp_path / str(limit)) == expected
    assert finished == [False] * 5 + [True]


def test_a_small_disk_that_is_really_full_is_survived(tmp_path):
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(tmp_path)], capture_output=True
    ).returncode:
        pytest.skip("no tmpfs may be mounted here")
    try:
        folder = tmp_path / "run"
        told = crash._in_child(folder, lambda: (tmp_path / "ballast").write_bytes(bytes(20_000)), may_fail=True)
        assert len(told) < 70  # sixty samples, ten rows
        crash._check(folder, told)
        (tmp_path / "ballast").unlink()
        crash.check_ends(folder)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_real_run_that_is_killed_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "a2u_bench",
        "run",
        "--ops",
        "nearest,bilinear,pixel_shuffle",
        "--shape",
        "1x4x4x4",
    ]
    command += ["--time-budget", "0", "--processes", "1", "--threads", "1", "--out", str(folder), "--resume"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in itertools.count():
        if process.poll() is not None or (folder / "samples.jsonl").exists():
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = (folder / "samples.jsonl").read_bytes()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "samples.jsonl").read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    rows = read_run(folder).rows
    assert [row["operator"] for row in rows] == ["nearest", "bilinear", "pixel_shuffle"]
    assert {row["status"] for row in rows} == {"ok"}


def test_every_line_and_the_manifest_are_synced_before_the_store_says_so(tmp_path, monkeypatch):
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    with Store.create(tmp_path, {}) as store:
        assert {os.stat(tmp_path / "manifest.json").st_ino, os.stat(tmp_path).st_ino} <= set(synced)
        for append, name in ((store.append_samples, "samples.jsonl"), (store.append_rows, "rows.jsonl")):
            synced.clear()
            append([{"case": "x", "process": 0}])
            assert {os.stat(tmp_path / name).st_ino, os.stat(tmp_path).st_ino} <= set(synced)


@pytest.mark.parametrize(
    "name", ["rows.jsonl", "samples.jsonl", "curves.jsonl", "rows.torn", "manifest.json.tmp", ".lock"]
)
def test_nothing_is_written_through_a_link(tmp_path, name):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    with Store.create(tmp_path / "run", {}) as store:
        store.append_row({"case": "x", "status": "ok"})
    (tmp_path / "run" / name).unlink(missing_ok=True)
    (tmp_path / "run" / name).symlink_to(outside)
    with pytest.raises(Exception, match="link"):
        Store.open(tmp_path / "run", {}, resume=True)
    assert outside.read_text() == "precious"

"""Jobs on a real Slurm of one node, which these tests start and stop; skipped, with the reason, where none starts."""

from __future__ import annotations

import math
import os
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from idx_files import write_images
from launched import JOBS, PLAN, case, crashing, particular, quick, stuck
from slurm.here import NoSlurm, slurm

from a2u_bench.cli import main
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.run.jobs import choose
from a2u_bench.run.jobs import command as part
from a2u_bench.run.jobs.groups import jobs as jobs_of
from a2u_bench.run.jobs.jobs import run
from a2u_bench.run.jobs.launcher import Needs, Part
from a2u_bench.run.jobs.slurm import Slurm, _uninterrupted, parse_options, private_folder
from a2u_bench.store.read import read_run
from a2u_bench.store.write import Store

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 0.1


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Path]:
    """A cluster whose commands this process and its children find."""
    pytest.importorskip("submitit")
    folder = tmp_path_factory.mktemp("slurm")
    before = dict(os.environ)
    try:
        with slurm(folder) as environment:
            os.environ.update(environment)
            os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
            yield folder
    except NoSlurm as why:
        pytest.skip(f"no Slurm here: {why}")
    finally:
        os.environ.clear()
        os.environ.update(before)


def launcher(tmp_path: Path, work=quick, options=(), jobs=None) -> Slurm:
    return Slurm(
        parse_options(options),
        jobs,
        tmp_path / "r",
        tmp_path / "jobs",
        work=work,
        sleep=lambda seconds: time.sleep(min(seconds, PAUSE)),
    )


TWO, ONE = JOBS[:2], JOBS[:1]


def queue() -> list[str]:
    done = subprocess.run(["squeue", "-h", "-r", "-o", "%i"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_an_array_of_jobs_comes_back_as_rows(cluster, tmp_path):
    with Store.create(tmp_path / "r", {}) as store:
        run(TWO, store, launcher(tmp_path, jobs=1))
        rows = store.rows
    assert len(rows) == 4
    assert len({row["node"] for row in rows}) == 2  # one job each
    assert read_run(tmp_path / "r").problems == ()
    assert not (tmp_path / "r" / "parts").exists()
    assert list((tmp_path / "jobs").iterdir()) == []


def test_jobs_with_other_needs_are_another_array(cluster, tmp_path):
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    jobs = jobs_of((case("a"), case("a", threads=2)), PLAN.settings)
    with Store.create(tmp_path / "r", {}) as store:
        run(jobs, store, launcher(tmp_path, particular))
        assert len(store.rows) == 2


def test_a_job_that_crashes_is_said_with_its_last_words_and_started_again(cluster, tmp_path):
    with Store.create(tmp_path / "r", {}) as store, pytest.raises(BenchError, match="node is on fire"):
        run(ONE, store, launcher(tmp_path, crashing))
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        run(ONE, store, launcher(tmp_path))
        assert len(store.rows) == 2


def test_a_cancelled_job_keeps_what_it_measured(cluster, tmp_path):
    folder = (tmp_path / "r" / part.PARTS / ONE[0].name).absolute()

    def cancel(seconds: float) -> None:
        if (folder / "run" / "rows.jsonl").exists() and not cancelled:
            cancelled.append(part.read_job(folder))
            subprocess.run(["scancel", *cancelled], check=True)
        time.sleep(PAUSE)

    cancelled: list[str] = []
    slow = launcher(tmp_path, stuck)
    slow._sleep = cancel
    with Store.create(tmp_path / "r", {}) as store, pytest.raises(BenchError, match="1 of cpu"):
        run(ONE, store, slow)
    assert [row["operator"] for row in read_run(tmp_path / "r").rows] == ["a"]
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        run(ONE, store, launcher(tmp_path))
        assert [row["operator"] for row in store.rows] == ["a", "b"]


def test_jobs_outlive_the_process_that_started_them_and_are_not_started_twice(cluster, tmp_path):
    folder = (tmp_path / "r" / part.PARTS / ONE[0].name).absolute()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child needs no thread of ours
        pid = os.fork()
    if pid == 0:
        with Store.create(tmp_path / "r", {}) as store:
            run(ONE, store, launcher(tmp_path, stuck))
        os._exit(1)
    while not part.read_job(folder):
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        time.sleep(PAUSE)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    job = part.read_job(folder)
    assert job in queue()
    (folder / "go").write_text("")
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        run(ONE, store, launcher(tmp_path, crashing))
        assert sorted(row["operator"] for row in store.rows) == ["a", "b"]
    assert job not in queue()


def test_what_submitit_pickles_is_private_and_nothing_in_the_run_is_a_pickle(cluster, tmp_path):
    seen: list[tuple[str, int]] = []

    def look(seconds: float) -> None:
        for path in (tmp_path / "jobs").rglob("*"):
            if path.is_dir():
                seen.append((path.name, stat.S_IMODE(path.stat().st_mode)))
        assert not [path for path in (tmp_path / "r").rglob("*") if path.suffix in (".pkl", ".pt")]
        time.sleep(PAUSE)

    watched = launcher(tmp_path)
    watched._sleep = look
    with Store.create(tmp_path / "r", {}) as store:
        run(ONE, store, watched)
    assert {mode for _, mode in seen} == {0o700}
    assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700


def test_what_slurm_refuses_is_one_line(cluster, tmp_path):
    with (
        Store.create(tmp_path / "r", {}) as store,
        pytest.raises(BenchError, match="Invalid partition"),
    ):
        run(ONE, store, launcher(tmp_path, options=["partition=nowhere"]))


def test_the_command_measures_on_the_cluster_and_prints_the_table(cluster, tmp_path):
    flags = ["--ops", "nearest", "--shape", "1x4x4x4", "--time-budget", "0", "--processes", "1", "--threads", "1"]
    flags += ["--launcher", "slurm", "--device", "cpu", "--job-folder", str(tmp_path / "jobs")]
    command = [sys.executable, "-m", "a2u_bench", "run", *flags, "--out", str(tmp_path / "r")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "nearest" in done.stdout
    run = read_run(tmp_path / "r")
    assert [row["status"] for row in run.rows] == ["ok"] * 2
    assert run.manifest["machine"]["host"] == run.rows[0]["node"]


def test_trainings_come_back_from_the_cluster_with_their_nodes(cluster, tmp_path):
    images = write_images(tmp_path / "waves")
    flags = ["--data", str(images), "--pairs", "nearest", "--epochs", "1", "--seeds", "2", "--threads", "1"]
    flags += ["--launcher", "slurm", "--device", "cpu", "--job-folder", str(tmp_path / "jobs")]
    command = [sys.executable, "-m", "a2u_bench", "quality", *flags, "--out", str(tmp_path / "r")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "conv / nearest" in done.stdout
    run = read_run(tmp_path / "r")
    assert [(row["status"], row["pair"]) for row in run.rows] == [("ok", "conv/nearest")] * 2
    assert {row["seed"] for row in run.rows} == {0, 1}
    assert list(run.manifest["machines"]) == list(run.manifest["doctors"]) == [run.rows[0]["node"]]
    assert run.manifest["machine"]["command"][1:4] == ["quality", "--data", str(images)]
    assert not (tmp_path / "r" / "parts").exists()


def test_a_training_has_the_time_of_its_partition_and_shares_its_node(cluster, tmp_path):
    def look(seconds: float) -> None:
        done = subprocess.run(["squeue", "-h", "-o", "%l %h"], capture_output=True, text=True, check=True)
        seen.update(done.stdout.splitlines())
        time.sleep(PAUSE)

    seen: set[str] = set()
    folder = tmp_path / "part"
    words = part.begin(folder, ONE[0], ONE[0].cases).words
    for alone, seconds in ((False, math.inf), (True, 3600.0)):
        slow = launcher(tmp_path, quick)
        slow._sleep = look
        assert [end[0] for end in slow.run([Part(folder, Needs("cpu", 1, alone), words)], set(), seconds)] == [folder]
    assert "1:01:00 NO" in seen
    without = seen - {"1:01:00 NO"}
    assert without
    assert without <= {"UNLIMITED OK", "365-00:00:00 OK"}  # while it waits, and as Slurm says it of one that runs


def test_ctrl_c_says_what_becomes_of_the_jobs_and_resume_gathers_them(cluster, tmp_path, monkeypatch, capsys):
    def interrupt(seconds: float) -> None:
        if list((tmp_path / "r" / part.PARTS).glob("*/run/rows.jsonl")):
            raise KeyboardInterrupt
        time.sleep(PAUSE)

    def given(work, sleep=None):
        found = launcher(tmp_path, work)
        found._sleep = sleep or found._sleep
        return lambda *words: found

    words = ["run", "--ops", "nearest,bilinear", "--shape", "1x4x4x4", "--device", "cpu", "--threads", "1"]
    words += ["--launcher", "slurm", "--out", str(tmp_path / "r")]
    monkeypatch.setattr(choose, "choose", given(stuck, interrupt))
    assert main(words) == 130
    error = capsys.readouterr().err.splitlines()[-1]
    (folder,) = (tmp_path / "r" / part.PARTS).iterdir()
    job = part.read_job(folder)
    assert job in queue()
    assert f"1 job of Slurm goes on and keeps what it measures (scancel {job.partition('_')[0]} ends it)" in error
    assert error.endswith(f"the same command with --out {tmp_path / 'r'} --resume gathers what there is and goes on")
    (folder / "go").write_text("")
    monkeypatch.setattr(choose, "choose", given(crashing))
    assert main([*words, "--resume"]) == 0
    assert sorted(row["operator"] for row in read_run(tmp_path / "r").rows) == ["bilinear", "nearest"]
    assert launcher(tmp_path).left() == ""


def test_ctrl_c_waits_until_a_submitted_job_is_known_to_its_part():
    noted = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt), _uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            child = [sys.executable, "-c", "import os; os.kill(os.getpid(), 2)"]  # 2: Ctrl-C
            noted.append(subprocess.run(child).returncode)
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted == [0]


@pytest.mark.parametrize("text", ["partition", "=gpu", "partition=", "", "a=b\n#SBATCH --uid=0"])
def test_options_that_cannot_be_read_are_wrong_usage(text):
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_options([text])


def test_a_job_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="of your own"):
        private_folder(tmp_path / "link")
    if os.getuid() == 0:
        os.chown(tmp_path / "real", 12345, -1)
        with pytest.raises(UsageError, match="of your own"):
            private_folder(tmp_path / "real")
    (tmp_path / "open").mkdir(mode=0o777)
    assert stat.S_IMODE(private_folder(tmp_path / "open").stat().st_mode) == 0o700

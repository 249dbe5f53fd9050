"""Trainings as jobs: plain data in a part, the same network on the node, every row and curve in one run, once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from idx_files import write_images
from launched import interrupted_after, options, words

from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.errors import BenchError
from a2u_bench.machine import record
from a2u_bench.machine.system import usable_cores
from a2u_bench.quality import checkpoints, pairs, presets
from a2u_bench.quality.task import task
from a2u_bench.quality.trial import Trial, jobs
from a2u_bench.run.jobs import choose
from a2u_bench.run.jobs import command as part
from a2u_bench.run.jobs.gather import gather
from a2u_bench.run.jobs.jobs import run
from a2u_bench.run.jobs.launcher import Job, Needs, Part
from a2u_bench.store.read import each_curve, read_run
from a2u_bench.store.write import Store

SCHEDULE = presets.preset("short").changed(epochs=1)


@pytest.fixture(autouse=True)
def as_it_was():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def images(tmp_path):
    return str(write_images(tmp_path / "waves"))


def planned(images: str, names: str = "nearest,twin/max_unpool", seeds: int = 1, **more: Any) -> list[Trial]:
    asked = task("reconstruction")
    problem = asked.load(images, SCHEDULE)
    found = jobs(
        pairs.read(names, asked.ways),
        SCHEDULE,
        range(seeds),
        data=problem.name,
        images=problem.images,
        test_images=problem.test_images,
        **more,
    )
    return [job.trial for job in found]


def away(trials: Sequence[Trial]) -> list[Job]:
    return [Job(trial.id, Needs("cpu", 1, alone=False), (trial.id,)) for trial in trials]


@dataclass
class Fake:
    """A launcher whose jobs are ended rows at once, or those that `dies` names die."""

    trials: Sequence[Trial]
    dies: set[str] = field(default_factory=set)
    started: list[Part] = field(default_factory=list)

    def busy(self, folders):
        return set()

    def run(self, parts: Sequence[Part], busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        for one in parts:
            self.started.append(one)
            if one.folder.name not in self.dies:
                trained(one.words, self.trials)
            yield one.folder, "it died"

    def left(self):
        return ""

    def forget(self):
        pass

    @property
    def names(self) -> list[str]:
        return [one.folder.name for one in self.started]


def trained(given: Sequence[str], trials: Sequence[Trial]) -> None:
    """What a training leaves in its part."""
    said = options(given)
    (trial,) = [trial for trial in trials if trial.id == said["only"]]
    with Store.open(Path(said["out"]), {"suite": "quality", "planned": 1}, resume=True) as store:
        store.write_manifest({"machine": {"cpu": "one"}, "doctor": {"grade": "B", "findings": []}})
        store.append_curve({"case": trial.id, "loss": [0.5]})
        store.append_row(make_row(trial, "ok", "", {"psnr": 20.0, "train_time": 2.0, "node": "n1"}))


def test_each_pair_and_seed_is_one_job_and_all_come_into_one_run(tmp_path, images):
    given = planned(images, seeds=2)
    launcher = Fake(given)
    with Store.create(tmp_path / "r", {"suite": "quality"}) as store:
        run(away(given), store, launcher)
    ids = [trial.id for trial in given]
    assert launcher.names == ids
    found = read_run(tmp_path / "r")
    assert [(row["case"], row["node"]) for row in found.rows] == [(one, "n1") for one in ids]
    assert [curve["case"] for curve in each_curve(tmp_path / "r")] == ids
    assert list(found.manifest["machines"]) == ["n1"]
    assert not (tmp_path / "r" / "parts").exists()


def test_only_what_is_missing_is_started_again(tmp_path, images):
    given = planned(images, seeds=2)
    dead = given[2].id
    with (
        Store.create(tmp_path / "r", {"suite": "quality"}) as store,
        pytest.raises(BenchError, match=rf"1 of {dead} \(it died\); --resume"),
    ):
        run(away(given), store, Fake(given, dies={dead}))
    again = Fake(given)
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        run(away(given), store, again)
    assert again.names == [dead]
    assert len(read_run(tmp_path / "r").rows) == 4


@pytest.mark.parametrize("appends", range(3))
def test_gathering_a_training_that_is_interrupted_copies_row_and_curve_once(tmp_path, images, monkeypatch, appends):
    given, folder = planned(images)[0], tmp_path / "part"
    trained(words(folder, away([given])[0]), [given])

    with Store.create(tmp_path / "r", {}) as store, interrupted_after(appends):
        gather(folder, store)
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        gather(folder, store)
    assert not folder.exists()
    assert [row["case"] for row in read_run(tmp_path / "r").rows] == [given.id]
    assert [curve["case"] for curve in each_curve(tmp_path / "r")] == [given.id]


TINY = ("--epochs", "1", "--seeds", "1", "--threads", "1")


def quality(*arguments: object) -> int:
    return main(["quality", *map(str, arguments)])


def a_job(folder: Path, images: str, epochs: int) -> list[str]:
    """The command line of the first of two trainings as a job in this part."""
    (first, *_) = planned(images)
    trial = replace(first, epochs=epochs)
    ours = (f"--data={images}", f"--epochs={epochs}", f"--checkpoints={folder / part.CHECKPOINTS}")
    line = ("quality", "--pairs=nearest,twin/max_unpool", "--seeds=1", "--device=cpu", "--threads=1", *ours)
    return list(words(folder, Job(trial.id, Needs("cpu", 1), (trial.id,), line)))


def test_a_job_trains_its_own_pair_and_keeps_its_checkpoint_in_its_part(tmp_path, images, monkeypatch):
    monkeypatch.setattr(record, "record", lambda **_: {})
    seen: list[Path] = []
    save = checkpoints.save

    def watched(path, state):
        seen.append(path)
        save(path, state)

    monkeypatch.setattr(checkpoints, "save", watched)
    given = a_job(tmp_path / "p", images, 1)
    assert main(given) == 0
    assert {path.parent for path in seen} == {tmp_path / "p" / "checkpoints"}
    found = read_run(tmp_path / "p" / part.RUN)
    assert [(row["case"], row["status"], row["task"]) for row in found.rows] == [
        (options(given)["only"], "ok", "reconstruction")
    ]
    assert found.manifest["doctor"]["grade"]
    assert found.manifest["planned"] == 1


def test_a_job_that_was_killed_goes_on_in_its_part_to_the_same_curve(tmp_path, images, monkeypatch):
    monkeypatch.setattr(record, "record", lambda **_: {})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(a_job(whole, images, 3)) == 0
    save, saved = checkpoints.save, []

    def stop(path, state):
        save(path, state)
        saved.append(len(state["curve"]["loss"]))
        if saved == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", stop)
    assert main(a_job(killed, images, 3)) == 130
    assert main(a_job(killed, images, 3)) == 0
    assert saved == [1, 2, 3]
    one, two = (list(each_curve(folder / part.RUN)) for folder in (whole, killed))
    assert [{**curve, "seconds": None} for curve in one] == [{**curve, "seconds": None} for curve in two]


def test_a_training_that_this_machine_does_not_plan_is_wrong_usage(tmp_path, images, capsys):
    given = a_job(tmp_path / "p", images, 1)
    assert main([*given[:-1], "--only=nearest-0"]) == 2
    assert "plans no such training" in capsys.readouterr().err
    assert main([*given, "--data-digest=0"]) == 2
    assert "has others there than the one that planned the run" in capsys.readouterr().err
    assert main([*given, f"--data={tmp_path / 'gone'}"]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_run_does_not_go_on_with_other_data_under_the_same_name(tmp_path, images, capsys):
    command = ("--data", images, "--pairs", "nearest", *TINY, "--out", tmp_path / "r")
    assert quality(*command) == 0
    path = tmp_path / "r" / "manifest.json"
    content = json.loads(path.read_text())
    content["data"]["sha256"] = dict.fromkeys(content["data"]["sha256"], "0")
    path.write_text(json.dumps(content))
    assert quality(*command, "--resume") == 2
    assert "is of other data" in capsys.readouterr().err


def test_a_pool_of_jobs_trains_to_the_rows_of_one_process(tmp_path, images, capfd):
    if usable_cores() < 2:
        pytest.skip("one core")
    flags = ("--data", images, "--pairs", "nearest,twin/max_unpool", *TINY)
    assert quality(*flags, "--out", tmp_path / "one") == 0
    assert quality(*flags, "--jobs", "2", "--out", tmp_path / "two") == 0
    assert "twin / max unpooling" in capfd.readouterr().out
    one, two = (
        sorted(
            ({**row, "train_time": None, "core_time": None} for row in read_run(tmp_path / name).rows),
            key=lambda row: row["pair"],
        )
        for name in ("one", "two")
    )
    assert one == two
    manifest = read_run(tmp_path / "two").manifest
    assert list(manifest["machines"]) == [two[0]["node"]]
    assert manifest["doctors"][two[0]["node"]]["grade"]
    assert sorted(path.name for path in (tmp_path / "two").iterdir() if path.name != ".lock") == [
        "curves.jsonl",
        "manifest.json",
        "rows.jsonl",
    ]


def test_a_dry_run_prints_the_plan_and_knows_the_time_from_rows_alone(tmp_path, images, capsys):
    out = tmp_path / "run"
    flags = ("--data", images, "--pairs", "nearest,twin/max_unpool", "--epochs", "1", "--seeds", "2", "--threads", "1")
    assert quality(*flags, "--dry-run", "--launcher", "slurm", "--device", "cpu", "--out", out) == 0
    said = capsys.readouterr().out
    assert "conv/nearest" in said
    assert said.endswith(
        "4 trainings to do, 4 jobs; how long is not known before a first training has ended; nothing was done\n"
    )
    assert not out.exists()
    asked = presets.preset("short").changed(epochs=1)
    assert asked == SCHEDULE
    given = planned(images, seeds=2, threads=1)
    with Store.create(out, {"suite": "quality"}) as store:
        for one, seconds in ((given[0], 40.0), (given[1], 100.0)):
            store.append_row(make_row(one, "ok", "", {"train_time": seconds}))
    (tmp_path / "file").touch()
    assert quality(*flags, "--dry-run", "--device", "cpu", "--out", tmp_path / "file") == 2
    again = (*flags, "--dry-run", "--out", out, "--resume")
    assert quality(*again) == 0
    assert "2 jobs, about 2 min 20 s by the training times of 2 rows of this run;" in capsys.readouterr().out
    assert quality(*again, "--launcher", "slurm", "--device", "cpu", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["trainings"], content["seconds"]) == (2, 110.0)
    assert [(one["pair"], one["seed"], one["seconds"]) for one in content["jobs"]] == [
        ("conv/nearest", 1, 40.0),
        ("twin/max_unpool", 1, 100.0),
    ]


WRONG = {
    "an unknown launcher": (["--launcher", "slrum"], "slurm"),
    "no jobs": (["--jobs", "0"], "--jobs 0"),
    "options of a cluster for this machine": (["--slurm", "partition=x"], "--launcher slurm"),
    "a cluster whose devices are unknown": (["--launcher", "slurm"], "--device cuda"),
    "more jobs than cores": (["--jobs", "10000", "--threads", "1"], f"this machine has {len(os.sched_getaffinity(0))}"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_one_line(name, images, capsys, tmp_path):
    flags, said = WRONG[name]
    assert quality("--data", images, "--pairs", "nearest", *flags, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not (tmp_path / "r").exists()


def test_interrupted_trainings_say_what_goes_on_and_what_gathers_it(images, capsys, tmp_path, monkeypatch):
    trials = planned(images)

    class Away(Fake):
        def run(self, parts, busy, seconds):
            yield from super().run(parts[:1], busy, seconds)
            raise KeyboardInterrupt

        def left(self):
            return "1 job of Slurm goes on"

    monkeypatch.setattr(choose, "choose", lambda *given: Away(trials))
    flags = ("--data", images, "--pairs", "nearest,twin/max_unpool", *TINY, "--out", tmp_path / "r")
    assert quality(*flags) == 130
    out, error = capsys.readouterr()
    assert "conv / nearest" in out
    assert error.splitlines()[-1] == (
        f"interrupted; 1 row is kept in {tmp_path / 'r'}; 1 job of Slurm goes on; "
        f"the same command with --out {tmp_path / 'r'} --resume gathers what there is and goes on"
    )
    last = Fake(trials)
    monkeypatch.setattr(choose, "choose", lambda *given: last)
    assert quality(*flags, "--resume") == 0
    assert len(read_run(tmp_path / "r").rows) == 2
    (only,) = last.started
    assert only.needs == Needs("cpu", 1, alone=False)
    said = options(only.words)
    assert said["data"] == images
    assert (said["device"], said["threads"], said["epochs"]) == ("cpu", "1", "1")
    assert said["checkpoints"] == str(only.folder / "checkpoints")
    assert len(said["data-digest"]) == 16
    assert not {"jobs", "launcher"} & said.keys()

"""Trainings as jobs: plain data in a part, the same network on the node, every row and curve in one run, once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from idx_files import write_images

from a2u_bench import machine
from a2u_bench.cli import main
from a2u_bench.errors import BenchError
from a2u_bench.launch import choose, job, lesson, part
from a2u_bench.launch.gather import gather
from a2u_bench.launch.groups import Needs
from a2u_bench.launch.launcher import Parts
from a2u_bench.launch.lesson import Lesson, lessons
from a2u_bench.launch.train import needs, train
from a2u_bench.quality import pairs, presets
from a2u_bench.quality.task import task
from a2u_bench.quality.trial import jobs
from a2u_bench.record import make_row
from a2u_bench.runs import each_curve, read_run
from a2u_bench.store import Store
from a2u_bench.system import usable_cores

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


def planned(images: str, names: str = "nearest,twin/max_unpool", seeds: int = 1, **more: Any) -> list[Lesson]:
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
    return lessons(list(found), problem, images, None)


@dataclass
class Fake:
    """A launcher whose jobs are ended rows at once, or those that `dies` names die."""

    dies: set[str] = field(default_factory=set)
    started: list[str] = field(default_factory=list)
    needed: list[Needs] = field(default_factory=list)
    at_once: int | None = None

    def busy(self, folders):
        return set()

    def run(self, parts: Parts, busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        for needed, folder in parts:
            self.started.append(folder.name)
            self.needed.append(needed)
            if folder.name not in self.dies:
                trained(folder)
            yield folder, "it died"

    def left(self):
        return ""

    def forget(self):
        pass


def trained(folder: Path) -> None:
    """What a training leaves in its part."""
    trial = lesson.read(folder).job.trial
    with Store.open(folder / part.RUN, {"suite": "quality"}, resume=True) as store:
        store.write_manifest({"machine": {"cpu": "one"}, "doctor": {"grade": "B", "findings": []}})
        store.append_curve({"case": trial.id, "loss": [0.5]})
        store.append_row(make_row(trial, "ok", "", {"psnr": 20.0, "train_time": 2.0, "node": "n1"}))


def test_a_training_goes_through_its_part_unchanged(tmp_path, images):
    for given in planned(images, "nearest,twin/a2u:rank=2", 2):
        given = replace(given, checkpoints=tmp_path / "c")
        lesson.write(tmp_path / "p", given)
        assert lesson.read(tmp_path / "p") == given
        assert part.ids(tmp_path / "p") == (given.job.trial.id,)
        assert lesson.is_lesson(tmp_path / "p")
    assert [path.suffix for path in (tmp_path / "p").iterdir()] == [".json"]  # plain data, and no pickle


def test_a_training_of_the_matting_network_goes_through_its_part_unchanged(tmp_path):
    asked = task("matting")
    found = jobs(
        pairs.read("core", asked.ways),
        presets.preset("short", asked.presets),
        [3],
        data="synthetic",
        images=8,
        test_images=4,
        task="matting",
        device="cuda",
    )
    for one in found:
        given = Lesson(one, "synthetic", {})
        lesson.write(tmp_path / "p", given)
        assert lesson.read(tmp_path / "p") == given
        assert needs(given) == Needs("cuda", 1, alone=False)


def changed(content: dict[str, Any], **trial: Any) -> dict[str, Any]:
    return {**content, "trial": {**content["trial"], **trial}}


DAMAGE = {
    "no trial": lambda content: {**content, "trial": 7},
    "an operator that is none": lambda content: changed(content, pair="conv/bilinaer"),
    "a way down that is none": lambda content: changed(content, pair="../bilinear"),
    "a task that is none": lambda content: changed(content, task="mating"),
    "a pair that is no text": lambda content: changed(content, pair=7),
    "a label of another version": lambda content: changed(content, variant="another"),
    "a field that is unknown": lambda content: changed(content, colour="blue"),
    "no schedule": lambda content: {**content, "preset": {}},
    "a checkpoint that is no path": lambda content: {**content, "checkpoints": 7},
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_plan_of_a_training_that_is_not_ours_is_refused_in_one_line(tmp_path, images, name):
    lesson.write(tmp_path / "p", planned(images)[0])
    path = tmp_path / "p" / part.PLAN
    path.write_text(json.dumps(DAMAGE[name](json.loads(path.read_text()))))
    with pytest.raises(BenchError) as caught:
        lesson.read(tmp_path / "p")
    assert "\n" not in str(caught.value)


def test_other_data_under_the_same_name_are_not_trained_on(tmp_path, images):
    given = planned(images)[0]
    assert lesson.load(given).images == 8
    for wrong in (
        replace(given, sha256={"train": "0", "test": "0"}),
        replace(given, job=replace(given.job, trial=replace(given.job.trial, images=9))),
    ):
        with pytest.raises(BenchError, match="others there"):
            lesson.load(wrong)
    with pytest.raises(BenchError, match="no such folder"):
        lesson.load(replace(given, data=str(tmp_path / "gone")))


def test_each_pair_and_seed_is_one_job_and_all_come_into_one_run(tmp_path, images):
    launcher, given = Fake(), planned(images, seeds=2)
    with Store.create(tmp_path / "r", {"suite": "quality"}) as store:
        rows = train(given, store, launcher)
    ids = [one.job.trial.id for one in given]
    assert launcher.started == ids
    assert set(launcher.needed) == {Needs("cpu", 1, alone=False)}
    found = read_run(tmp_path / "r")
    assert found.rows == rows
    assert [(row["case"], row["node"]) for row in found.rows] == [(one, "n1") for one in ids]
    assert [curve["case"] for curve in each_curve(tmp_path / "r")] == ids
    assert found.manifest["machines"] == {"n1": {"cpu": "one"}}
    assert not (tmp_path / "r" / "parts").exists()


def test_only_what_is_missing_is_started_again(tmp_path, images):
    given = planned(images, seeds=2)
    dead = given[2].job.trial.id
    with (
        Store.create(tmp_path / "r", {"suite": "quality"}) as store,
        pytest.raises(BenchError, match=rf"1 of {dead} \(it died\); --resume"),
    ):
        train(given, store, Fake(dies={dead}))
    again = Fake()
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        assert [row["case"] for row in train(given, store, again)] == [dead]
    assert again.started == [dead]
    assert len(read_run(tmp_path / "r").rows) == 4


@pytest.mark.parametrize("appends", range(3))
def test_gathering_a_training_that_is_interrupted_copies_row_and_curve_once(tmp_path, images, monkeypatch, appends):
    given, folder, left = planned(images)[0], tmp_path / "part", appends
    lesson.write(folder, given)
    trained(folder)

    class Dies(Exception):
        pass

    real = Store._append

    def append(self: Store, name, lines):
        nonlocal left
        if left == 0:
            raise Dies
        left -= 1
        real(self, name, lines)

    with Store.create(tmp_path / "r", {}) as store:
        monkeypatch.setattr(Store, "_append", append)
        with suppress(Dies):
            gather(folder, store)
    monkeypatch.setattr(Store, "_append", real)
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        gather(folder, store)
    assert not folder.exists()
    assert [row["case"] for row in read_run(tmp_path / "r").rows] == [given.job.trial.id]
    assert [curve["case"] for curve in each_curve(tmp_path / "r")] == [given.job.trial.id]


def test_a_job_trains_what_its_part_says_and_keeps_its_checkpoint_there(tmp_path, images, monkeypatch):
    from a2u_bench.quality import checkpoints

    monkeypatch.setattr(machine, "record", lambda argv, **_: {"command": argv})
    monkeypatch.setattr(sys, "argv", ["a2u-bench", "quality"])
    given = planned(images)[0]
    lesson.write(tmp_path, given)
    seen: list[Path] = []
    save = checkpoints.save

    def watched(path, state):
        seen.append(path)
        save(path, state)

    monkeypatch.setattr(checkpoints, "save", watched)
    job.work(str(tmp_path))
    assert {path.parent for path in seen} == {tmp_path / "checkpoints"}
    found = read_run(tmp_path / part.RUN)
    assert [(row["case"], row["status"], row["task"]) for row in found.rows] == [
        (given.job.trial.id, "ok", "reconstruction")
    ]
    assert found.manifest["machine"] == {"command": ["a2u-bench", "quality"]}
    assert found.manifest["doctor"]["grade"]


def test_a_job_that_was_killed_goes_on_in_its_part_to_the_same_curve(tmp_path, images, monkeypatch):
    from a2u_bench.quality import checkpoints

    monkeypatch.setattr(machine, "record", lambda argv, **_: {})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    longer = replace(SCHEDULE, epochs=3)
    given = planned(images)[0]
    trial = replace(given.job.trial, epochs=3)
    for folder in (whole, killed):
        lesson.write(folder, replace(given, job=replace(given.job, trial=trial, preset=longer)))
    job.work(str(whole))
    save, saved = checkpoints.save, []

    def stop(path, state):
        save(path, state)
        saved.append(len(state["curve"]["loss"]))
        if saved == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        job.work(str(killed))
    lesson.write(killed, lesson.read(killed))  # as resuming does
    job.work(str(killed))
    assert saved == [1, 2, 3]
    one, two = (list(each_curve(folder / part.RUN)) for folder in (whole, killed))
    assert [{**curve, "seconds": None} for curve in one] == [{**curve, "seconds": None} for curve in two]


TINY = ("--epochs", "1", "--seeds", "1", "--threads", "1")


def quality(*arguments: object) -> int:
    return main(["quality", *map(str, arguments)])


def test_a_pool_of_jobs_trains_to_the_rows_of_one_process(tmp_path, images, capfd):
    if usable_cores() < 2:
        pytest.skip("one core")
    words = ("--data", images, "--pairs", "nearest,twin/max_unpool", *TINY)
    assert quality(*words, "--out", tmp_path / "one") == 0
    assert quality(*words, "--jobs", "2", "--out", tmp_path / "two") == 0
    assert "twin/max_unpool" in capfd.readouterr().out
    one, two = (
        sorted(({**row, "train_time": None} for row in read_run(tmp_path / name).rows), key=lambda row: row["pair"])
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
    words = ("--data", images, "--pairs", "nearest,twin/max_unpool", "--epochs", "1", "--seeds", "2", "--threads", "1")
    assert quality(*words, "--dry-run", "--launcher", "slurm", "--device", "cpu", "--out", out) == 0
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
            store.append_row(make_row(one.job.trial, "ok", "", {"train_time": seconds}))
    again = (*words, "--dry-run", "--out", out, "--resume")
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
    class Away(Fake):
        def run(self, parts, busy, seconds):
            yield from super().run(parts[:1], busy, seconds)
            raise KeyboardInterrupt

        def left(self):
            return "1 job of Slurm goes on"

    monkeypatch.setattr(choose, "choose", lambda *given: Away())
    words = ("--data", images, "--pairs", "nearest,twin/max_unpool", *TINY, "--out", tmp_path / "r")
    assert quality(*words) == 130
    out, error = capsys.readouterr()
    assert "conv/nearest" in out
    assert error.splitlines()[-1] == (
        f"interrupted; 1 row is kept in {tmp_path / 'r'}; 1 job of Slurm goes on; "
        f"the same command with --out {tmp_path / 'r'} --resume gathers what there is and goes on"
    )
    monkeypatch.setattr(choose, "choose", lambda *given: Fake())
    assert quality(*words, "--resume") == 0
    assert len(read_run(tmp_path / "r").rows) == 2


def test_data_are_named_so_that_every_folder_finds_them(tmp_path, images, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert planned("./waves")[0].data == str(tmp_path / "waves")
    problem = task("reconstruction").load("natural", SCHEDULE.changed(train_images=2, test_images=2))
    assert lessons([planned("./waves")[0].job], problem, "natural", Path("c"))[0].data == "natural"
    with_folder = lessons([planned("./waves")[0].job], problem, "natural", Path("c"))[0]
    assert with_folder.checkpoints == tmp_path / "c" / with_folder.job.trial.id
    assert needs(with_folder).alone is False

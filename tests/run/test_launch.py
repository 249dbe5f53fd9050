"""Jobs instead of this process: cases in groups, a job for each group, everything gathered once, in any weather."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from launched import JOBS, PLAN, asked, case, interrupted_after, measured, options, words
from soak import study

from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.machine.system import usable_cores
from a2u_bench.run.forecast import OTHERWISE
from a2u_bench.run.jobs import choose
from a2u_bench.run.jobs import command as part
from a2u_bench.run.jobs.gather import gather
from a2u_bench.run.jobs.groups import jobs
from a2u_bench.run.jobs.jobs import run
from a2u_bench.run.jobs.launcher import Job, Needs, Part
from a2u_bench.run.jobs.local import Local, Place, places
from a2u_bench.store.read import read_run, read_samples
from a2u_bench.store.write import Store
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import make as make_view

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Fake:
    """A launcher that measures at once; `does` says by part how many cases a job comes to before it dies."""

    does: dict[int, int] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    started: list[str] = field(default_factory=list)
    forgotten: bool = False

    def busy(self, folders):
        return {folder for folder in folders if folder.name in self.away}

    def run(self, parts: Sequence[Part], busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        for index, one in enumerate(parts):
            if one.folder not in busy:
                self.started.append(one.folder.name)
            measured(one.words, f"n{index}", self.does.get(index, 100))
            yield one.folder, "it died"

    def left(self):
        return ""

    def forget(self):
        self.forgotten = True


def launched(folder: Path, launcher: Fake, resume: bool = False) -> Sequence[Mapping[str, Any]]:
    """The new rows."""
    new: list[Mapping[str, Any]] = []
    with Store.open(folder, PLAN.to_manifest(), resume=resume) as store:
        run(JOBS, store, launcher, new.append)
    return new


def test_a_job_is_all_operators_on_one_workload_and_its_name_says_which():
    cases = [case("a"), case("b", 8), case("b"), case("a", threads=2), case("a", device="cuda")]
    found = jobs(cases, PLAN.settings)
    assert [job.cases for job in found] == [
        (cases[0].id, cases[2].id),
        *((cases[place].id,) for place in (1, 3, 4)),
    ]
    assert len({job.name for job in found}) == 4
    assert found[0].name.startswith("cpu-1x8x4x4-")
    assert [job.needs for job in found][2:] == [Needs("cpu", 2), Needs("cuda", 1)]
    assert jobs([case("z")], PLAN.settings)[0].name == found[0].name


def test_a_job_is_the_command_line_with_its_folder_and_its_cases(tmp_path):
    found = part.begin(tmp_path / "p", Job("p", Needs("cpu", 1), ("a-1", "b-2"), ("run", "--ops=a,b")), ["b-2"])
    assert found.words == ("run", "--ops=a,b", f"--out={tmp_path / 'p' / 'run'}", "--resume", "--only=b-2")
    assert list((tmp_path / "p").iterdir()) == []


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": "other"}', "\x00"])
def test_a_part_whose_run_cannot_be_read_is_left_alone_and_started_again(tmp_path, content):
    folder = tmp_path / "r" / part.PARTS / JOBS[0].name / part.RUN
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(content)
    with Store.create(tmp_path / "other", {}) as store:
        assert gather(folder.parent, store) == []
    assert folder.exists()


@pytest.mark.parametrize("job", ["", "12; rm -rf /", "--all", "../x", "1_2_3", 7, None, "9" * 300])
def test_a_job_number_that_is_none_is_never_asked_for(tmp_path, job):
    (tmp_path / "job.json").write_text(json.dumps({"job": job}))
    assert part.read_job(tmp_path) == ""


def test_every_group_is_one_job_and_all_rows_come_into_one_run_with_their_nodes(tmp_path):
    launcher = Fake()
    rows = launched(tmp_path / "r", launcher)
    assert len(launcher.started) == 3
    stored = read_run(tmp_path / "r")
    assert stored.problems == ()
    assert stored.rows == rows
    assert [(row["operator"], row["status"], row["node"]) for row in rows] == [
        (name, "ok", node) for node in ("n0", "n1", "n2") for name in "ab"
    ]
    assert stored.manifest["machine"]["cpu"] == "n0"
    assert {node: of["cpu"] for node, of in stored.manifest["machines"].items()} == {n: n for n in ("n0", "n1", "n2")}
    assert not (tmp_path / "r" / "parts").exists()
    assert launcher.forgotten


def test_machines_grades_and_ceilings_are_kept_by_node_and_tables_say_where_they_differ(tmp_path, capsys):
    nodes = (("n1", "B", 1.0), ("n2", "D", 3.0), ("n1", "C", 2.0))
    with Store.create(tmp_path / "r", {}) as store:
        for job, (node, grade, rate) in zip(JOBS, nodes, strict=True):
            facts = {
                "machine": {"cpu": f"of {node}"},
                "doctor": {"grade": grade, "findings": []},
                "ceilings": [{"device": "cpu", "threads": 1, "copy": [[64, 4 - rate]], "matrix": {"float32": rate}}],
            }
            measured(words(tmp_path / job.name, job), node, facts=facts)
            gather(tmp_path / job.name, store)
    found = read_run(tmp_path / "r")
    assert {node: of["cpu"] for node, of in found.manifest["machines"].items()} == {"n1": "of n1", "n2": "of n2"}
    assert {node: report["grade"] for node, report in found.manifest["doctors"].items()} == {"n1": "C", "n2": "D"}
    assert found.manifest["ceilings"] == [
        {"node": "n1", "device": "cpu", "threads": 1, "copy": [[64, 3.0]], "matrix": {"float32": 2.0}},
        {"node": "n2", "device": "cpu", "threads": 1, "copy": [[64, 1.0]], "matrix": {"float32": 3.0}},
    ]
    notes = make_view([found], Request()).notes
    assert "the runs are of machines that differ: cpu: of n1 (n1) / of n2 (n2)" in notes
    assert [note.partition(",")[0] for note in notes if note.startswith("environment")] == [
        "environment: grade C on n1",
        "environment: grade D on n2",
    ]
    assert main(["doctor", str(tmp_path / "r")]) == 0
    said = capsys.readouterr().out
    assert "n1: grade" in said
    assert "n2: grade" in said
    assert main(["doctor", str(tmp_path / "r"), "--json"]) == 0
    assert sorted(json.loads(capsys.readouterr().out)) == ["n1", "n2"]


def test_the_command_in_a_run_of_jobs_is_the_one_that_was_typed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/a2u-bench", "run", "--launcher", "slurm"])
    measured(words(tmp_path / "p", JOBS[0]), facts={"machine": {"cpu": "x", "command": ["a2u-bench", "--only=a"]}})
    with Store.create(tmp_path / "r", {}) as store:
        gather(tmp_path / "p", store)
    assert read_run(tmp_path / "r").manifest["machine"]["command"] == ["a2u-bench", "run", "--launcher", "slurm"]


def test_processes_of_different_jobs_have_different_numbers(tmp_path):
    launched(tmp_path / "r", Fake())
    seen: dict[int, set[str]] = {}
    for sample in read_samples(tmp_path / "r")[0]:
        seen.setdefault(sample["process"], set()).add(sample["part"])
    assert sorted(seen) == list(range(6))
    assert all(len(parts) == 1 for parts in seen.values())


def test_a_job_that_dies_is_said_with_the_others_gathered_and_only_it_is_started_again(tmp_path):
    first = Fake(does={0: 0, 2: 1})
    with pytest.raises(BenchError, match=r"2 of cpu-1x8x4x4-\w+ \(it died\); 1 of cpu-1x8x16x4-\w+ .*--resume"):
        launched(tmp_path / "r", first)
    assert not first.forgotten
    assert len(read_run(tmp_path / "r").rows) == 0 + 2 + 1
    again = Fake()
    rows = launched(tmp_path / "r", again, resume=True)
    assert again.started == [first.started[0], first.started[2]]
    assert len(rows) == 3
    final = read_run(tmp_path / "r")
    assert sorted(row["case"] for row in final.rows) == sorted(one.id for one in PLAN.cases)
    assert final.problems == ()
    assert not (tmp_path / "r" / "parts").exists()


def test_what_a_job_measured_while_nobody_watched_is_gathered_without_a_new_job(tmp_path):
    with Store.create(tmp_path / "r", PLAN.to_manifest()) as store:
        for job in JOBS:
            measured(words(store.folder / part.PARTS / job.name, job))
    launcher = Fake()
    assert len(launched(tmp_path / "r", launcher, resume=True)) == 6
    assert launcher.started == []


def test_a_job_that_still_runs_is_awaited_not_started_twice(tmp_path):
    away = JOBS[1]
    with Store.create(tmp_path / "r", PLAN.to_manifest()) as store:
        words((store.folder / part.PARTS / away.name).absolute(), away)
    launcher = Fake(away={away.name})
    assert len(launched(tmp_path / "r", launcher, resume=True)) == 6
    assert len(launcher.started) == 2
    assert away.name not in launcher.started


@pytest.mark.parametrize("appends", range(6))
def test_gathering_that_is_interrupted_anywhere_copies_each_row_and_sample_once(tmp_path, monkeypatch, appends):
    from a2u_bench.store import merge

    monkeypatch.setattr(merge, "HELD", 3)
    folder, job = tmp_path / "part", JOBS[0]
    measured(words(folder, job))

    with Store.create(tmp_path / "r", {}) as store:
        store.append_samples([{"case": "x", "process": 4, "round": 0, "latency": [1.0]}])
        with interrupted_after(appends):
            gather(folder, store)
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        gather(folder, store)
    assert not folder.exists()
    assert sorted(row["operator"] for row in read_run(tmp_path / "r").rows) == ["a", "b"]
    copied = [s for s in read_samples(tmp_path / "r")[0] if s["case"] != "x"]
    keys = [(s["case"], s["process"], s["round"]) for s in copied]
    assert sorted(keys) == sorted((one, p, i) for one in job.cases for p in (5, 6) for i in (0, 1))


@dataclass
class Hurried(Fake):
    """A launcher whose jobs have no time for the last case of their part while `hurry` holds."""

    hurry: bool = True

    def run(self, parts: Sequence[Part], busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        for one in parts:
            cases = asked(one.words)
            self.started += [case.operator for case in cases]
            measured(one.words, only=len(cases) - self.hurry)
            with Store.open(Path(options(one.words)["out"]), {}, resume=True) as store:
                late = [case for case in cases if case.id not in store.finished]
                store.append_rows([make_row(case, "timeout", "no time", {"stopped": "budget"}) for case in late])
            yield one.folder, ""


def test_a_case_that_a_job_had_no_time_for_is_no_error_and_is_measured_when_the_run_goes_on(tmp_path):
    launched(tmp_path / "r", Hurried())
    ended = {row["operator"]: (row["status"], row["stopped"]) for row in read_run(tmp_path / "r").rows}
    assert ended == {"a": ("ok", None), "b": ("timeout", "budget")}
    assert not (tmp_path / "r" / "parts").exists()
    launched(tmp_path / "r", Hurried(), resume=True)  # in vain: a part with one case has no time for it
    again = Hurried(hurry=False)
    launched(tmp_path / "r", again, resume=True)
    assert again.started == ["b"] * 3
    found = read_run(tmp_path / "r")
    assert (len(found.rows), found.problems) == (6, ())
    assert {row["status"] for row in found.rows} == {"ok"}
    keys = [(s["case"], s["process"], s["round"]) for s in read_samples(tmp_path / "r")[0]]
    assert len(keys) == len(set(keys)) == 6 * 2 * 2
    assert not (tmp_path / "r" / "parts").exists()


def test_what_a_job_timed_of_a_case_before_it_had_no_time_for_it_stays_in_its_part(tmp_path):
    folder, late = tmp_path / "part", PLAN.cases[1]
    given = words(folder, JOBS[0])
    measured(given, only=1)
    with Store.open(folder / part.RUN, {}, resume=True) as store:
        store.append_samples([{"case": late.id, "process": 1, "round": 2, "latency": [1.0]}])
        store.append_row(make_row(late, "timeout", "no time", {"stopped": "budget"}))
    with Store.create(tmp_path / "r", {}) as store:
        assert [row["operator"] for row in gather(folder, store)] == ["a"]
        measured(given)
        assert [row["operator"] for row in gather(folder, store)] == ["b"]
    assert not folder.exists()
    assert len([s for s in read_samples(tmp_path / "r")[0] if s["case"] == late.id]) == 1 + 4


def test_samples_of_the_reference_come_with_each_part_that_it_was_timed_in_once(tmp_path):
    (_, late), reference = PLAN.cases[:2], case("ref")
    folder, given = tmp_path / "part", words(tmp_path / "part", JOBS[0])
    with Store.create(tmp_path / "r", {"reference": "ref"}) as store:
        store.append_samples([{"case": reference.id, "process": 0, "round": 0, "latency": [1.0]}])
        store.append_row(make_row(reference, "ok", "", {}))
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        measured(given, only=1, beside=reference)
        assert [row["operator"] for row in gather(folder, store)] == ["a"]
        measured(given, beside=reference)
        assert [row["operator"] for row in gather(folder, store)] == ["b"]
    with Store.open(tmp_path / "r", {}, resume=True) as store:  # the same workload once more, with another operator
        again, more = jobs([case("d")], PLAN.settings)[0], [case("d")]
        assert again.name == JOBS[0].name
        measured(words(folder, again), cases=more, beside=reference)
        assert [row["operator"] for row in gather(folder, store)] == ["d"]
    samples = read_samples(tmp_path / "r")[0]
    keys = [(s["case"], s["process"], s["round"]) for s in samples]
    assert len(keys) == len(set(keys))
    assert {s["process"] for s in samples if s["case"] == reference.id} == {0, 1, 2, 3, 4, 5, 6}
    assert {s["process"] for s in samples if s["case"] == late.id} == {3, 4}
    assert {s["process"] for s in samples if s["case"] == more[0].id} == {5, 6}


def test_a_part_that_is_a_link_is_left_alone(tmp_path):
    outside = tmp_path / "outside"
    measured(words(outside, JOBS[0]))
    with Store.create(tmp_path / "r", {}) as store:
        (store.folder / "parts").mkdir()
        (store.folder / "parts" / "evil").symlink_to(outside)
    launched(tmp_path / "r", Fake(), resume=True)
    assert (outside / "run" / "rows.jsonl").exists()


@pytest.mark.parametrize("inner", ["", "run", "checkpoints"])
def test_a_part_that_is_needed_and_leads_elsewhere_is_refused_and_nothing_is_written_there(tmp_path, inner):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / "r" / part.PARTS / JOBS[1].name / inner
    with Store.create(tmp_path / "r", PLAN.to_manifest()):
        link.parent.mkdir(parents=True)
        link.symlink_to(outside)
    with pytest.raises(UsageError, match="is a link"):
        launched(tmp_path / "r", Fake(), resume=True)
    assert list(outside.iterdir()) == []


def test_parts_that_lead_elsewhere_are_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    with Store.create(tmp_path / "r", PLAN.to_manifest()) as store:
        (store.folder / part.PARTS).symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="parts is a link"):
        launched(tmp_path / "r", Fake(), resume=True)
    assert list((tmp_path / "outside").iterdir()) == []


COPY = "import sys\nsys.path.insert(0, sys.argv[1])\nimport launched\nlaunched.measured(sys.argv[2:], 'here')\n"


EVERYWHERE = Place(frozenset(range(os.cpu_count() or 1)))


def local(jobs: int = 2) -> Local:
    return Local([EVERYWHERE] * jobs, [sys.executable, "-c", COPY, str(Path(__file__).parents[1])])


def test_a_pool_of_processes_measures_and_leaves_nothing(tmp_path):
    with Store.create(tmp_path, PLAN.to_manifest()) as store:
        run(JOBS, store, local())
        assert len(store.rows) == 6
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock") == [
        "manifest.json",
        "rows.jsonl",
        "samples.jsonl",
    ]


def test_a_job_of_the_pool_that_fails_is_said_with_its_last_words(tmp_path):
    pool = Local([EVERYWHERE], [sys.executable, "-c", "raise SystemExit('no such thing')"])
    with (
        Store.create(tmp_path, PLAN.to_manifest()) as store,
        pytest.raises(BenchError, match="exited with 1, saying: no such"),
    ):
        run(JOBS, store, pool)


def test_a_job_of_the_pool_that_takes_too_long_is_ended(tmp_path):
    pool = Local([EVERYWHERE], [sys.executable, "-c", "import time; time.sleep(3600)"])
    assert list(pool.run([Part(tmp_path, JOBS[0].needs, ())], set(), 0.2)) == [(tmp_path, "the job was killed")]


def test_jobs_of_the_pool_have_cores_of_their_own():
    cores = usable_cores()
    found = places(cores, 1)
    assert len(frozenset.union(*(place.cores for place in found))) == cores
    with pytest.raises(UsageError, match=f"this machine has {cores} cores"):
        places(cores + 1, 1)
    assert [place.gpu for place in places(1, 1, ("3", "5"))] == ["3"]
    with pytest.raises(UsageError, match="1 GPU"):
        places(2, 1, ("0",)) if cores > 1 else places(1, 1, ()) or pytest.skip("one core")
    shared = places(min(2, cores), 1, ("GPU-a",), share=True)
    assert {place.gpu for place in shared} == {"GPU-a"}


WRONG = {
    "an unknown launcher": (["--launcher", "slrum"], "slurm"),
    "no jobs": (["--jobs", "0"], "--jobs 0"),
    "options of a cluster for this machine": (["--slurm", "partition=x"], "--launcher slurm"),
    "a cluster whose devices are unknown": (["--launcher", "slurm"], "--device cuda"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_one_line(name, capsys, tmp_path):
    flags, said = WRONG[name]
    assert main(["run", "--ops", "nearest", *flags, "--out", str(tmp_path / "r")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not (tmp_path / "r").exists()


NAMES, SIZES = ("nearest", "bilinear"), ("1×4×4×4", "1×4×8×8")


def test_a_dry_run_prints_jobs_cases_and_time_and_does_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ["--ops", "nearest,bilinear", "--shape", "1x4x4x4,1x4x8x8", "--time-budget", "50", "--device", "cpu"]
    assert main(["run", *flags, "--launcher", "slurm", "--jobs", "1", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "cpu-1x4x8x8-" in out
    assert out.endswith("4 cases to measure, 2 jobs, about 2 min 4 s; nothing was done\n")
    assert main(["run", *flags, "--launcher", "slurm", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seconds"] == 62
    assert main(["run", *flags, "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("scale 2, dtype float32")
    assert [line.split()[:2] for line in said[-6:-2]] == [[name, size] for size in SIZES for name in NAMES]
    whole = re.fullmatch("4 cases to measure, about (.* s); nothing was stored", said[-2])
    parts = re.fullmatch(r"checking and counting (.*) \+ timing (.*) \+ all else (.*?); each case has \d+.*", said[-1])
    assert whole and parts
    assert _seconds(whole[1]) == sum(map(_seconds, parts.groups()))
    assert main(["run", *flags, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seconds"] == pytest.approx(OTHERWISE + told["timing"] + told["examining"], abs=1.5)
    assert told["samples"][0] >= told["processes"][0] * 2 >= 6
    assert [case["options"] for case in told["plan"]] == ["nearest", "bilinear"] * 2
    assert all(case["sample"] > 0 for case in told["plan"])
    assert list(tmp_path.iterdir()) == []


def _seconds(text: str) -> int:
    numbers = list(map(int, re.findall(r"\d+", text)))
    return 60 * numbers[0] + numbers[1] if " min " in text else numbers[0]


@pytest.mark.parametrize("flags", [["--out"], ["--resume", "--out"]])
def test_a_dry_run_refuses_the_folder_that_the_run_refuses(flags, capsys, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "strange").touch()
    for name in ("file", "full"):
        words = ["run", "--ops", "nearest", "--shape", "1x4x4x4", "--device", "cpu", *flags, str(tmp_path / name)]
        assert main(words) == main([*words, "--dry-run"]) == 2
        said, again = capsys.readouterr().err.splitlines()
        assert said == again
        assert str(tmp_path / name) in said


def test_a_dry_run_goes_on_in_an_empty_folder_as_the_run_does(capsys, tmp_path):
    flags = ["--ops", "nearest,bilinear", "--shape", "1x4x4x4", "--threads", "1", "--device", "cpu", "--dry-run"]
    assert main(["run", *flags, "--resume", "--launcher", "slurm", "--out", str(tmp_path)]) == 0
    assert "2 cases to measure, 1 job," in capsys.readouterr().out


def test_a_dry_run_of_a_resumed_run_counts_what_is_missing(capsys, tmp_path):
    from a2u_bench.suites.expand import make_plan

    first = make_plan(ops="nearest", shapes=["1x4x4x4"], device="cpu", threads=["1"]).cases[0]
    with Store.create(tmp_path / "r", {}) as store:
        store.append_row(make_row(first, "ok", "", {}))
    flags = ["--ops", "nearest,bilinear", "--shape", "1x4x4x4", "--threads", "1", "--device", "cpu"]
    assert main(["run", *flags, "--launcher", "slurm", "--dry-run", "--out", str(tmp_path / "r"), "--resume"]) == 0
    assert "1 case to measure, 1 job," in capsys.readouterr().out


def test_a_dry_run_of_cases_that_cannot_be_measured_says_that_no_case_is_left(capsys):
    flags = ["--ops", "nearest,bilinear", "--shape", "1x4x4x4", "--threads", "1", "--device", "cpu", "--dry-run"]
    assert main(["run", *flags, "--memory-limit", "1"]) == 0
    out, err = capsys.readouterr()
    assert out == "no case is left to measure; nothing was stored\n"
    assert err.count("predicted: needs at least") >= 1
    assert main(["run", *flags, "--memory-limit", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["cases"], told["seconds"], told["samples"]) == (0, 0.0, [0, 0])


def test_a_job_ends_with_the_process_that_started_it(tmp_path):
    if sys.platform != "linux":
        pytest.skip("only Linux has a death signal")
    code = (
        "import os, pathlib, sys, time\n"
        "from a2u_bench.run.jobs.launcher import Needs, Part\n"
        "from a2u_bench.run.jobs.local import Local, Place\n"
        "folder, code = pathlib.Path(sys.argv[1]), 'import os, time; print(os.getpid(), flush=True); time.sleep(99)'\n"
        "pool = Local([Place(frozenset(os.sched_getaffinity(0)))], [sys.executable, '-c', code])\n"
        "time.sleep = lambda seconds: os._exit(0) if (folder / 'log.txt').read_text().endswith(chr(10)) else None\n"
        "list(pool.run([Part(folder, Needs('cpu', 1), ())], set(), 99))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)
    status = Path(f"/proc/{int((tmp_path / 'log.txt').read_text())}/stat")
    for _ in range(1000):
        if not status.exists() or ") Z" in status.read_text():
            return
        time.sleep(0.01)
    raise AssertionError("the job goes on")


SMALL = ("--shape", "1x4x4x4,1x4x4x8", "--time-budget", "0", "--processes", "2", "--threads", "1", "--device", "cpu")


def test_jobs_measure_what_one_process_would_and_a_run_that_goes_on_keeps_its_reference(tmp_path, capfd):
    if usable_cores() < 2:
        pytest.skip("one core")
    command = ["run", *SMALL, "--jobs", "2", "--out", str(tmp_path / "r")]
    assert main([*command, "--ops", "bilinear", "--reference", "nearest"]) == 0
    before = read_run(tmp_path / "r")
    assert sorted(row["operator"] for row in before.rows) == ["bilinear"] * 2 + ["nearest"] * 2
    assert before.manifest["reference"] == "nearest"
    assert before.manifest["doctors"][before.rows[0]["node"]]["grade"]
    assert main([*command, "--ops", "bicubic", "--resume", "--reference", "bilinear"]) == 2
    assert "has nearest as its reference; allowed: the same" in capfd.readouterr().err
    assert main([*command, "--ops", "bicubic", "--resume"]) == 0
    found = read_run(tmp_path / "r")
    assert sorted(row["operator"] for row in found.rows) == ["bicubic"] * 2 + ["bilinear"] * 2 + ["nearest"] * 2
    assert {row["status"] for row in found.rows} == {"ok"}
    assert not (tmp_path / "r" / "parts").exists()
    timed: dict[str, set[int]] = {}
    for sample in read_samples(tmp_path / "r")[0]:
        timed.setdefault(sample["case"], set()).add(sample["process"])
    for row in found.rows:  # the reference was timed in the processes of both
        assert len(timed[row["case"]]) == (4 if row["operator"] == "nearest" else 2)
        reference = next(r for r in found.rows if r["operator"] == "nearest" and r["width"] == row["width"])
        assert timed[row["case"]] <= timed[reference["case"]]


def test_what_no_job_can_measure_has_its_row_from_the_command_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(choose, "choose", lambda *given: Fake())
    words = ["run", "--ops", "all", "--shape", "1x3x4x4", "--threads", "1", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "r")]) == 0
    found = read_run(tmp_path / "r")
    skipped = [row for row in found.rows if row["status"] == "skipped"]
    assert skipped
    assert all(row["reason"] for row in skipped)
    assert {row["status"] for row in found.rows} == {"skipped", "ok"}
    assert len(found.rows) == found.manifest["planned"]


def test_a_job_of_cases_that_are_not_planned_here_is_wrong_usage(tmp_path, capsys):
    assert main(["run", *SMALL, "--ops", "nearest", "--out", str(tmp_path / "r"), "--only", "nearest-0"]) == 2
    assert "--only nearest-0: no such case is planned here" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_a_large_study_comes_through_jobs_whole(tmp_path):
    found = study.study(tmp_path, 60)
    assert (found["cases"], found["rows"], found["lost"], found["doubled"], found["problems"]) == (60, 60, 0, 0, 0)
    assert found["lines"] == 60

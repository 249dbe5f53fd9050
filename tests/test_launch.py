"""Jobs instead of this process: cases in groups, a job for each group, everything gathered once, in any weather."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from launched import PLAN, case, measured
from soak import study

from a2u_bench.cli import main
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.launch import part
from a2u_bench.launch.gather import gather
from a2u_bench.launch.groups import Needs, groups
from a2u_bench.launch.launcher import Parts
from a2u_bench.launch.local import Local, Place, places
from a2u_bench.launch.run import run
from a2u_bench.record import make_row
from a2u_bench.runs import read_run, read_samples
from a2u_bench.sheet import Request
from a2u_bench.sheet import make as make_sheet
from a2u_bench.store import Store
from a2u_bench.suites.plan import Plan
from a2u_bench.system import usable_cores

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Fake:
    """A launcher that measures at once; `does` says by part how many cases a job comes to before it dies."""

    does: dict[int, int] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    started: list[str] = field(default_factory=list)
    forgotten: bool = False
    at_once: int | None = None

    def busy(self, folders):
        return {folder for folder in folders if folder.name in self.away}

    def run(self, parts: Parts, busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        for index, (_, folder) in enumerate(parts):
            if folder not in busy:
                self.started.append(folder.name)
            measured(folder, f"n{index}", self.does.get(index, 100))
            yield folder, "it died"

    def left(self):
        return ""

    def forget(self):
        self.forgotten = True


def launched(folder: Path, launcher: Fake, resume: bool = False, plan: Plan = PLAN) -> Sequence[dict[str, Any]]:
    with Store.open(folder, plan.to_manifest(), resume=resume) as store:
        return run(plan, store, launcher)


def test_a_group_is_all_operators_on_one_workload_and_its_name_says_which():
    found = groups([case("a"), case("b", 8), case("b"), case("a", threads=2), case("a", device="cuda")])
    assert [[one.operator for one in group.cases] for group in found] == [["a", "b"], ["b"], ["a"], ["a"]]
    assert len({group.name for group in found}) == 4
    assert found[0].name.startswith("cpu-1x8x4x4-")
    assert [group.needs for group in found][2:] == [Needs("cpu", 2), Needs("cuda", 1)]
    assert groups([case("z")])[0].name == found[0].name


def test_a_plan_goes_through_its_part_unchanged(tmp_path):
    group = groups(PLAN.cases)[0]
    part.write_plan(tmp_path / "p", group, PLAN)
    plan = part.read_plan(tmp_path / "p")
    assert (plan.suite, plan.cases, plan.settings) == (PLAN.suite, group.cases, PLAN.settings)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": "a2u-bench job", "version": 2}', "\x00"])
def test_a_foreign_plan_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(BenchError, match="not the plan"):
        part.read_plan(tmp_path)


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
        ("c", "skipped", None),
        *((name, "ok", node) for node in ("n0", "n1", "n2") for name in "ab"),
    ]
    assert stored.manifest["machine"] == {"cpu": "n0"}
    assert stored.manifest["machines"] == {name: {"cpu": name} for name in ("n0", "n1", "n2")}
    assert not (tmp_path / "r" / "parts").exists()
    assert launcher.forgotten


def test_machines_grades_and_ceilings_are_kept_by_node_and_tables_say_where_they_differ(tmp_path, capsys):
    jobs = (("n1", "B", 1.0), ("n2", "D", 3.0), ("n1", "C", 2.0))
    with Store.create(tmp_path / "r", {}) as store:
        for group, (node, grade, rate) in zip(groups(PLAN.cases), jobs, strict=True):
            facts = {
                "machine": {"cpu": f"of {node}"},
                "doctor": {"grade": grade, "findings": []},
                "ceilings": [{"device": "cpu", "threads": 1, "copy": [[64, 4 - rate]], "matrix": {"float32": rate}}],
            }
            part.write_plan(tmp_path / group.name, group, PLAN)
            measured(tmp_path / group.name, node, facts=facts)
            gather(tmp_path / group.name, store)
    found = read_run(tmp_path / "r")
    assert found.manifest["machines"] == {"n1": {"cpu": "of n1"}, "n2": {"cpu": "of n2"}}
    assert {node: report["grade"] for node, report in found.manifest["doctors"].items()} == {"n1": "C", "n2": "D"}
    assert found.manifest["ceilings"] == [
        {"node": "n1", "device": "cpu", "threads": 1, "copy": [[64, 3.0]], "matrix": {"float32": 2.0}},
        {"node": "n2", "device": "cpu", "threads": 1, "copy": [[64, 1.0]], "matrix": {"float32": 3.0}},
    ]
    notes = make_sheet([found], Request()).notes
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
    part.write_plan(tmp_path, groups(PLAN.cases)[0], PLAN)
    assert part.command(tmp_path) == ["a2u-bench", "run", "--launcher", "slurm"]
    (tmp_path / "plan.json").write_text((tmp_path / "plan.json").read_text().replace('"slurm"', "7"))
    assert part.command(tmp_path) is None


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
    assert len(read_run(tmp_path / "r").rows) == 1 + 0 + 2 + 1
    again = Fake()
    rows = launched(tmp_path / "r", again, resume=True)
    assert again.started == [first.started[0], first.started[2]]
    assert len(rows) == 3
    final = read_run(tmp_path / "r")
    assert sorted(row["case"] for row in final.rows) == sorted(
        one.id for one in (*PLAN.cases, *(s.case for s in PLAN.skipped))
    )
    assert final.problems == ()
    assert not (tmp_path / "r" / "parts").exists()


def test_what_a_job_measured_while_nobody_watched_is_gathered_without_a_new_job(tmp_path):
    with Store.create(tmp_path / "r", PLAN.to_manifest()) as store:
        for group in groups(PLAN.cases):
            folder = store.folder / part.PARTS / group.name
            part.write_plan(folder, group, PLAN)
            measured(folder)
    launcher = Fake()
    assert len(launched(tmp_path / "r", launcher, resume=True)) == 7
    assert launcher.started == []


def test_a_job_that_still_runs_is_awaited_not_started_twice(tmp_path):
    group = groups(PLAN.cases)[1]
    with Store.create(tmp_path / "r", PLAN.to_manifest()) as store:
        part.write_plan((store.folder / part.PARTS / group.name).absolute(), group, PLAN)
    launcher = Fake(away={group.name})
    assert len(launched(tmp_path / "r", launcher, resume=True)) == 7
    assert len(launcher.started) == 2
    assert group.name not in launcher.started


@pytest.mark.parametrize("appends", range(6))
def test_gathering_that_is_interrupted_anywhere_copies_each_row_and_sample_once(tmp_path, monkeypatch, appends):
    from a2u_bench.launch import gather as module

    monkeypatch.setattr(module, "HELD", 3)
    folder, group = tmp_path / "part", groups(PLAN.cases)[0]
    part.write_plan(folder, group, PLAN)
    measured(folder)
    left = appends

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
        store.append_samples([{"case": "x", "process": 4, "round": 0, "latency": [1.0]}])
        monkeypatch.setattr(Store, "_append", append)
        with suppress(Dies):
            gather(folder, store)
    monkeypatch.setattr(Store, "_append", real)
    with Store.open(tmp_path / "r", {}, resume=True) as store:
        gather(folder, store)
    assert not folder.exists()
    assert sorted(row["operator"] for row in read_run(tmp_path / "r").rows) == ["a", "b"]
    copied = [s for s in read_samples(tmp_path / "r")[0] if s["case"] != "x"]
    keys = [(s["case"], s["process"], s["round"]) for s in copied]
    assert sorted(keys) == sorted((one.id, p, i) for one in group.cases for p in (5, 6) for i in (0, 1))


@dataclass
class Hurried(Fake):
    """A launcher whose jobs have no time for the last case of their part while `hurry` holds."""

    hurry: bool = True

    def run(self, parts: Parts, busy: set[Path], seconds: float) -> Iterator[tuple[Path, str]]:
        for _, folder in parts:
            cases = part.read_plan(folder).cases
            self.started += [one.operator for one in cases]
            measured(folder, only=len(cases) - self.hurry)
            with Store.open(folder / part.RUN, {}, resume=True) as store:
                late = [one for one in cases if one.id not in store.finished]
                store.append_rows([make_row(one, "timeout", "no time", {"stopped": "budget"}) for one in late])
            yield folder, ""


def test_a_case_that_a_job_had_no_time_for_is_no_error_and_is_measured_when_the_run_goes_on(tmp_path):
    launched(tmp_path / "r", Hurried())
    ended = {row["operator"]: (row["status"], row["stopped"]) for row in read_run(tmp_path / "r").rows}
    assert ended == {"c": ("skipped", None), "a": ("ok", None), "b": ("timeout", "budget")}
    assert not (tmp_path / "r" / "parts").exists()
    launched(tmp_path / "r", Hurried(), resume=True)  # in vain: a part with one case has no time for it
    again = Hurried(hurry=False)
    launched(tmp_path / "r", again, resume=True)
    assert again.started == ["b"] * 3
    found = read_run(tmp_path / "r")
    assert (len(found.rows), found.problems) == (7, ())
    assert {row["status"] for row in found.rows} == {"skipped", "ok"}
    keys = [(s["case"], s["process"], s["round"]) for s in read_samples(tmp_path / "r")[0]]
    assert len(keys) == len(set(keys)) == 6 * 2 * 2
    assert not (tmp_path / "r" / "parts").exists()


def test_what_a_job_timed_of_a_case_before_it_had_no_time_for_it_stays_in_its_part(tmp_path):
    folder, group = tmp_path / "part", groups(PLAN.cases)[0]
    part.write_plan(folder, group, PLAN)
    measured(folder, only=1)
    with Store.open(folder / part.RUN, {}, resume=True) as store:
        store.append_samples([{"case": group.cases[1].id, "process": 0, "round": 0, "latency": [1.0]}])
        store.append_row(make_row(group.cases[1], "timeout", "no time", {"stopped": "budget"}))
    with Store.create(tmp_path / "r", {}) as store:
        assert [row["operator"] for row in gather(folder, store)] == ["a"]
        measured(folder)
        assert [row["operator"] for row in gather(folder, store)] == ["b"]
    assert not folder.exists()
    assert len([s for s in read_samples(tmp_path / "r")[0] if s["case"] == group.cases[1].id]) == 1 + 4


def test_a_part_that_is_a_link_is_left_alone(tmp_path):
    outside = tmp_path / "outside"
    part.write_plan(outside, groups(PLAN.cases)[0], PLAN)
    measured(outside)
    with Store.create(tmp_path / "r", {}) as store:
        (store.folder / "parts").mkdir()
        (store.folder / "parts" / "evil").symlink_to(outside)
    launched(tmp_path / "r", Fake(), resume=True)
    assert (outside / "plan.json").exists()


@pytest.mark.parametrize("inner", ["", "run", "checkpoints"])
def test_a_part_that_is_needed_and_leads_elsewhere_is_refused_and_nothing_is_written_there(tmp_path, inner):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / "r" / part.PARTS / groups(PLAN.cases)[1].name / inner
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


COPY = (
    "import pathlib, sys\n"
    "sys.path.insert(0, sys.argv[1])\n"
    "import launched\n"
    "launched.measured(pathlib.Path(sys.argv[2]), 'here')\n"
)


EVERYWHERE = Place(frozenset(range(os.cpu_count() or 1)))


def local(jobs: int = 2) -> Local:
    return Local([EVERYWHERE] * jobs, [sys.executable, "-c", COPY, str(Path(__file__).parent)])


def test_a_pool_of_processes_measures_and_leaves_nothing(tmp_path):
    with Store.create(tmp_path, PLAN.to_manifest()) as store:
        assert len(run(PLAN, store, local())) == 7
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
        run(PLAN, store, pool)


def test_a_job_of_the_pool_that_takes_too_long_is_ended(tmp_path):
    pool = Local([EVERYWHERE], [sys.executable, "-c", "import time; time.sleep(3600)"])
    group = groups(PLAN.cases)[0]
    part.write_plan(tmp_path, group, PLAN)
    assert list(pool.run([(group.needs, tmp_path)], set(), 0.2)) == [(tmp_path, "the job was killed")]


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
    assert re.fullmatch("4 cases to measure, about .* s; nothing was stored", said[0])
    assert re.fullmatch(r"checking and counting .*s, timing .*s; each case has \d+.* of \d+.* rounds, .*", said[1])
    assert main(["run", *flags, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["timing"] <= 50 + 16 * 15  # of which a forkserver for each pass
    assert told["seconds"] > told["timing"] + told["examining"]
    assert told["samples"][0] >= told["processes"][0] * 2 >= 6
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_a_resumed_run_counts_what_is_missing(capsys, tmp_path):
    from a2u_bench.suites.expand import make_plan

    first = make_plan(ops="nearest", shapes=["1x4x4x4"], device="cpu", threads=["1"]).cases[0]
    with Store.create(tmp_path / "r", {}) as store:
        store.append_row(make_row(first, "ok", "", {}))
    flags = ["--ops", "nearest,bilinear", "--shape", "1x4x4x4", "--threads", "1", "--device", "cpu"]
    assert main(["run", *flags, "--launcher", "slurm", "--dry-run", "--out", str(tmp_path / "r"), "--resume"]) == 0
    assert "1 case to measure, 1 job," in capsys.readouterr().out


def test_a_job_ends_with_the_process_that_started_it():
    if sys.platform != "linux":
        pytest.skip("only Linux has a death signal")
    code = (
        "import subprocess, sys\n"
        "code = 'import time; from a2u_bench.launch import job; job._end_with_parent(); '\n"
        "code += 'print(1, flush=True); time.sleep(99)'\n"
        "child = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    status = Path(f"/proc/{int(done.stdout)}/stat")
    for _ in range(1000):
        if not status.exists() or ") Z" in status.read_text():
            return
        time.sleep(0.01)
    raise AssertionError("the job goes on")


def test_a_large_study_comes_through_jobs_whole(tmp_path):
    found = study.study(tmp_path, 60)
    assert (found["cases"], found["rows"], found["lost"], found["doubled"], found["problems"]) == (60, 60, 0, 0, 0)
    assert found["lines"] == 60

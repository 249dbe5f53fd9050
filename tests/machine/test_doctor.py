"""The doctor: every ailment from a record, the grade of all, and one line for under a table."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from timed_runs import one_round, write_run

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.judge.reading import read
from a2u_bench.machine import doctor, grades
from a2u_bench.machine import state as host
from a2u_bench.store.read import Run
from a2u_bench.tables.notes import BEYOND, of_rows
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import make

WELL: dict[str, Any] = {
    "usable_cores": 8,
    "cores": 8,
    "cgroup_quota": None,
    "governor": "performance",
    "turbo": "0",
    "environment": {},
    "git_dirty": False,
    "torch": {"flush_denormals": True},
    "state": {"virtualised": False, "allocator": "glibc malloc", "no_turbo": None},
    "now": {
        "load": [0.1, 0.1, 0.1],
        "nice": 0,
        "waiting": 0.001,
        "memory_available": 1 << 34,
        "swap_used": 0,
        "temperature": 45.0,
        "core_throttle_count": 0,
        "on_battery": None,
        "steal": 0.0,
    },
}


def with_(**changes: Any) -> dict[str, Any]:
    """The record of a machine that is well but for these facts; `now__load` is `load` in `now`."""
    record = {name: dict(value) if isinstance(value, dict) else value for name, value in WELL.items()}
    for name, value in changes.items():
        group, _, inner = name.partition("__")
        if inner:
            record[group][inner] = value
        else:
            record[group] = value
    return record


AILMENTS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "a loaded machine": ({"now__load": [24.0, 1, 1]}, "F", "load 24.0 on 8 cores", "end other programs"),
    "a little load": ({"now__load": [1.6, 1, 1]}, "B", "load 1.6", "end other programs"),
    "niceness on a quiet machine": ({"now__nice": 19}, "C", "niceness 19: another program would go", "without nice"),
    "niceness where waiting is unknown": ({"now__nice": 1, "now__waiting": None}, "C", "niceness 1", "without nice"),
    "a little waiting": ({"now__waiting": 0.1}, "B", "wait for a core 10% of the time", "end other programs"),
    "waiting": ({"now__waiting": 0.99}, "D", "wait for a core 99% of the time", "end other programs"),
    "guests": ({"now__steal": 0.05}, "D", "5.0% of the time", "of your own"),
    "a quota below the threads": ({"cgroup_quota": 2.5}, "D", "2.5 cores for 8 threads", "--threads 2"),
    "a quota above the threads": ({"cgroup_quota": 8.0}, "B", "a quota of 8 cores", "without a quota"),
    "two threads a core": ({"cores": 4}, "B", "8 threads on 4 physical cores", "--threads 4"),
    "a governor that saves": ({"governor": "powersave"}, "C", "governor powersave", "cpupower"),
    "turbo": ({"turbo": "1"}, "B", "turbo is on", "cpufreq/boost"),
    "turbo on Intel": ({"state__no_turbo": "0"}, "B", "turbo is on", "no_turbo"),
    "swap": ({"now__swap_used": 1 << 30}, "B", "1024 MiB are swapped", "memory"),
    "no memory": ({"now__swap_used": 1 << 30, "now__memory_available": 1 << 20}, "D", "1024 MiB", "memory"),
    "heat": ({"now__temperature": 95.0}, "D", "95 °C", "cool"),
    "heat before": ({"now__core_throttle_count": 7}, "B", "throttled 7 times", "air"),
    "a battery": ({"now__on_battery": True}, "D", "battery", "plug"),
    "a virtual machine": ({"state__virtualised": True}, "C", "virtual machine", "bare metal"),
    "an allocator": ({"environment": {"LD_PRELOAD": "libjemalloc.so"}}, "B", "LD_PRELOAD", "unset"),
    "denormals": ({"torch__flush_denormals": False}, "B", "denormals", "torch"),
    "changed code": ({"git_dirty": True}, "B", "differs from its commit", "commit"),
    "others on the GPU": ({"torch__gpu": "X", "torch__now_processes": 2}, "D", "2 programs besides", "nvidia-smi"),
    "a slice of a GPU": ({"torch__gpu": "X", "torch__gpu_mig": True}, "C", "MIG", "a whole GPU"),
    "a GPU whose driver sleeps": ({"torch__gpu": "X", "torch__gpu_persistence": False}, "B", "sleeps", "nvidia-smi"),
    "a sleepy driver": ({"torch__gpu": "X", "torch__persistence": "Disabled"}, "B", "sleeps", "nvidia-smi -pm 1"),
}


def test_a_machine_that_is_well_has_an_a_and_nothing_is_unknown():
    assert doctor.examine(WELL) == doctor.Report("A", (), ())


@pytest.mark.parametrize("name", AILMENTS)
def test_every_ailment_is_found_graded_and_comes_with_advice(name: str):
    changes, grade, evidence, advice = AILMENTS[name]
    report = doctor.examine(with_(**changes))
    (finding,) = report.findings
    assert (report.grade, finding.grade) == (grade, grade)
    assert evidence in finding.evidence
    assert advice in finding.advice


@pytest.mark.parametrize(("nice", "grade"), [(-5, "D"), (0, "D"), (1, "D"), (5, "F"), (19, "F")])
def test_a_nice_process_on_a_busy_machine_measures_the_others(nice: int, grade: str):
    report = doctor.examine(with_(now__nice=nice, now__waiting=0.99))
    assert report.grade == grade
    assert ("niceness" in {finding.name for finding in report.findings}) == (nice > 0)


def test_an_older_record_is_graded_without_what_it_lacks():
    older = with_()
    del older["now"]["nice"], older["now"]["waiting"]
    report = doctor.examine(older)
    assert (report.grade, report.unknown) == ("A", ("niceness", "waiting for a core"))


def test_niceness_and_waiting_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "getpriority", lambda which, who: 7)
    assert (host.now(tmp_path)["nice"], host.now(tmp_path)["waiting"]) == (7, None)
    path = tmp_path / "proc/pressure/cpu"
    path.parent.mkdir(parents=True)
    path.write_text("some avg10=12.34 avg60=1.00 avg300=0.50 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    assert host.now(tmp_path)["waiting"] == pytest.approx(0.1234)


def test_every_rule_has_an_ailment_that_it_finds():
    found = {one.name for changes, *_ in AILMENTS.values() for one in doctor.examine(with_(**changes)).findings}
    assert found == {rule[0] for rule in doctor.RULES}


def test_every_rule_names_facts_that_there_are():
    facts = vars(doctor._facts({}, ()))
    assert {rule[1] for rule in doctor.RULES} >= doctor.GRADING.keys()
    for _, fact, evidence, advice in doctor.RULES:
        assert fact in facts
        named = {field for text in (evidence, advice) for _, field, _, _ in string.Formatter().parse(text) if field}
        assert named <= facts.keys()


def test_more_threads_than_cores_is_the_worst_and_the_run_s_threads_count():
    assert doctor.examine(WELL, [1, 16]).grade == "F"
    assert doctor.examine(with_(cgroup_quota=4.0), [2]).grade == "B"


def test_the_worst_finding_is_the_grade_and_stands_first():
    report = doctor.examine(with_(turbo="1", now__on_battery=True, governor="powersave"))
    assert report.grade == "D"
    assert [finding.grade for finding in report.findings] == ["D", "C", "B"]


def test_what_is_not_recorded_is_unknown_and_an_unknown_load_is_no_a():
    report = doctor.examine({})
    assert report.grade == "C"
    assert {"load", "governor", "swap"} <= set(report.unknown)


def test_one_line_says_the_grade_and_the_worst():
    line = grades.sentence(doctor.examine(with_(now__load=[24.0])).to_manifest())
    assert line == (
        "environment: grade F, latencies say little (load 24.0 on 8 cores); a2u-bench doctor says what to do"
    )
    assert grades.sentence({"grade": "A", "findings": []}) == (
        "environment: grade A, nothing found that moves latencies"
    )


@pytest.mark.parametrize("report", [{}, {"grade": 7, "findings": "x"}, {"grade": "F", "findings": [3, {"grade": "F"}]}])
def test_a_report_from_a_strange_file_is_no_traceback(report: dict[str, Any]):
    assert grades.sentence(report).startswith("environment: grade")


def test_the_grade_comes_from_the_manifest_or_from_the_machines_in_it():
    stored = doctor.examine(with_(governor="powersave")).to_manifest()
    assert grades.notes({"": {"doctor": stored}}, {}) == [grades.sentence(stored)]
    nodes = {"machines": {"a": WELL, "b": with_(now__on_battery=True)}}
    assert [line[19:20] for line in grades.notes({"one": nodes, "two": {"machine": WELL}}, {})] == ["A", "D"]
    assert grades.notes({"one": {"machine": {"cpu": "old"}}, "two": {}}, {}) == []


@pytest.mark.parametrize(
    ("share", "grade"), [(0.01, "A"), (0.02, "A"), (0.021, "B"), (0.06, "C"), (0.2, "D"), (0.3, "F")]
)
def test_the_grade_falls_where_the_reference_varied_by_more_than_it_promises(share, grade):
    (said,) = grades.notes({"": {"machine": WELL}}, {"": ("bilinear", share)})
    assert said.startswith(f"environment: grade {grade}, ")
    assert (f"bilinear varied by ±{share:.1%} from process to process" in said) == (grade != "A")
    stored = doctor.examine(with_(now__load=[24.0])).to_manifest()
    assert grades.with_samples(stored, "bilinear", share) == stored  # an F cannot fall, and nothing rises


def test_the_grade_that_is_shown_is_the_one_that_the_samples_allow(tmp_path, capsys):
    steady, stray = np.array([1.0, 1.001, 0.999]), np.array([1.0, 1.1, 0.9])
    for name, times, grade in (("steady", steady, "A"), ("stray", stray, "D")):
        run = write_run(tmp_path / name, {"bilinear": one_round(times), "a": one_round(times)}, machine=WELL)
        assert main(["doctor", str(run.path)]) == 0
        assert capsys.readouterr().out.startswith(f"grade {grade}: {grades.MEANING[grade]}")
        said = make([run], Request()).notes
        assert any(note.startswith(f"environment: grade {grade}, ") for note in said)
        assert any(
            "times of another run may differ by as much, ratios of the same rounds do not" in note for note in said
        )


def test_this_machine_can_be_examined():
    machine = {"usable_cores": 1, "state": host.lasting(), "now": host.now()}
    assert doctor.examine(machine).grade in doctor.GRADES


def test_the_state_of_a_machine_is_read_from_its_files(tmp_path: Path):
    assert host.lasting(tmp_path)["virtualised"] is None
    cpu = tmp_path / "sys/devices/system/cpu"
    for path, text in {
        tmp_path / "proc/cpuinfo": "flags\t: fpu hypervisor sse\n",
        cpu / "smt/active": "1\n",
        cpu / "intel_pstate/no_turbo": "0\n",
        cpu / "cpu0/thermal_throttle/core_throttle_count": "3\n",
        cpu / "cpu1/thermal_throttle/core_throttle_count": "4\n",
        tmp_path / "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    state = host.lasting(tmp_path)
    assert (state["virtualised"], state["smt"], state["no_turbo"], state["huge_pages"]) == (True, "1", "0", "madvise")
    assert host.now(tmp_path)["core_throttle_count"] == 7


def test_under_a_table_stand_the_notes_of_rows_the_grade_and_where_outputs_come_from():
    rows = [
        make_row(Case(name, "", name, 1, 8, 4, 4), "ok", "", {"latency": 1.0, "note": f"launch-bound: {name} µs"})
        for name in ("a", "b")
    ]
    manifest = {"machine": WELL, "allocation": "each timed call allocates its output"}
    found = read([Run(Path("x"), manifest, tuple(rows), ())])
    assert of_rows(found, found.frame) == [
        "launch-bound: a; b",
        "environment: grade A, nothing found that moves latencies",
        "each timed call allocates its output (glibc malloc)",
    ]
    assert of_rows(found, found.frame, ["floor"])[1].startswith("speed of light")


def test_what_is_quicker_than_its_floor_is_named_with_the_reason():
    floors = {"slow": 0.5, "exact": 1.0, "quick": 3.08, "unknown": None}
    rows = [
        make_row(Case(name, "", name, 1, 8, 4, 4), "ok", "", {"latency": 1.0, "floor": floor})
        for name, floor in floors.items()
    ]
    found = read([Run(Path("x"), {}, tuple(rows), ())])
    assert of_rows(found, found.frame, ["floor_share"])[-1] == BEYOND.format("quick")
    assert [text for text in of_rows(found, found.frame) if "light" in text] == []
    assert "light" not in of_rows(found, found.frame[:2], ["floor_share"])[-1].partition("speed of light")[2]

"""Real processes: operators that hang, crash, exhaust memory, make noise or give nonsense cost no other its row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from fakes import FakeStore

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.measure.check import Incorrect, check
from a2u_bench.measure.inputs import prepare
from a2u_bench.measure.latency import Calls
from a2u_bench.measure.steps import COMPILING
from a2u_bench.run import processes
from a2u_bench.run.process import CaseEnded, Process
from a2u_bench.run.runner import run
from a2u_bench.suites.plan import Plan, Settings

SETTINGS = Settings(time_budget=0.0, processes=1, warm_up=0.0, target_ci=1.0, timeout=60.0)


def case(name: str, **axes: object) -> Case:
    text = name if ":" in name or name.islower() else f"hostile:{name}"
    return Case(operator=text, variant="default", options=text, batch=1, channels=4, height=3, width=5, **axes)  # type: ignore[arg-type]


def measure(*names: str, settings: Settings = SETTINGS, **axes: object) -> dict[str, dict[str, object]]:
    rows = run(Plan("test", tuple(case(name, **axes) for name in names), (), settings))
    return dict(zip(names, rows, strict=True))


EXPECTED = {
    "Crashes": ("failed", "killed by SIGSEGV while checking"),
    "Leaves": ("failed", "exited with 3 while checking: I am leaving"),
    "Exits": ("failed", "SystemExit: enough"),
    "Greedy": ("oom", "MemoryError: no more"),
    "Insatiable": ("oom", "memory does not suffice"),
    "Swells": ("oom", "MemoryError"),
    "ClosesFiles": ("failed", "exited with 1 while checking"),
    "Killed": ("oom", "killed while checking"),
    "InPlace": ("incorrect", "changes its input z in place"),
    "Nan": ("incorrect", "NaN or infinite"),
    "WrongShape": ("incorrect", "gives the shape (1, 4, 6, 9) instead of (1, 4, 6, 10)"),
    "WrongDtype": ("incorrect", "gives float64 instead of float32"),
    "WrongType": ("incorrect", "gives a tuple instead of a tensor"),
    "WrongValues": ("incorrect", "differs from its float64 definition by"),
    "TellsPrecision": ("failed", "TF32 of products and convolutions: (False, False)"),
    "Refuses": ("skipped", "no channels will do"),
    "Throws": ("failed", "RuntimeError: two lines"),
    "ThrowsWhenBuilt": ("failed", "RuntimeError: two lines"),
    "Noisy": ("ok", ""),
    "LeaksThreads": ("ok", ""),
    "LeavesChildren": ("ok", ""),
    "Sound": ("ok", ""),
    "nearest": ("ok", ""),
}


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("InPlaceGuide", "inference", "changes its input guide in place"),
        ("NanGradients", "training", "gives 60 gradients of 60 that are NaN or infinite"),
    ],
)
def test_a_guide_that_is_changed_and_gradients_that_are_no_numbers_are_found(name: str, mode: str, said: str):
    with pytest.raises(Incorrect, match=said), torch.set_grad_enabled(mode == "training"):
        check(prepare(case(name, mode=mode), 0, {}))


def test_what_an_operator_prints_is_in_no_result(tmp_path):
    command = [*(sys.executable, "-m", "a2u_bench", "run", "--ops", "hostile:Noisy", "--shape", "1x4x3x5", "--json")]
    command += ["--time-budget", "0", "--processes", "1", "--threads", "1", "--out", str(tmp_path / "run")]
    found = os.pathsep.join(str(folder) for folder in (Path(__file__).parents[1], Path(__file__).parents[2]))
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": found}, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in json.loads(done.stdout)["rows"]] == ["ok"] * 2
    assert b"noise" not in done.stderr


@pytest.fixture(scope="module")
def rows():
    before = set(psutil.Process().children(recursive=True))
    found = measure(*EXPECTED)
    left = [child for child in psutil.Process().children(recursive=True) if child not in before]
    return found, left


@pytest.mark.parametrize("name", EXPECTED)
def test_every_hostile_operator_ends_with_its_own_status_and_reason(rows, name: str):
    status, reason = EXPECTED[name]
    row = rows[0][name]
    assert row["status"] == status, row["reason"]
    assert reason in str(row["reason"])
    assert "\n" not in str(row["reason"])
    assert (row["latency"] is not None) == (status == "ok")


def test_after_a_run_nothing_is_left_but_the_server_of_processes(rows):
    names = [" ".join(process.cmdline()) for process in rows[1] if process.status() != psutil.STATUS_ZOMBIE]
    assert all("forkserver" in name or "resource_tracker" in name for name in names), names


@pytest.fixture
def impatient(monkeypatch):
    """A timeout that strikes the moment an operator says that it hangs, and never before: no test waits for a clock."""

    def answers(process) -> bool:
        while not process._connection.poll(0.02):
            if b"I hang" in process._log.read_bytes():
                return False
        return True

    monkeypatch.setattr(Process, "_answers", answers)


def test_a_case_that_hangs_is_ended_by_its_timeout_and_the_others_go_on(impatient):
    rows = measure("Hangs", "nearest")
    assert (rows["Hangs"]["status"], rows["Hangs"]["reason"]) == ("timeout", "checking took longer than 60 s")
    assert rows["nearest"]["status"] == "ok"


def test_a_case_that_hangs_while_it_is_timed_ends_alone(impatient):
    settings = Settings(time_budget=0.0, processes=1, warm_up=0.0, min_rounds=50, max_rounds=50)
    rows = measure("HangsLater", "nearest", settings=settings)
    assert (rows["HangsLater"]["status"], rows["HangsLater"]["reason"]) == ("timeout", "timing took longer than 60 s")
    assert rows["nearest"]["status"] == "ok"


def test_a_process_that_does_not_answer_in_time_is_ended():
    with processes.Processes().start("cpu", 1, 0, timeout=0.5) as process, pytest.raises(CaseEnded) as caught:
        process.ask("build", case("Hangs"))
        process.ask("check", case("Hangs"))
    assert (caught.value.status, caught.value.lost) == ("timeout", True)


@pytest.mark.parametrize(("name", "status"), [("Crashes", "failed"), ("Throws", "failed"), ("Hangs", "timeout")])
def test_the_case_that_ends_a_round_is_the_one_that_was_timed(impatient, name, status):
    cases = [case("nearest"), case(name), case("bilinear")]
    with processes.Processes().start("cpu", 1, 0, 60.0) as process:
        for one in cases:
            process.ask("build", one)
        with pytest.raises(CaseEnded) as caught:
            process.round([(one, Calls(0, 1)) for one in cases])
    assert (caught.value.status, caught.value.place, caught.value.lost) == (status, 1, True)


def test_a_round_may_last_longer_than_the_timeout_while_each_of_its_cases_does_not(monkeypatch):
    seen: list[int] = []

    def answers(process) -> bool:
        """As if the timeout passed with every case."""
        while not process._connection.poll(0.001):
            if process._place.value not in seen:
                seen.append(process._place.value)
                return False
        return True

    cases = [case("a2u_bench.synthetic:Lasting"), case("nearest"), case("bilinear")]
    with processes.Processes().start("cpu", 1, 0, 60.0) as process:
        for one in cases:
            process.ask("build", one)
        monkeypatch.setattr(Process, "_answers", answers)
        times = process.round([(one, Calls(0, 50)) for one in cases])
    assert [len(one) for one in times] == [1, 1, 1]
    assert 0 in seen


def test_a_row_of_a_real_run_has_every_measure():
    settings = Settings(time_budget=0.0, processes=2, warm_up=0.0)
    row = measure("nearest", settings=settings, mode="training", dtype="float64", threads=2)["nearest"]
    assert (row["status"], row["params"], row["macs"], row["macs_fvcore"]) == ("ok", 0, 240, 240)
    assert int(str(row["peak_memory"])) >= 240 * 8 + 60 * 8  # the output and the gradient of z
    assert row["saved_memory"] == 0
    assert row["processes"] == 2
    assert 0 < float(str(row["latency_low"])) <= float(str(row["latency"])) <= float(str(row["latency_high"]))


def test_a_row_of_a_real_run_has_five_numbers_of_memory_three_of_work_and_a_floor():
    row = measure("max_unpool")["max_unpool"]
    up, indices = 4 * 6 * 10 * 4, 4 * 3 * 5 * 8
    memory = [row[f"{name}_memory"] for name in ("output", "workspace", "peak", "saved")]
    assert memory == [up, indices, up + indices, None]
    assert int(str(row["first_memory"])) >= up + indices
    assert row["macs"] == row["macs_fvcore"] == row["macs_torch"] == 240
    assert 0 < float(str(row["floor"])) < 1
    assert (row["latency_cold"], row["note"]) == (None, None)


def test_a_case_that_is_predicted_not_to_fit_is_oom_with_both_numbers_and_the_others_go_on():
    settings = replace(SETTINGS, memory_limit=1 << 40)
    vast = replace(case("nearest"), batch=1 << 20, channels=64, height=64, width=64)
    rows = run(Plan("test", (vast, case("bilinear")), (), settings))
    needed = 5 * (4 << 38)
    assert (rows[0]["status"], rows[0]["reason"]) == (
        "oom",
        f"predicted: needs at least {needed} bytes; {1 << 40} are available",
    )
    assert rows[1]["status"] == "ok"


def test_samples_are_stored_by_process_and_round():
    store = FakeStore()
    settings = Settings(time_budget=0.0, processes=2, warm_up=0.0, target_ci=1e9)
    run(Plan("test", (case("nearest"), case("bilinear")), (), settings), store)  # type: ignore[arg-type]
    keys = [[(sample["process"], sample["round"]) for sample in samples] for samples in store.samples]
    assert keys == [[(p, r)] * 2 for p in (0, 1) for r in (0, 1)]
    assert all(seconds > 0 for samples in store.samples for sample in samples for seconds in sample["latency"])


def test_a_fresh_process_has_the_threads_of_its_cases_and_flushes_denormals():
    text = "hostile:Sound"
    assert operators.operator(text).text == text
    with processes.Processes().start("cpu", 1, 0, 60.0) as process:
        process.ask("build", case("nearest"))
        with pytest.raises(CaseEnded) as caught:
            process.ask("check", case("bilinear"))  # never built
    assert caught.value.status == "failed"


def test_torch_says_what_it_is_from_a_process_of_its_own():
    facts = processes.torch_facts()
    assert facts["version"]
    assert facts["flush_denormals"] is True


class Pipe:
    """A pipe whose answer comes after so many looks, each a timeout long; what the process says of itself meanwhile."""

    def __init__(self, said: Sequence[int]) -> None:
        self.said, self.value = list(said), 0

    def poll(self, seconds: float) -> bool:
        if not self.said:
            return True
        self.value = self.said.pop(0)
        return False

    def send(self, message: object) -> None: ...
    def recv(self) -> tuple[str, str]:
        return "ok", "checked"


NOW, ONCE, TWICE = COMPILING, COMPILING - 1, COMPILING - 2


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ([], False),
        ([0], True),
        ([NOW] * 10, False),
        ([NOW] * 11, True),
        ([ONCE], False),  # it compiled and went on with its own work
        ([ONCE, ONCE], True),
        ([NOW, ONCE, TWICE], False),
        ([NOW, ONCE, TWICE, TWICE], True),
    ],
)
def test_compiling_within_a_step_has_a_limit_of_its_own(said, ends, monkeypatch):
    process = Process.__new__(Process)
    pipe = Pipe(said)
    process._timeout, process._connection, process._place = 60.0, pipe, pipe
    monkeypatch.setattr(Process, "close", lambda self: None)
    if not ends:
        assert process.request("check") == "checked"
        return
    with pytest.raises(CaseEnded) as caught:
        process.request("check")
    assert (caught.value.status, caught.value.reason) == ("timeout", "checking took longer than 60 s")

"""A run that goes on: what it stores agrees with what the run before it stored, and what differs is said."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest
from fakes import FakeClock, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.machine import record
from a2u_bench.run import progress, runner
from a2u_bench.run.progress import Silence
from a2u_bench.store.read import Run, read_run

AT = ["--shape", "1x8x4x4", "--threads", "1"]


@pytest.fixture
def measure(monkeypatch, tmp_path):
    """`run`, with processes that time nothing and take `slow` times as long for a sample."""

    @contextmanager
    def silent(labels: Any = None):
        yield Silence()

    monkeypatch.setattr(progress, "progress", silent)
    monkeypatch.setattr(record, "record", lambda **_: {"cpu": "a test"})

    def run(*words: str, slow: float = 1.0, stop: int | None = None) -> int:
        def seconds(case: Case, process: int, index: int) -> float:
            if process == stop:
                raise KeyboardInterrupt
            return 1e-3 * slow * (1 + 0.01 * process)

        clock = FakeClock()
        monkeypatch.setattr(runner, "Processes", lambda devices, gradients: FakeWorkers(clock, seconds))
        return main(["run", *AT, "--out", str(tmp_path / "r"), *words])

    return run


def of(run: Run, name: str) -> list[dict[str, Any]]:
    return [row for row in run.rows if row["operator"] == name]


@pytest.mark.parametrize(("stop", "code"), [(None, 0), (3, 130)])
def test_a_reference_that_is_timed_again_beside_more_says_in_its_row_what_all_of_its_samples_say(
    measure, stop, code, tmp_path, capsys
):
    assert measure("--ops", "bilinear") == 0
    first = of(read_run(tmp_path / "r"), "bilinear")
    assert measure("--ops", "bilinear nearest", "--resume", slow=2.0, stop=stop) == code
    assert "contradict" not in capsys.readouterr().out
    run = read_run(tmp_path / "r")
    assert run.problems == ()
    (last,) = of(run, "bilinear")
    assert last["processes"] == len({s["process"] for s in run.samples if s["case"] == last["case"]})
    assert last["processes"] > first[0]["processes"]
    assert last["latency"] > 1.1 * first[0]["latency"]
    assert main(["compare", str(tmp_path / "r")]) == 0
    out, err = capsys.readouterr()
    assert "contradict" not in out
    assert "stands above" not in err


def test_a_run_that_goes_on_with_nothing_new_stores_no_row_again(measure, tmp_path):
    words = ["--ops", "bilinear nearest"]
    assert measure(*words) == 0
    stored = (tmp_path / "r" / "rows.jsonl").read_bytes()
    assert measure(*words, "--resume") == 0
    assert (tmp_path / "r" / "rows.jsonl").read_bytes() == stored


def test_a_run_that_goes_on_says_in_one_line_which_settings_differ_where_something_is_left(measure, tmp_path, capsys):
    assert measure("--ops", "bilinear", "--time-budget", "4", "--processes", "3") == 0
    capsys.readouterr()
    more = ("--ops", "bilinear nearest", "--resume")
    assert measure(*more, "--processes", "4") == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    said = "goes on with other settings: time_budget 4.0 before, default now; processes 3 before, 4 now"
    assert notes == [f"note: {tmp_path / 'r'}: {said}"]
    for words in ((*more, "--processes", "5"), ("--ops", "bilinear nearest bicubic", "--resume", "--processes", "4")):
        assert measure(*words) == 0  # nothing is left, or nothing differs
        assert "settings" not in capsys.readouterr().err

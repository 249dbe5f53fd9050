"""Kernels of a GPU are compiled before anything else, each case once, and never again while nothing has changed."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClock, FakeStore, FakeWorker, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.errors import BenchError
from a2u_bench.run import ahead
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.runner import run
from a2u_bench.suites.plan import Plan, Settings

SETTINGS = Settings(processes=1, max_rounds=2, target_ci=1.0, time_budget=0.0)


class Compiler(FakeWorker):
    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        answer = super().ask(step, case, *arguments)
        if step == "compile":
            with self.workers.lock:  # type: ignore[attr-defined]
                self.workers.clock.now += 3.0
            return 3.0
        return answer


class Compilers(FakeWorkers):
    lock = threading.Lock()

    def start(self, device: str, threads: int, seed: int, timeout: float) -> FakeWorker:
        with self.lock:
            worker = super().start(device, threads, seed, timeout)
        return Compiler(self, worker.number)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ahead, "usable_cores", lambda: 2)
    return tmp_path


def case(operator: str, **axes: Any) -> Case:
    place: dict[str, Any] = {"device": "cuda", **axes}
    return Case(operator, "default", operator, 1, 8, 4, 4, **place)


def measure(*cases: Case, **fake: Any) -> tuple[list[dict[str, Any]], Compilers, FakeStore, list[tuple[str, str]]]:
    clock, store = FakeClock(), FakeStore()
    workers, heard = Compilers(clock, **fake), []

    class Ear:
        def planned(self, rows: int, work: float) -> None: ...
        def doing(self, case: Case, step: str) -> None:
            heard.append((step, case.operator))

        def advanced(self, done: float, seconds_left: float, what: str) -> None: ...
        def row_done(self, row: Any) -> None: ...

    rows = run(Plan("paper", cases, (), SETTINGS), store, Ear(), workers=workers, clock=clock)  # type: ignore[arg-type]
    assert workers.alive == 0
    return rows, workers, store, heard


def test_every_case_is_compiled_once_before_the_first_is_checked_and_counted_as_compiling():
    rows, workers, store, heard = measure(*(case(name) for name in "abc"))
    assert [row["status"] for row in rows] == ["ok"] * 3
    steps = [step for _, step, _ in workers.log]
    assert Counter(step for step in steps if step == "compile") == {"compile": 3}
    assert max(place for place, step in enumerate(steps) if step == "compile") < steps.index("check")
    assert store.manifest["compiling"] == 9.0
    assert store.manifest["examining"] == store.manifest["checking"] == 0.0
    assert sorted(name for step, name in heard if step == "compile") == ["a", "b", "c"]


def test_what_was_compiled_is_not_compiled_again_until_the_sources_change(monkeypatch):
    measure(case("a"))
    _, workers, _, _ = measure(case("a"), case("b"))
    assert [name for _, step, name in workers.log if step == "compile"] == ["b"]
    monkeypatch.setattr(ahead, "_sources", lambda: "changed")
    _, workers, _, _ = measure(case("a"))
    assert [name for _, step, name in workers.log if step == "compile"] == ["a"]


def test_sources_are_read_once_for_all_cases(monkeypatch):
    read: Counter[Path] = Counter()
    plain = Path.read_bytes

    def noting(path: Path) -> bytes:
        read[path] += path.suffix == ".py"
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", noting)
    measure(*(case(name) for name in "abc"))
    assert set(read.values()) == {1}


def test_on_a_cpu_no_process_starts_for_it():
    _, workers, store, _ = measure(case("a", device="cpu"))
    assert "compile" not in {step for _, step, _ in workers.log}
    assert store.manifest["compiling"] == 0.0


def test_a_compilation_that_takes_too_long_ends_its_case_alone_and_no_check_waits_for_it_again():
    ends = {
        ("b", "compile", number): CaseEnded("timeout", "compiling took longer than 600 s", True) for number in (0, 1)
    }
    rows, workers, _, _ = measure(*(case(name) for name in "abc"), fails=ends)
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("ok", ""),
        ("timeout", "compiling took longer than 600 s"),
        ("ok", ""),
    ]
    assert "b" not in {name for _, step, name in workers.log if step == "check"}


def test_a_case_that_fails_there_is_left_to_its_check(cache):
    ends = {("a", "compile", number): CaseEnded("oom", "too many at once", True) for number in (0, 1)}
    rows, _, _, _ = measure(case("a"), fails=ends)
    assert rows[0]["status"] == "ok"
    assert not list(cache.rglob("*"))  # not marked: the next run tries again


class Crowded(Compilers):
    """Starts of these numbers fail, as where a GPU has no room for another process; until the last of them nobody has
    compiled anything, so that those that started are still there."""

    def __init__(self, *refused: int) -> None:
        super().__init__(FakeClock())
        self.refused, self.tried, self.all_refused = refused, 0, threading.Event()

    def start(self, device: str, threads: int, seed: int, timeout: float) -> FakeWorker:
        with self.lock:
            self.tried += 1
            number = self.tried
        if number in self.refused:
            if number == max(self.refused):
                self.all_refused.set()
            raise BenchError("no process to measure in could be started: CUDA error: out of memory")
        worker = super().start(device, threads, seed, timeout)
        return Waiting(self, worker.number)


class Waiting(Compiler):
    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        if step == "compile":
            assert self.workers.all_refused.wait(60)  # type: ignore[attr-defined]
        return super().ask(step, case, *arguments)


@pytest.mark.parametrize(("refused", "compiled"), [((1,), 3), ((2,), 3), ((1, 2), 0)])
def test_a_gpu_without_room_for_every_process_is_not_gone_and_what_they_leave_is_checked(refused, compiled):
    workers = Crowded(*refused)
    plan = Plan("paper", tuple(case(name) for name in "abc"), (), SETTINGS)
    rows = run(plan, workers=workers, clock=workers.clock)
    assert [(row["status"], row["reason"]) for row in rows] == [("ok", "")] * 3
    assert [step for _, step, _ in workers.log].count("compile") == compiled
    assert workers.alive == 0


def test_a_gpu_on_which_none_starts_at_all_ends_the_run_with_the_reason():
    workers = Crowded(*range(1, 100))
    workers.all_refused.set()
    with pytest.raises(BenchError, match="could be started: CUDA error: out of memory"):
        run(Plan("paper", (case("a"), case("b")), (), SETTINGS), workers=workers, clock=workers.clock)
    assert workers.tried == 3  # two ahead, and one that has the GPU to itself


def test_cases_of_one_operator_lie_apart():
    cases = [case("a"), replace(case("a"), options="a:k=1"), case("b"), replace(case("b"), options="b:k=1")]
    assert [one.options for one in ahead._spread(cases)] == ["a", "b", "a:k=1", "b:k=1"]


def test_no_more_processes_than_fit_into_the_gpu_s_memory(monkeypatch):
    class Gpu:
        def __init__(self, free: int) -> None:
            self.free = free

        def free_memory(self) -> int:
            return self.free

    cases = [case(name) for name in "abcdef"]
    monkeypatch.setattr(ahead, "usable_cores", lambda: 16)
    for free, expected in ((100 << 30, 6), (2500 << 20, 2), (0, 1)):
        monkeypatch.setattr(ahead, "visible_gpu", lambda free=free: Gpu(free))
        assert ahead._at_once(cases) == expected


def test_an_interrupt_ends_every_process_and_leaves_what_waits():
    class Interrupting(Compilers):
        def start(self, device: str, threads: int, seed: int, timeout: float) -> FakeWorker:
            raise KeyboardInterrupt

    clock = FakeClock()
    workers = Interrupting(clock)
    with pytest.raises(KeyboardInterrupt):
        run(Plan("paper", (case("a"), case("b")), (), SETTINGS), workers=workers, clock=clock)
    assert workers.log == []

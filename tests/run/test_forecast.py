"""A run's time is known before it begins: what is foretold is what the run then takes, on a machine that obeys."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fakes import FakeClock, FakeStore, FakeWorker, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.measure.latency import Calls
from a2u_bench.run.examine import ON_A_GPU
from a2u_bench.run.forecast import EXPORTED, MOMENT, TIMES, TRYING, foretell
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.progress import Silence
from a2u_bench.run.runner import run
from a2u_bench.run.schedule import GRACE
from a2u_bench.suites.plan import Plan, Reference, Settings

REFERENCE = Reference("ref", "default", "ref")
SLOW = {f"o{index}": 0.2 * index for index in range(30, 44)}


def case(operator: str, **axes: Any) -> Case:
    return Case(operator=operator, variant="default", options=operator, batch=1, channels=8, height=4, width=4, **axes)


def cost(case: Case) -> float:
    return SLOW.get(case.operator, 4e-3)


def machine(**fake: Any) -> FakeWorkers:
    def seconds(case: Case, process: int, index: int) -> float:
        return cost(case) * (1 + 0.1 * math.sin(7 * process + sum(map(ord, case.operator))))

    return FakeWorkers(FakeClock(), seconds=seconds, cost=cost, building=0.01, **fake)


@dataclass
class Heard(Silence):
    """What was told: rows that ended, and after how long by this clock how long it would go on."""

    clock: FakeClock
    rows: list[Any] = field(default_factory=list)
    left: list[tuple[float, float]] = field(default_factory=list)

    def row_done(self, row: Any) -> None:
        self.rows.append(row)

    def advanced(self, done: float, seconds_left: float, what: str) -> None:
        self.left.append((self.clock(), seconds_left))


def test_building_a_case_is_part_of_what_is_foretold():
    plan = Plan("", (case("a"), case("b")), (), Settings(processes=3))
    slow = machine()
    slow.building = 5.0
    said = foretell(plan, plan.cases, Silence(), workers=slow, clock=slow.clock)
    assert said.examining >= 2 * 5.0
    assert said.calls == {one.id: pytest.approx(4e-3) for one in plan.cases}


@pytest.mark.parametrize("budget", [None, 3000.0])
@pytest.mark.parametrize(("device", "starting", "renewing"), [("cpu", 0.05, 4.0), ("cuda", 3.5, 5.0)])
def test_a_run_takes_what_was_foretold(device: str, starting: float, renewing: float, budget: float | None):
    names = ("ref", *(f"o{index}" for index in range(43)))
    settings = Settings(time_budget=budget, target_ci=0.0, processes=6 if device == "cuda" else 8)
    plan = Plan("", tuple(case(name, device=device) for name in names), (), settings, reference=REFERENCE)
    trying = machine(starting=starting, renewing=renewing)
    said = foretell(plan, plan.cases, Silence(), workers=trying, clock=trying.clock)
    real = machine(starting=starting, renewing=renewing, checking=0.06)
    store = FakeStore()
    rows = run(plan, store, workers=real, clock=real.clock)  # type: ignore[arg-type]
    assert {row["status"] for row in rows} == {"ok"}
    assert said.timing == pytest.approx(real.clock.now - starting - store.manifest["examining"], rel=0.2)
    assert said.starting == pytest.approx(starting)
    own = [row for row in rows if row["operator"] != "ref"]
    if budget is None:
        assert min(row["processes"] for row in own) == pytest.approx(said.processes[0], rel=0.2)
        assert max(row["processes"] for row in own) == pytest.approx(said.processes[1], rel=0.6)
        assert said.processes[0] <= min(row["processes"] for row in rows)
    assert said.cases == 44
    assert "process" in said.words()


@pytest.mark.parametrize(
    "settings", [Settings(time_budget=5.0), Settings(time_budget=40.0), Settings(each=0.6), Settings(time_budget=0.0)]
)
@pytest.mark.parametrize("count", [1, 20])
def test_what_is_left_is_what_it_then_takes_forkservers_included(settings: Settings, count: int):
    settings = replace(settings, target_ci=0.0)
    plan = Plan("", (*(case(f"c{index}") for index in range(count)), case("ref")), (), settings, reference=REFERENCE)
    real = machine(starting=0.05, renewing=4.0)
    heard = Heard(real.clock)
    rows = run(plan, None, heard, workers=real, clock=real.clock)
    assert {row["status"] for row in rows} == {"ok"}
    for then, left in heard.left[:: len(heard.left) // 5]:
        assert left == pytest.approx(real.clock() - then, rel=0.2, abs=1.5)
    trying = machine(starting=0.05, renewing=4.0)
    said = foretell(plan, plan.cases, Silence(), workers=trying, clock=trying.clock)
    began = heard.left[0][0] - 4.0  # the first forkserver
    assert said.timing == pytest.approx(real.clock() - began, rel=0.2, abs=1.5)
    if settings.time_budget == 40.0:
        assert said.timing == pytest.approx(40.0, abs=4.0)


def test_a_budget_that_is_far_too_small_ends_the_run_when_the_forecast_says():
    plan = Plan("", tuple(case(name) for name in SLOW), (), Settings(time_budget=1.0))
    real, trying = machine(), machine()
    heard = Heard(real.clock)
    run(plan, None, heard, workers=real, clock=real.clock)
    said = foretell(plan, plan.cases, Silence(), workers=trying, clock=trying.clock)
    assert said.timing == GRACE
    assert all(left <= GRACE for _, left in heard.left)


def test_a_case_that_cannot_be_tried_does_not_end_the_forecast_and_is_told():
    plan = Plan("", (case("a"), case("b")), (), Settings(processes=3, onnx=True))
    trying = machine(fails={("a", "warm_up", 0): CaseEnded("oom", "why", True)})
    heard = Heard(trying.clock)
    said = foretell(plan, plan.cases, heard, workers=trying, clock=trying.clock)
    assert (said.cases, list(said.calls)) == (2, [plan.cases[1].id])
    assert said.examining >= EXPORTED  # of the other one
    told = [(row["options"], row["status"], row["reason"]) for row in heard.rows]
    assert told == [("a", "oom", "why"), ("b", "ok", "")]
    assert trying.alive == 0


class Asked(FakeWorkers):
    """Processes that keep what they are asked, and in which a call takes so long in turn."""

    calls: Iterator[float]
    steps: list[tuple[Any, ...]]

    def start(self, device: str, threads: int, seed: int, timeout: float) -> FakeWorker:
        return AskedWorker(self, super().start(device, threads, seed, timeout).number)


class AskedWorker(FakeWorker):
    workers: Asked

    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        self.workers.steps.append((step, case, *arguments))
        return Calls(0, 1, next(self.workers.calls)) if step == "warm_up" else super().ask(step, case, *arguments)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_case_costs_the_least_of_some_calls_of_itself_uncompiled_after_a_first(device: str, monkeypatch, tmp_path):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))  # where nothing is known to be compiled
    eager = case("a", device=device)
    plan = Plan("", (eager, replace(eager, runtime="compile")), (), Settings(memory_limit=7))
    workers = Asked(FakeClock())
    workers.calls, workers.steps = iter((0.9, 0.001, 0.3)), []
    said = foretell(plan, plan.cases, Silence(), workers=workers, clock=workers.clock)
    first = [("predict", eager, 7), ("build", eager), ("compile", eager)]
    ahead = [*first, ("drop", eager)] if device == "cuda" else []
    assert workers.steps == [*ahead, *first, *[("warm_up", eager, MOMENT)] * TIMES, ("drop", eager)]
    samples = ON_A_GPU if device == "cuda" else 1
    assert said.calls == {one.id: pytest.approx(samples * 0.001) for one in plan.cases}


def test_many_cases_are_tried_for_no_longer_in_all():
    plan = Plan("", tuple(case(f"c{index}") for index in range(1000)))
    workers = Asked(FakeClock())
    workers.calls, workers.steps = iter(lambda: 0.001, None), []
    foretell(plan, plan.cases, Silence(), workers=workers, clock=workers.clock)
    moments = [seconds for step, _, *more in workers.steps if step == "warm_up" for seconds in more]
    assert len(moments) == 1000 * TIMES
    assert sum(moments) == pytest.approx(TRYING)

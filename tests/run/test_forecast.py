"""A run's time is known before it begins: what is foretold is what the run then takes, on a machine that obeys."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from fakes import FakeClock, FakeStore, FakeWorker, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.measure.attempt import LONG, SIDE, attempt
from a2u_bench.measure.latency import Calls
from a2u_bench.run import forecast
from a2u_bench.run.forecast import foretell
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.runner import run
from a2u_bench.suites.plan import Plan, Reference, Settings

REFERENCE = Reference("ref", "default", "ref")
SLOW = {f"o{index}": 0.2 * index for index in range(30, 44)}


def case(operator: str, **axes: Any) -> Case:
    return Case(operator=operator, variant="default", options=operator, batch=1, channels=8, height=4, width=4, **axes)


def cost(case: Case) -> float:
    return SLOW.get(case.operator, 4e-3)


class Trying(FakeWorkers):
    """Processes that can be asked what a case costs."""

    def start(self, device: str, threads: int, seed: int, timeout: float) -> FakeWorker:
        made = super().start(device, threads, seed, timeout)
        return TryingWorker(made.workers, made.number)


class TryingWorker(FakeWorker):
    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        answer = super().ask(step, case, *arguments)
        return (self.workers.building, Calls(0, 1, self.workers.cost(case))) if step == "attempt" else answer


def machine(**fake: Any) -> Trying:
    def seconds(case: Case, process: int, index: int) -> float:
        return cost(case) * (1 + 0.1 * math.sin(7 * process + sum(map(ord, case.operator))))

    return Trying(FakeClock(), seconds=seconds, cost=cost, building=0.01, **fake)


def test_building_a_case_is_part_of_what_is_foretold():
    plan = Plan("", (case("a"), case("b")), (), Settings(processes=3))
    slow = machine()
    slow.building = 5.0
    said = foretell(plan, plan.cases, lambda case, step: None, workers=slow, clock=slow.clock)
    assert said.examining >= 2 * 5.0
    assert said.calls == {one.id: pytest.approx(4e-3) for one in plan.cases}


@pytest.mark.parametrize("budget", [None, 3000.0])
@pytest.mark.parametrize(("device", "starting"), [("cpu", 0.05), ("cuda", 3.5)])
def test_a_run_takes_what_was_foretold(device: str, starting: float, budget: float | None, monkeypatch):
    monkeypatch.setattr(forecast, "OTHERWISE", 0.0)
    names = ("ref", *(f"o{index}" for index in range(43)))
    settings = Settings(time_budget=budget, target_ci=0.0, processes=6 if device == "cuda" else 8)
    plan = Plan("", tuple(case(name, device=device) for name in names), (), settings, reference=REFERENCE)
    trying = machine(starting=starting)
    said = foretell(plan, plan.cases, lambda case, step: None, workers=trying, clock=trying.clock)
    real = machine(starting=starting, checking=0.06)
    store = FakeStore()
    rows = run(plan, store, workers=real, clock=real.clock)  # type: ignore[arg-type]
    assert {row["status"] for row in rows} == {"ok"}
    assert said.timing == pytest.approx(real.clock.now - starting - store.manifest["examining"], rel=0.2)
    assert said.starting == starting
    own = [row for row in rows if row["operator"] != "ref"]
    if budget is None:
        assert min(row["processes"] for row in own) == pytest.approx(said.processes[0], rel=0.2)
        assert max(row["processes"] for row in own) == pytest.approx(said.processes[1], rel=0.6)
        assert said.processes[0] <= min(row["processes"] for row in rows)
    assert said.cases == 44
    assert "process" in said.words()


def test_a_case_that_cannot_be_tried_does_not_end_the_forecast():
    plan = Plan("", (case("a"), case("b")), (), Settings(processes=3))
    fails = {("a", "attempt", 1): CaseEnded("oom", "why", True)}
    trying = machine(fails=fails)
    said = foretell(plan, plan.cases, lambda case, step: None, workers=trying, clock=trying.clock)
    assert said.cases == 2
    assert said.seconds > 0
    assert trying.alive == 0


class Timer:
    """Says what a call of so many points takes, and remembers for which maps it was asked."""

    def __init__(self, seconds_a_point: float) -> None:
        self.each, self.maps = seconds_a_point, list[tuple[int, ...]]()

    def sample(self, call: Any, inner: int) -> float:
        shape = tuple(call().shape)
        self.maps.append(shape)
        return self.each * shape[2] * shape[3]


NEAREST = Case("nearest", "nearest", "nearest", 1, 2, 40, 24)


def test_what_is_long_is_tried_on_a_small_map_alone_and_what_is_short_as_it_is():
    short, long = Timer(LONG / (80 * 48) / 2), Timer(LONG / (80 * 48) * 2)
    building, calls = attempt(NEAREST, 0, short)
    assert calls.seconds == pytest.approx(LONG / 2)
    assert short.maps == [(1, 2, 2 * SIDE, 2 * SIDE)] * 2 + [(1, 2, 80, 48)] * 2
    _, calls = attempt(NEAREST, 0, long)
    assert calls.seconds == pytest.approx(2 * LONG)
    assert long.maps == [(1, 2, 2 * SIDE, 2 * SIDE)] * 2
    assert building > 0


def test_a_small_map_is_tried_once():
    timer = Timer(1e-9)
    attempt(replace(NEAREST, height=4, width=4), 0, timer)
    assert timer.maps == [(1, 2, 8, 8)] * 2

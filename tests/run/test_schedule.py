"""The schedule: blocks of like cost, as many rounds as a process is worth, and a time that follows from the plan."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest
from fakes import FakeClock, FakeStore, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.run.runner import run
from a2u_bench.run.schedule import Cost, Expected, Share, Turn, compose, purses, turn
from a2u_bench.suites.expand import make_plan
from a2u_bench.suites.plan import Plan, Reference, Settings

REFERENCE = Reference("ref", "default", "ref")
VARIANTS = 44
"""Of all operators in a default run, the reference among them."""


def case(operator: str, **axes: Any) -> Case:
    return Case(operator=operator, variant="default", options=operator, batch=1, channels=8, height=4, width=4, **axes)


def everything(settings: Settings, **axes: Any) -> Plan:
    names = ("ref", *(f"o{index}" for index in range(VARIANTS - 1)))
    return Plan("paper", tuple(case(name, **axes) for name in names), (), settings, reference=REFERENCE)


def measure(plan: Plan, store: Any = None, **fake: Any) -> tuple[list[dict[str, Any]], FakeWorkers]:
    clock = FakeClock()
    workers = FakeWorkers(clock, **fake)
    return run(plan, store, workers=workers, clock=clock), workers


def astray(case: Case, process: int) -> float:
    """A factor for each process of each operator, so that no interval is ever tight."""
    return 1 + 0.1 * math.sin(7 * process + sum(map(ord, case.operator)))


def test_blocks_are_of_one_workload_and_even_in_size():
    names = ("ref", *(f"o{index}" for index in range(17)))
    cases = [case(name, dtype=dtype) for dtype in ("float32", "float64") for name in names]
    found = compose(cases, Plan("", (), reference=REFERENCE), {})
    assert [[one.operator for one in block] for block in found] == 2 * [
        list(names[1:6]),
        list(names[6:12]),
        list(names[12:]),
    ]
    assert [{one.dtype for one in block} for block in found] == [{"float32"}] * 3 + [{"float64"}] * 3


def test_a_slow_case_is_in_a_block_of_slow_ones():
    cases = [case(name) for name in "abcdef"]
    seconds = dict(zip("abcdef", (0.001, 3.0, 0.049, 0.05, 0.39, 4.0), strict=True))
    costs = {one.id: Cost(0.0, seconds[one.operator]) for one in cases}
    found = compose(cases, Plan("", ()), costs)
    assert [[one.operator for one in block] for block in found] == [["a", "c"], ["d", "e"], ["b"], ["f"]]


def test_a_dear_process_runs_more_rounds_and_a_dear_round_is_run_less_often():
    settings = Settings(each=2.0, processes=6)
    nine = [Cost(0.05, 0.004)] * 9
    found = turn(nine, 0.05, settings)
    assert found == Turn(pytest.approx(0.5), pytest.approx(0.036), settings.max_rounds)  # type: ignore[arg-type]
    assert turn(nine, 3.5, settings).rounds == 2 * round(math.sqrt(math.pi / 2 * 3.95 / 0.036))
    assert turn([Cost(0.05, 1e-5)] * 9, 3.5, settings).rounds == settings.max_rounds
    assert turn([Cost(0.02, 0.05)] * 9, 0.05, settings).rounds == 6  # as many as fit: 3 s of which 0.23 are spent
    assert turn([Cost(3.2, 3.2)] * 9, 0.05, settings).rounds == settings.min_rounds
    assert turn([Cost()], 0.0, settings).rounds == settings.max_rounds


def test_time_follows_from_what_is_asked_and_from_what_it_costs():
    settings = Settings(each=2.0, processes=6)
    quick, slow = Turn(0.5, 0.03, 10), Turn(4.0, 10.0, 2)
    assert purses([quick, slow], [9, 9], settings) == [18.0, 6 * 24.0]
    assert purses([quick, slow], [9, 9], Settings(each=2.0, processes=6, time_budget=81.0)) == [9.0, 72.0]
    shares = [Share((), *parts) for parts in ((quick, 18.0), (slow, 144.0), (quick, 1e3), (quick, 4.2), (slow, 9.0))]
    assert [share.expected(settings) for share in shares] == [
        Expected(12, 10, 12 * quick.seconds),
        Expected(6, 2, 144.0),
        Expected(12, 10, 12 * quick.seconds),
        Expected(6, 7, 6 * Turn(0.5, 0.03, 7).seconds),
        Expected(3, 2, 72.0),  # no fewer, whatever the time
    ]


def test_on_a_device_whose_processes_are_dear_a_default_run_has_enough_of_them_in_time():
    """All operators on an accelerator: 3.5 s to start a process, 50 ms to build a case in it, 0.4 ms a call."""
    store = FakeStore()
    settings = make_plan(ops="nearest", device="cuda", elsewhere=True).settings
    rows, workers = measure(
        everything(settings, device="cuda"),
        store,
        starting=3.5,
        renewing=5.0,
        building=0.05,
        checking=0.3,
        cost=lambda case: 4e-4,
        seconds=lambda case, process, index: 4e-4 * (1 + 0.1 * (process % 3)) * (1.2 if case.operator == "ref" else 1),
    )
    assert {row["status"] for row in rows} == {"ok"}
    assert min(row["processes"] for row in rows) >= 5
    assert min(row["samples"] for row in rows) >= 100
    assert workers.clock.now <= 240


def test_a_run_takes_what_its_plan_needs_where_no_budget_is_given():
    settings = Settings(each=2.0, target_ci=0.0)
    seconds = lambda case, process, index: 8e-3 * astray(case, process)  # noqa: E731
    rows, workers = measure(everything(settings), starting=0.2, building=0.05, cost=lambda case: 4e-3, seconds=seconds)
    assert workers.clock.now == pytest.approx((VARIANTS + 5) * 2.0, rel=0.1)
    assert min(row["processes"] for row in rows) >= 8


def test_slow_cases_have_their_fewest_processes_and_take_no_time_from_the_others():
    """Some operators of a dtype that the machine has no arithmetic for take seconds a call: all are measured."""
    slow = {f"o{index}": 1.0 + 0.2 * index for index in range(12)}

    def seconds(case: Case, process: int, index: int) -> float:
        return slow.get(case.operator, 2e-3) * astray(case, process)

    rows, workers = measure(
        everything(Settings(target_ci=0.0)),
        seconds=seconds,
        cost=lambda case: slow.get(case.operator, 4e-3),
        starting=0.1,
    )
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["processes"] for row in rows if row["operator"] in slow} <= {8, 9}
    quick = [row["processes"] for row in rows if row["operator"] not in (*slow, "ref")]
    assert min(quick) >= 10
    least = 8 * 3 * sum(slow.values())
    assert least <= workers.clock.now <= least + VARIANTS * 2.5


def test_cheap_cases_are_examined_first_whatever_they_are_called():
    names = ("carafe", "nearest", "bicubic")
    cases = tuple(
        Case(name, name, name, 1, 64, 16, 16, dtype=dtype) for dtype in ("bfloat16", "float32") for name in names
    )
    _, workers = measure(Plan("", cases, (), Settings(time_budget=0.0, processes=1)))
    assert [name for _, step, name in workers.log if step == "check"] == [
        *("nearest", "bicubic", "nearest", "carafe", "bicubic", "carafe")  # the second of each is of halves
    ]


def test_time_that_goes_into_checking_and_compiling_takes_none_from_timing():
    def sampled(**fake: float) -> tuple[int, float]:
        rows, workers = measure(everything(Settings(time_budget=50.0, target_ci=0.0)), seconds=vague, **fake)
        return sum(row["samples"] for row in rows), workers.clock.now

    def vague(case: Case, process: int, index: int) -> float:
        return 1e-3 * astray(case, process)

    warm, brief = sampled()
    cold, long = sampled(checking=1.0, compiling=5.0)
    assert cold == warm
    assert long == pytest.approx(brief + VARIANTS * 6.0)


def test_no_two_processes_that_time_a_case_come_from_one_forkserver():
    store = FakeStore()
    settings = Settings(each=1.0, processes=4)
    _, workers = measure(everything(settings), store, starting=0.1, cost=lambda case: 0.001)
    begins = workers.renewed
    assert len(begins) >= 4

    def server(process: int) -> int:
        return sum(begin <= process for begin in begins)

    used: dict[str, set[int]] = {}
    for sample in (one for batch in store.samples for one in batch):
        used.setdefault(sample["case"], set()).add(sample["process"])
    own = [processes for case, processes in used.items() if not case.startswith("ref")]
    assert len(own) == VARIANTS - 1
    for processes in own:
        # Process 0 of the fake examines; those that time are numbered from 0 on by the run.
        assert len({server(process + 1) for process in processes}) == len(processes) >= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forkserver where nothing forks")
def test_a_new_forkserver_is_another_process():
    from multiprocessing import forkserver

    from a2u_bench.run.processes import Processes

    workers, seen = Processes(), set()
    for _ in range(2):
        workers.renew()
        seen.add(forkserver._forkserver._forkserver_pid)  # type: ignore[attr-defined]
    assert len(seen) == 2 and None not in seen

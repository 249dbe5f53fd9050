"""Every block has the reference beside it: in each round of each process, with one row of its own, whatever becomes of
it."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeClock, FakeStore, FakeWorkers

from a2u_bench import stats
from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.runner import run
from a2u_bench.run.samples import renew_references
from a2u_bench.store.read import read_run, read_samples
from a2u_bench.store.write import Store
from a2u_bench.suites.plan import Plan, Reference, Settings

REFERENCE = Reference("ref", "default", "ref")
SETTINGS = Settings(time_budget=1e9, processes=3, max_rounds=4, target_ci=0.01)
NAMES = [f"o{index}" for index in range(17)]


def case(operator: str, **axes: Any) -> Case:
    return Case(operator=operator, variant="default", options=operator, batch=1, channels=8, height=4, width=4, **axes)


def plan(*operators: str, settings: Settings = SETTINGS, **axes: Any) -> Plan:
    return Plan("quick", tuple(case(name, **axes) for name in operators), (), settings, reference=REFERENCE)


def measure(plan: Plan, store: Any = None, **fake: Any) -> tuple[list[dict[str, Any]], FakeWorkers]:
    clock = FakeClock()
    workers = FakeWorkers(clock, **fake)
    return run(plan, store, workers=workers, clock=clock), workers


def timed(workers: FakeWorkers) -> dict[int, list[str]]:
    """The operators that each process timed, in order."""
    found: dict[int, list[str]] = {}
    for number, step, name in workers.log:
        if step == "time":
            found.setdefault(number, []).append(name)
    return found


def test_the_reference_is_timed_once_in_every_round_of_every_process_of_every_block():
    store = FakeStore()
    rows, workers = measure(plan(*NAMES, "ref"), store)
    assert [row["operator"] for row in rows] == [*NAMES, "ref"]
    sizes = []
    for names in timed(workers).values():
        members = set(names)
        assert "ref" in members
        sizes.append(len(members) - 1)
        rounds = [names[start : start + len(members)] for start in range(0, len(names), len(members))]
        assert all(set(one) == members for one in rounds)
        assert rounds[1] == rounds[0][::-1]
    assert sorted(sizes) == [5] * 3 + [6] * 6
    assert rows[-1]["processes"] == 9  # those of all blocks
    assert {sample["process"] for samples in store.samples for sample in samples} == set(range(9))


def test_a_full_block_has_eight_cases_and_the_reference():
    _, workers = measure(plan(*NAMES[:8], "ref"))
    assert {len(set(names)) for names in timed(workers).values()} == {9}


def test_a_reference_that_is_asked_for_alone_is_timed_alone():
    rows, _ = measure(plan("ref"))
    assert [(row["operator"], row["status"], row["processes"]) for row in rows] == [("ref", "ok", 3)]


def test_each_workload_has_a_reference_of_its_own():
    both = plan("a", "ref").cases + plan("a", "ref", dtype="float64").cases
    store = FakeStore()
    measure(Plan("quick", both, (), SETTINGS, reference=REFERENCE), store)
    by_process = [{sample["case"] for sample in samples} for samples in store.samples]
    assert {frozenset(ids) for ids in by_process} == {
        frozenset((case("a").id, case("ref").id)),
        frozenset((case("a", dtype="float64").id, case("ref", dtype="float64").id)),
    }


@pytest.mark.parametrize("status", ["incorrect", "failed"])
def test_where_the_reference_ends_at_its_check_the_others_are_measured_on(status: str):
    rows, workers = measure(plan("a", "b", "ref"), fails={("ref", "check", 0): CaseEnded(status, "why", False)})
    assert [(row["operator"], row["status"]) for row in rows] == [("a", "ok"), ("b", "ok"), ("ref", status)]
    assert all("ref" not in names for names in timed(workers).values())
    assert [row["stopped"] for row in rows[:2]] == ["target"] * 2


def test_where_the_reference_fails_while_it_is_timed_the_others_are_measured_on():
    rows, workers = measure(plan("a", "b", "ref"), fails={("ref", "time", 2): CaseEnded("failed", "why", True)})
    assert [(row["operator"], row["status"]) for row in rows] == [("a", "ok"), ("b", "ok"), ("ref", "failed")]
    assert ["ref" in names for names in timed(workers).values()].count(True) <= 2
    assert rows[0]["processes"] >= 3


def test_measuring_stops_by_the_ratio_to_the_reference_and_not_by_the_latency():
    """The machine is another in each process: latencies stray, ratios do not."""
    rows, _ = measure(plan("a", "ref"), seconds=lambda case, process, index: 1e-3 * process)
    assert [(row["processes"], row["stopped"]) for row in rows] == [(3, "target"), (3, "budget")]
    assert rows[0]["latency_high"] > 2 * rows[0]["latency"]

    def astray(case: Case, process: int, index: int) -> float:
        return 1e-3 * (1 + (process if case.operator == "a" else 0))

    rows, _ = measure(plan("a", "ref"), seconds=astray)
    assert [(row["processes"], row["stopped"]) for row in rows] == [(6, "limit"), (6, "target")]


def test_a_slow_moment_falls_on_both_and_leaves_their_ratio_alone():
    store = FakeStore()

    def seconds(case: Case, process: int, index: int) -> float:
        return (3e-3 if case.operator == "a" else 1e-3) * (1 + index + 10 * process)

    measure(plan("a", "ref"), store, seconds=seconds)
    samples = stats.gather(sample for samples in store.samples for sample in samples)
    found = stats.ratio(samples[case("a").id], samples[case("ref").id])
    assert found.value == pytest.approx(3.0)
    assert found.half_width == pytest.approx(0.0)


def gone_on(folder: Any, plan: Plan) -> tuple[list[dict[str, Any]], FakeWorkers]:
    clock = FakeClock()
    workers = FakeWorkers(clock)
    with Store.open(folder, plan.to_manifest(), resume=True) as store:
        return run(plan, store, workers=workers, clock=clock), workers


def test_a_run_that_is_asked_for_more_times_its_reference_beside_what_is_new(tmp_path):
    gone_on(tmp_path, plan("a", "ref"))
    rows, workers = gone_on(tmp_path, plan("a", "b", "ref"))
    assert [row["operator"] for row in rows] == ["b"]
    assert {frozenset(names) for names in timed(workers).values()} == {frozenset(("b", "ref"))}
    run = read_run(tmp_path)
    assert [row["operator"] for row in run.rows] == ["a", "ref", "b"]
    assert run.problems == ()
    samples = stats.gather(read_samples(tmp_path)[0])
    assert len(samples[case("ref").id]) == 6
    assert stats.ratio(samples[case("b").id], samples[case("ref").id]).freedom == 2


def test_a_row_of_the_reference_that_is_stored_anew_keeps_what_is_not_made_of_samples(tmp_path):
    old = make_row(case("ref"), "ok", "", {"params": 7, "latency": 1.0, "processes": 1, "note": "x; launch-bound: y"})
    others = [make_row(case("a"), "ok", "", {"processes": 1}), make_row(case("ref", dtype="float64"), "failed", "", {})]
    with Store.create(tmp_path, {"reference": "ref"}) as store:
        store.append_rows([old, *others])
        for number, one in enumerate([old, old, others[0], others[0], others[1]]):
            store.append_samples([{"case": one["case"], "process": number, "round": 0, "latency": [3.0]}])
        renew_references(store)
        renew_references(store)
        rows = store.rows
    assert list(read_run(tmp_path).rows) == rows
    assert [row["case"] for row in rows] == [one["case"] for one in (*others, old)]
    kept = ("params", "note", "processes", "samples")
    assert [rows[-1][name] for name in kept] == [7, "x", 2, 2]
    assert rows[-1]["latency"] == pytest.approx(3.0)


def test_a_resumed_block_counts_the_rounds_that_it_shares_with_the_reference(tmp_path):
    lines = [
        {"case": case(name).id, "process": process, "round": 0, "latency": [0.001]}
        for process in range(3)
        for name in ("a", "ref")
    ]
    with Store.create(tmp_path, plan("a", "ref").to_manifest()) as store:
        store.append_samples(lines)
    rows, workers = gone_on(tmp_path, plan("a", "ref"))
    assert timed(workers) == {}
    assert [(row["operator"], row["processes"], row["stopped"]) for row in rows] == [
        ("a", 3, "target"),
        ("ref", 3, "target"),
    ]

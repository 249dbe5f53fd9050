"""The left half of the flow on a fake clock and fake processes: order of rounds, stopping, failures, rows."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeClock, FakeStore, FakeWorkers

from a2u_bench import stats
from a2u_bench.case import Case
from a2u_bench.columns import BY_NAME
from a2u_bench.errors import BenchError, Unwritten
from a2u_bench.judge.reading import read
from a2u_bench.judge.verdicts import verdicts
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.runner import run
from a2u_bench.stats import Estimate
from a2u_bench.store.read import Run, read_run
from a2u_bench.store.write import Store
from a2u_bench.suites.plan import Plan, Reference, Settings, Skipped
from a2u_bench.tables.notes import of_rows

FIRST = Reference("a", "default", "a")
SETTINGS = Settings(time_budget=1e9, processes=3, max_rounds=4, target_ci=0.01)


def case(operator: str, **axes: Any) -> Case:
    return Case(operator=operator, variant="default", options=operator, batch=1, channels=8, height=4, width=4, **axes)


def plan(*operators: str, settings: Settings = SETTINGS, skipped: tuple[Skipped, ...] = ()) -> Plan:
    return Plan("quick", tuple(case(operator) for operator in operators), skipped, settings)


def measure(plan: Plan, store: FakeStore | None = None, **fake: Any) -> tuple[list[dict[str, Any]], FakeWorkers]:
    clock = FakeClock()
    workers = FakeWorkers(clock, **fake)
    rows = run(plan, store, workers=workers, clock=clock)  # type: ignore[arg-type]  # a store in memory
    assert workers.alive == 0
    return rows, workers


def test_a_row_holds_the_mean_over_processes_and_what_was_measured():
    rows, _ = measure(plan("a"), seconds=lambda case, process, index: 0.001 * process)
    (row,) = rows
    assert list(row) == list(BY_NAME)
    assert row["case"] == case("a").id
    assert (row["status"], row["reason"]) == ("ok", "")
    # Six processes (twice the three asked for, since 1 to 6 ms are far apart) of four rounds each.
    assert (row["samples"], row["processes"], row["stopped"]) == (24, 6, "limit")
    assert row["latency"] == pytest.approx(0.001 * math.factorial(6) ** (1 / 6))
    assert row["latency_low"] * row["latency_high"] == pytest.approx(row["latency"] ** 2)
    assert row["latency_low"] < row["latency"]
    assert (row["params"], row["macs"], row["macs_fvcore"], row["peak_memory"]) == (7, 11, 11, 13)
    assert row["saved_memory"] is None


def test_the_same_samples_give_the_same_row_to_the_last_digit():
    def noise(case: Case, process: int, index: int) -> float:
        return 0.001 + ((process * 31 + index * 17) % 13) * 1e-5

    (first,), _ = measure(plan("a"), seconds=noise)
    (again,), _ = measure(plan("a"), seconds=noise)
    assert first == again


def test_each_process_goes_there_and_back_through_an_order_of_its_own():
    _, workers = measure(plan("a", "b", "c", "d"))
    orders = set()
    for process in (1, 2, 3):
        timed = [name for number, step, name in workers.log if (number, step) == (process, "time")]
        rounds = [timed[i : i + 4] for i in range(0, len(timed), 4)]
        assert len(rounds) == 4
        assert sorted(rounds[0]) == ["a", "b", "c", "d"]
        assert rounds[1] == rounds[0][::-1]
        assert rounds[2:] == rounds[:2]
        orders.add(tuple(rounds[0]))
    assert len(orders) > 1


def test_processes_that_time_check_nothing_and_the_one_that_checks_times_nothing():
    _, workers = measure(plan("a", "b"))
    assert {step for number, step, _ in workers.log if number == 0} == {
        *("predict", "build", "check", "measure", "warm_up", "drop")
    }
    assert {step for number, step, _ in workers.log if number > 0} == {"build", "warm_up", "time"}


def test_no_process_times_anything_before_every_case_is_warm_in_it():
    """What a first call compiles or loads is in no measured time."""
    _, workers = measure(plan("a", "b", "c"))
    for process in range(1, workers.started):
        steps = [step for number, step, _ in workers.log if number == process]
        first = steps.index("time")
        assert steps[:first].count("warm_up") == 3
        assert set(steps[first:]) == {"time"}


def test_a_case_that_will_not_fit_ends_before_it_is_built_and_the_others_go_on_in_the_same_process():
    end = CaseEnded("oom", "predicted: needs at least 9 bytes; 8 are available", lost=False)
    rows, workers = measure(plan("a", "b"), fails={("a", "predict", 0): end})
    assert [(row["status"], row["reason"]) for row in rows] == [("oom", end.reason), ("ok", "")]
    assert not [step for _, step, name in workers.log if name == "a" and step not in ("predict", "drop")]
    assert {number for number, step, _ in workers.log if step == "check"} == {0}


def test_a_compiled_case_is_compiled_before_it_is_checked_and_before_it_is_timed():
    _, workers = measure(Plan("quick", (case("a", runtime="compile"),), (), SETTINGS))
    for number in {number for number, *_ in workers.log}:
        steps = [step for process, step, _ in workers.log if process == number and step != "predict"]
        assert steps[:3] == ["build", "compile", "check" if number == 0 else "warm_up"]


def test_on_an_accelerator_each_round_has_the_device_s_own_time_too_warm_and_cold_and_each_process_its_notes():
    store = FakeStore()
    rows, workers = measure(Plan("quick", (case("a", device="cuda"), case("b", device="cuda")), (), SETTINGS), store)
    last = workers.started - 1
    timed = [step for number, step, _ in workers.log if number == last and step.startswith("time")]
    assert timed[:12] == ["time", "time", *["time_device", "time_cold"] * 2] * 2
    for row in rows:
        assert (row["latency"], row["latency_device"], row["latency_cold"]) == pytest.approx((0.001, 0.00075, 0.003))
        assert row["latency_device_low"] == pytest.approx(0.00075) == row["latency_device_high"]
        assert row["latency_cold_low"] == pytest.approx(0.003) == row["latency_cold_high"]
        assert row["note"] == f"note of {row['operator']}"
    assert {tuple(sample["latency_cold"]) for samples in store.samples for sample in samples} == {(0.003,)}


def test_a_row_whose_calls_wait_for_launches_says_by_how_much():
    alone = Plan("quick", (case("a", device="cuda"),), (), SETTINGS)
    rows, _ = measure(alone, own=0.05)
    assert rows[0]["note"] == "note of a; launch-bound: 1e+03 µs, 20.0 times its own, 50 µs on the device"
    rows, _ = measure(alone, own=0.6)
    assert rows[0]["note"] == "note of a"


def test_a_resumed_run_counts_the_cold_samples_that_it_finds():
    first = case("a", device="cuda")
    lines = [
        {"case": first.id, "process": process, "round": 0, "latency": [0.001], "latency_cold": [0.003]}
        for process in range(3)
    ]
    (row,), workers = measure(Plan("quick", (first,), (), SETTINGS), FakeStore(rounds={first.id: lines}))
    assert "time" not in {step for _, step, _ in workers.log}
    assert row["latency_cold"] == pytest.approx(0.003)


def test_the_machine_s_ceilings_are_measured_once_for_each_device_and_number_of_threads_and_kept():
    cases = tuple(
        case(name, threads=threads, dtype=dtype)
        for threads in (1, 2)
        for dtype in ("float32", "float64")
        for name in "abcde"
    )
    store = FakeStore()
    _, workers = measure(Plan("quick", cases, (), SETTINGS), store)
    assert workers.asked == [("cpu", 1, ("float32", "float64")), ("cpu", 2, ("float32", "float64"))]
    assert [entry["threads"] for entry in store.manifest["ceilings"]] == [1, 2]
    _, again = measure(Plan("quick", cases, (), SETTINGS), FakeStore(manifest=store.manifest))
    assert again.asked == []


def test_a_run_that_goes_on_with_a_further_dtype_measures_its_ceiling_too():
    store = FakeStore()
    measure(Plan("quick", (case("a"), case("a", threads=2)), (), SETTINGS), store)
    cases = (case("a"), case("a", dtype="float16"), case("a", threads=2))
    _, workers = measure(Plan("quick", cases, (), SETTINGS), store)
    assert workers.asked == [("cpu", 1, ("float32", "float16"))]
    assert [(entry["threads"], list(entry["matrix"])) for entry in store.manifest["ceilings"]] == [
        (1, ["float32", "float16"]),
        (2, ["float32"]),
    ]


def test_ceilings_of_another_node_stay_and_are_not_taken_for_this_one_s():
    elsewhere = {"node": "elsewhere", "device": "cpu", "threads": 1, "copy": [], "matrix": {}}
    store = FakeStore(manifest={"ceilings": [elsewhere]})
    _, workers = measure(Plan("quick", (case("a"),), (), SETTINGS), store)
    assert workers.asked == [("cpu", 1, ("float32",))]
    assert [entry.get("node") for entry in store.manifest["ceilings"]] == ["elsewhere", None]


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (
            CaseEnded("timeout", "measuring took longer than 120 s", True),
            "no speed of light (measuring took longer than 120 s)",
        ),
        (CaseEnded("failed", "RuntimeError: CUDA; out", True), "no speed of light (RuntimeError, CUDA, out)"),
        (
            BenchError("no process to measure in started within 120 s"),
            "no speed of light (no process to measure in started",
        ),
    ],
)
def test_where_ceilings_cannot_be_measured_it_is_tried_once_and_each_row_without_a_floor_says_why(error, note):
    class Lacking(FakeWorkers):
        def ceilings(self, device: str, threads: int, dtypes: Any) -> dict[str, Any]:
            super().ceilings(device, threads, dtypes)
            raise error

    clock, store = FakeClock(), FakeStore()
    workers = Lacking(clock)
    cases = (case("a"), case("b"), case("a", mode="training"))  # no floor is that of a training
    rows = run(Plan("quick", cases, (), SETTINGS), store, workers=workers, clock=clock)  # type: ignore[arg-type]
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert [str(row["note"])[: len(note)] for row in rows] == [note, note, "None"]
    assert len(workers.asked) == 1
    assert store.manifest["ceilings"] == []
    found = read([Run(Path("x"), {}, tuple(rows[:2]), ())])
    assert of_rows(found, found.frame)[0] == f"{rows[0]['note']}: a; b"


def test_a_run_stops_when_every_interval_is_tight():
    rows, workers = measure(plan("a", "b"))
    assert workers.started == 1 + 3
    assert [row["stopped"] for row in rows] == ["target", "target"]


def test_the_time_budget_is_shared_and_ends_a_run_that_stays_vague():
    settings = Settings(time_budget=9.0, processes=3, max_rounds=10**6, target_ci=0.001)
    store = FakeStore()
    rows, workers = measure(
        plan("a", settings=settings), store, seconds=lambda _, process, index: 0.1 * (1 + process % 2)
    )
    assert [row["stopped"] for row in rows] == ["budget"]
    assert 9.0 <= workers.clock.now <= 9.0 + 3 * 0.2
    assert rows[0]["processes"] == 3
    assert [len([s for s in store.samples if s[0]["process"] == p]) for p in (0, 1, 2)] == pytest.approx(
        [15, 30, 15], 1
    )


def test_every_process_has_its_share_of_the_rounds_the_last_one_too():
    names = [f"o{index}" for index in range(17)]  # three blocks
    store = FakeStore()
    values = itertools.cycle([0.10, 0.14, 0.06, 0.12, 0.08])
    settings = Settings(time_budget=240.0, processes=4, max_rounds=10**6, target_ci=0.0)
    _, workers = measure(plan(*names, settings=settings), store, seconds=lambda *_: next(values))
    rounds = Counter(samples[0]["process"] for samples in store.samples)
    assert len(rounds) == 3 * 4
    assert max(rounds.values()) <= 1.2 * min(rounds.values()), rounds
    assert 240 <= workers.clock.now <= 250


def test_no_pass_begins_that_what_is_left_of_the_budget_would_cut_short():
    # Five rounds of 1 s fill a process's share of 5 s exactly but for the sixth process, which ends at 31 s of 32.
    settings = Settings(time_budget=32.0, processes=6, max_rounds=5, target_ci=0.0)
    values = itertools.cycle([0.8, 1.0, 1.2, 0.9, 1.1])
    rows, _ = measure(plan("a", settings=settings), seconds=lambda *_: next(values))
    assert (rows[0]["processes"], rows[0]["samples"]) == (6, 30)


def test_without_any_budget_every_process_still_goes_there_and_back_once():
    rows, _ = measure(plan("a", "b", settings=Settings(time_budget=0.0, processes=3, target_ci=0.0)))
    assert [(row["status"], row["samples"], row["stopped"]) for row in rows] == [("ok", 6, "target")] * 2


def test_every_round_is_stored_before_the_next_begins():
    store = FakeStore()
    rows, _ = measure(plan("a", "b"), store)
    assert store.rows == rows
    assert len(store.samples) == 3 * 4
    assert store.samples[0] == [
        {"case": sample["case"], "process": 0, "round": 0, "latency": [0.001]} for sample in store.samples[0]
    ]
    assert {sample["case"] for sample in store.samples[0]} == {case("a").id, case("b").id}


@pytest.mark.parametrize("step", ["build", "check", "measure"])
@pytest.mark.parametrize(("status", "lost"), [("incorrect", False), ("failed", True), ("timeout", True), ("oom", True)])
def test_a_case_that_fails_while_it_is_examined_costs_no_other_its_row(step: str, status: str, lost: bool):
    fails = {("b", step, 0): CaseEnded(status, "because", lost)}
    rows, workers = measure(plan("a", "b", "c"), fails=fails)
    assert [(row["operator"], row["status"], row["reason"]) for row in rows] == [
        ("a", "ok", ""),
        ("b", status, "because"),
        ("c", "ok", ""),
    ]
    assert rows[1]["latency"] is None
    # The last drop is asked of the same process unless it is gone.
    assert workers.started == (2 if lost else 1) + 3
    assert all(name != "b" for _, timed, name in workers.log if timed == "time")


@pytest.mark.parametrize("step", ["build", "warm_up", "time"])
def test_a_case_that_fails_while_it_is_timed_ends_alone(step: str):
    rows, workers = measure(plan("a", "b", "c"), fails={("b", step, 2): CaseEnded("timeout", "slow", True)})
    assert [row["status"] for row in rows] == ["ok", "timeout", "ok"]
    assert rows[0]["latency"] == rows[2]["latency"] == pytest.approx(0.001)
    assert rows[0]["processes"] >= 3
    assert not [1 for number, _, name in workers.log if number > 2 and name == "b"]


def test_when_every_case_fails_each_still_has_its_row():
    fails = {(name, "check", number): CaseEnded("failed", name, True) for number, name in enumerate("abc")}
    rows, workers = measure(plan("a", "b", "c"), fails=fails)
    assert [(row["status"], row["reason"]) for row in rows] == [("failed", "a"), ("failed", "b"), ("failed", "c")]
    assert workers.started == 3


def test_a_case_known_to_be_impossible_is_a_row_with_its_reason():
    rows, _ = measure(plan("a", skipped=(Skipped(case("x"), "scale 3 is not possible"),)))
    assert [(row["operator"], row["status"], row["reason"]) for row in rows] == [
        ("x", "skipped", "scale 3 is not possible"),
        ("a", "ok", ""),
    ]


def test_a_resumed_run_measures_only_cases_without_a_row():
    store = FakeStore(finished={case("a").id})
    rows, workers = measure(plan("a", "b"), store)
    assert [row["operator"] for row in rows] == ["b"]
    assert {name for _, _, name in workers.log} == {"b"}


def test_a_resumed_run_goes_on_from_the_rounds_that_are_stored():
    old = [
        {"case": case("a").id, "process": process, "round": index, "latency": [0.003]}
        for process in (0, 1)
        for index in range(4)
    ]
    store = FakeStore(rounds={case("a").id: old})
    rows, workers = measure(plan("a"), store, seconds=lambda *_: 0.003)
    assert workers.started == 1 + 1
    assert {sample["process"] for samples in store.samples for sample in samples} == {2}
    assert (rows[0]["samples"], rows[0]["processes"]) == (12, 3)
    assert rows[0]["latency"] == pytest.approx(0.003)


@pytest.mark.parametrize("room", range(14))
def test_a_full_disk_ends_the_run_with_what_was_measured(room: int):
    store = FakeStore(room=room)
    clock = FakeClock()
    with pytest.raises(Unwritten) as caught:
        run(plan("a", "b"), store, workers=FakeWorkers(clock), clock=clock)  # type: ignore[arg-type]
    assert str(caught.value) == "cannot write results: No space left on device"
    assert [row["status"] for row in caught.value.rows] == ["ok"] * (2 if room else 0)


def test_an_interrupt_leaves_no_process_and_keeps_finished_rounds():
    def interrupted(case: Case, process: int, index: int) -> float:
        if (process, index, case.operator) == (2, 1, "b"):
            raise KeyboardInterrupt
        return 0.001

    store, clock = FakeStore(), FakeClock()
    workers = FakeWorkers(clock, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(plan("a", "b"), store, workers=workers, clock=clock)  # type: ignore[arg-type]
    assert workers.alive == 0
    assert len(store.samples) == 4 + 1
    assert store.rows == []


def test_a_listener_hears_of_every_case_and_of_progress_that_never_falls():
    heard: list[tuple[str, Any]] = []

    class Ear:
        def planned(self, rows: int, work: float) -> None:
            heard.append(("planned", (rows, work)))

        def doing(self, case: Case, step: str) -> None:
            heard.append(("doing", step))

        def advanced(self, done: float, seconds_left: float, what: str) -> None:
            heard.append(("round", done))

        def row_done(self, row: Any) -> None:
            heard.append(("row", row["operator"]))

    clock = FakeClock()
    run(plan("a", "b"), None, Ear(), workers=FakeWorkers(clock), clock=clock)
    assert heard[0] == ("planned", (2, 2))
    shares = [value for name, value in heard if name == "round"]
    assert shares == sorted(shares)
    assert 0 < shares[0] <= shares[-1] <= 2
    assert [value for name, value in heard if name == "row"] == ["a", "b"]


def test_where_time_is_over_three_processes_are_enough():
    settings = Settings(time_budget=1.0, processes=6, target_ci=0.0)
    rows, workers = measure(plan("a", settings=settings), seconds=lambda *_: 10.0)
    assert workers.started == 1 + 3
    assert (rows[0]["processes"], rows[0]["samples"]) == (3, 6)


def test_blocks_take_turns_there_and_back_so_that_no_two_cases_are_far_apart_in_time():
    names = [f"o{index}" for index in range(24)]
    _, workers = measure(plan(*names, settings=Settings(time_budget=1e9, processes=4, max_rounds=2, target_ci=0.01)))
    turns = [next(name for number, _, name in workers.log if number == process) for process in range(1, 1 + 12)]
    blocks_of = [names.index(name) // 8 for name in turns]
    assert blocks_of == [0, 1, 2, 2, 1, 0] * 2


def test_a_run_notes_how_long_it_checked_and_counted():
    store = FakeStore()
    measure(plan("a", "b", "c"), store, checking=0.25, compiling=2.0)
    assert [store.manifest[name] for name in ("examining", "checking", "compiling")] == [0.75, 0.75, 6.0]
    again = FakeStore(finished={case("a").id}, manifest={"examining": 0.25})
    measure(plan("a"), again, checking=0.25)
    assert again.manifest["examining"] == 0.25


def test_no_two_processes_of_a_run_share_a_number_and_a_resumed_run_counts_on():
    names = [f"o{index}" for index in range(9)]
    store = FakeStore()
    measure(plan(*names), store)
    cases = [{sample["process"] for sample in samples} for samples in store.samples]
    assert all(len(processes) == 1 for processes in cases)
    by_process: dict[int, set[str]] = {}
    for samples in store.samples:
        by_process.setdefault(samples[0]["process"], set()).update(sample["case"] for sample in samples)
    assert {len(members) for members in by_process.values()} == {4, 5}
    assert sorted(by_process) == list(range(2 * 3))
    again = FakeStore(rounds={case("o0").id: [s for line in store.samples for s in line if s["case"] == case("o0").id]})
    measure(plan("o0", "x"), again)
    assert min(sample["process"] for samples in again.samples for sample in samples) == 5


def judged(speed: Callable[[float], float], names: str, one_by_one: bool) -> list[str]:
    """Verdicts on operators that are all alike, on a machine whose speed depends on the time, against the first."""
    clock, store = FakeClock(), FakeStore()
    noise = random.Random(0)

    def seconds(case: Case, process: int, index: int) -> float:
        return 0.001 / speed(clock.now) * math.exp(noise.gauss(0, 0.005))

    settings = Settings(time_budget=1e9, processes=6, max_rounds=10, target_ci=0.01)
    cases = plan(*names, settings=settings).cases
    for group in [[one] for one in cases] if one_by_one else [cases]:
        plain = Plan("quick", tuple(group), (), settings, reference=None if one_by_one else FIRST)
        run(plain, store, workers=FakeWorkers(clock, seconds), clock=clock)  # type: ignore[arg-type]
    samples = stats.gather(sample for line in store.samples for sample in line)
    compared = stats.apart if one_by_one else stats.ratio
    found = [compared(samples[one.id], samples[cases[0].id]) for one in cases[1:]]
    columns = [np.array([float(getattr(one, name)) for one in found]) for name in ("log", "error", "freedom")]
    return list(verdicts(Estimate(*columns)))


def slower_and_slower(now: float) -> float:
    return max(0.3, 1 - now)


def another_job(now: float) -> float:
    return 1.0 if now < 0.25 else 0.5


def breathing(now: float) -> float:
    return 1 + 0.5 * math.sin(now / 0.05)


@pytest.mark.parametrize("speed", [slower_and_slower, another_job, breathing])
def test_a_machine_that_drifts_makes_no_difference_where_there_is_none(speed):
    assert {"faster", "slower"}.isdisjoint(judged(speed, "abcdefghij", one_by_one=False))


def test_a_scheduler_that_measures_one_case_after_the_other_would_see_differences():
    assert judged(slower_and_slower, "abcdefghij", one_by_one=True).count("slower") >= 5


def test_twice_the_time_budget_ends_a_run_whatever_is_left_undone():
    settings = Settings(time_budget=100.0, processes=6, target_ci=0.0)
    names = [f"o{index}" for index in range(17)]
    rows, workers = measure(plan(*names, settings=settings), seconds=lambda *_: 4.0)
    # Blocks of 5, 6 and 6 cases: a turn of two rounds takes 40, 48 and 48 seconds; what began before 200 s ends.
    assert workers.clock.now <= 200 + 48
    assert [row["operator"] for row in rows] == names
    assert [row["processes"] for row in rows] == [1] * 5 + [2] * 12
    assert {(row["status"], row["stopped"]) for row in rows} == {("ok", "budget")}


def test_cases_that_time_did_not_suffice_for_say_so():
    settings = Settings(time_budget=10.0, processes=3, target_ci=0.0)
    names = [f"o{index}" for index in range(9)]
    rows, _ = measure(plan(*names, settings=settings), seconds=lambda *_: 15.0)
    timed = [row for row in rows if row["status"] == "ok"]
    assert [row["operator"] for row in timed] == names[:4]
    assert {(row["status"], row["reason"].partition(";")[0]) for row in rows[4:]} == {
        ("timeout", "the time of the run was over before it was timed")
    }


def gone_on(folder: Path, plan: Plan, **fake: Any) -> tuple[list[dict[str, Any]], FakeWorkers]:
    """The rows that a run in this folder adds, which is resumed where it was begun."""
    clock = FakeClock()
    workers = FakeWorkers(clock, **fake)
    with Store.open(folder, plan.to_manifest(), resume=True) as store:
        return run(plan, store, workers=workers, clock=clock), workers


def test_cases_that_time_did_not_suffice_for_are_taken_up_again_when_the_run_goes_on(tmp_path):
    names = [f"o{index}" for index in range(9)]
    short, long = (Settings(time_budget=budget, processes=3, target_ci=1.0) for budget in (10.0, 1e9))
    gone_on(tmp_path, plan(*names, settings=short), seconds=lambda *_: 15.0)
    before = read_run(tmp_path)
    assert {(row["status"], row["stopped"]) for row in before.rows[4:]} == {("timeout", "budget")}
    assert len(before.rows) == 9
    again, _ = gone_on(tmp_path, plan(*names, settings=long), seconds=lambda *_: 15.0)
    assert [row["operator"] for row in again] == names[4:]
    after = read_run(tmp_path)
    assert [(row["operator"], row["status"]) for row in after.rows] == [(name, "ok") for name in names]
    assert after.problems == ()
    assert gone_on(tmp_path, plan(*names, settings=long))[0] == []


def test_a_case_that_hangs_is_not_taken_up_again(tmp_path):
    hangs = {("b", "check", 0): CaseEnded("timeout", "checking took longer than 60 s", True)}
    gone_on(tmp_path, plan("a", "b"), fails=hangs)
    rows, workers = gone_on(tmp_path, plan("a", "b"))
    assert (rows, workers.started) == ([], 0)
    assert [(row["status"], row["stopped"]) for row in read_run(tmp_path).rows] == [("ok", "target"), ("timeout", None)]

"""The machine's pace is taken down between rounds, and an interval reaches as far as paces do that it has shown."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClock, FakeStore, FakeWorkers

from a2u_bench.changes import table
from a2u_bench.drift import NONE, Drift, drift
from a2u_bench.frames import to_frame
from a2u_bench.measure.intervals import Estimate
from a2u_bench.measure.pace import TIMED, Pacer
from a2u_bench.paces import MOST_RUNS, beside, by_place, strayed
from a2u_bench.plan import Plan, Settings
from a2u_bench.ratios import gather
from a2u_bench.record import SCHEMA_VERSION
from a2u_bench.remarks import remarks
from a2u_bench.runner import run
from a2u_bench.runs import FORMAT
from a2u_bench.spec import Case

MACHINE = {"host": "here", "cpu": "one", "cores": 2, "now": {"load": 1.0}}
CPU = ("cpu", 1)


def case(operator: str) -> Case:
    return Case(operator=operator, variant="default", options=operator, batch=1, channels=1, height=1, width=1)


def measure(
    pace: float | list[float], operators: str = "a", store: FakeStore | None = None, **asked: Any
) -> list[dict[str, Any]]:
    """Rows of a machine on which everything takes as many milliseconds as the pace has; a list has one a process."""
    paces = pace if isinstance(pace, list) else [pace]

    def of(process: int) -> float:
        return 1e-3 * paces[process % len(paces)]

    workers = FakeWorkers(FakeClock(), seconds=lambda case, process, index: of(process), pace=of)
    settings = Settings(time_budget=1.0, processes=3, max_rounds=4, block=1)
    plan = Plan("test", tuple(case(name) for name in operators), (), settings)
    return run(plan, store, workers=workers, clock=workers.clock, **asked)  # type: ignore[arg-type]


def holds(row: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(row["latency_low"] <= other["latency"] <= row["latency_high"])


def test_a_pace_that_other_blocks_did_not_have_widens_towards_theirs_alone():
    assert drift(2.0, [2.0, 2.0]) == NONE
    assert drift(None, [1.0]) == drift(1.0, []) == NONE
    found = drift(2.0, [1.0] * 10 + [2.0])
    assert (found.low, found.high) == (0.5, 1.0)
    found = drift(1.0, [1.0, 3.0] * 10)
    assert (found.low, found.high) == (1.0, 3.0)
    assert drift(1.0, [2.0] * 10) == Drift(1.0, 2.0)  # its own pace is always within
    assert drift(3.0, [2.0] * 10) == Drift(2 / 3, 1.0)
    assert drift(1.0, [1.0] * 10 + [3.0]) == NONE  # one accident in ten
    assert drift(1.0, [1.0, 4.1, 0.2] * 10) == NONE  # waits for a core, whichever of them had one
    assert drift(1.0, [90.0] * 10) == NONE


def test_an_interval_holds_what_the_samples_say_at_every_pace():
    estimate = Estimate(2.0, 1.5, 3.0, samples=9, processes=3)
    assert Drift(0.5, 2.0).widen(estimate) == Estimate(2.0, 0.75, 6.0, samples=9, processes=3)
    assert NONE.widen(estimate) == estimate


def test_two_runs_at_two_paces_find_each_other_once_both_paces_are_known():
    fast, slow = measure(1.0), measure(1.4)
    assert not holds(fast[0], slow[0])
    assert not holds(slow[0], fast[0])
    known = {CPU: [1e-3, 1.4e-3] * 5}
    fast, slow = measure(1.0, paces=known), measure(1.4, paces=known)
    assert holds(fast[0], slow[0])
    assert holds(slow[0], fast[0])
    elsewhere = {("cpu", 2): known[CPU], ("cuda", 1): known[CPU]}
    assert measure(1.0, paces=elsewhere)[0]["latency_high"] == pytest.approx(1e-3)


def test_blocks_of_one_run_know_each_other_s_pace():
    store = FakeStore()
    # Processes 0 and 1 examine; then the blocks take turns, there and back: a, b, b, a, a, b.
    rows = measure([9.0, 9.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0], "ab", store)
    assert [row["latency"] for row in rows] == [1e-3, 2e-3]
    assert (rows[0]["latency_low"], rows[0]["latency_high"]) == pytest.approx((1e-3, 2e-3))
    assert (rows[1]["latency_low"], rows[1]["latency_high"]) == pytest.approx((1e-3, 2e-3))
    assert store.manifest["paces"] == [{"device": "cpu", "threads": 1, "seconds": [1e-3] * 3 + [2e-3] * 3}]


def test_the_pace_is_stored_with_the_first_of_two_rounds_and_taken_up_with_them():
    store = FakeStore()
    measure(1.0, store=store)
    rounds = [sample for samples in store.samples for sample in samples]
    assert [("pace" in sample) for sample in rounds] == [sample["round"] % 2 == 0 for sample in rounds]
    assert {sample["pace"] for sample in rounds if "pace" in sample} == {1e-3}
    begun = FakeStore(rounds={case("a").id: [{**sample, "pace": 5e-3} for sample in rounds]})
    measure(1.0, store=begun)
    assert begun.manifest["paces"][0]["seconds"] == [5e-3] * 3


@pytest.mark.parametrize(
    ("pace", "seconds", "verdict"), [(1.0, 1.4e-3, "slower"), (1.4, 1.4e-3, "inconclusive"), (1.4, 9e-3, "slower")]
)
def test_a_change_is_not_sure_where_the_machine_s_pace_changed_as_much(pace: float, seconds: float, verdict: str):
    stores = FakeStore(), FakeStore()
    rows = [measure(1.0, store=stores[0]), measure(pace, store=stores[1])]
    for line in (line for lines in stores[1].samples for line in lines):
        line["latency"] = [seconds + 1e-6 * line["process"]]
    before, after = (gather(line for lines in store.samples for line in lines) for store in stores)
    made = table(to_frame(rows[0]), to_frame(rows[1]).assign(latency=seconds), "latency", (before, after))
    assert str(made["verdict"][0]) == verdict


def made(folder: Path, seconds: Any = (1.0,), **changed: Any) -> Path:
    """A run's folder with nothing but a manifest."""
    folder.mkdir(parents=True)
    paces = [{"device": "cpu", "threads": 1, "seconds": list(seconds)}]
    manifest = {"format": FORMAT, "version": SCHEMA_VERSION, "machine": MACHINE, "paces": paces, **changed}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_runs_of_this_machine_that_lie_beside_a_run_are_known(tmp_path):
    own = made(tmp_path / "own", [7.0])
    made(tmp_path / "one", [1.0, 2.0])
    made(tmp_path / "two", [3.0], machine={**MACHINE, "now": {"load": 9.0}})
    made(tmp_path / "away", machine={**MACHINE, "host": "there"})
    made(tmp_path / "rebuilt", machine={**MACHINE, "cores": 4})
    made(tmp_path / "unknown", machine=None)
    made(tmp_path / "newer", version=SCHEMA_VERSION + 1)
    made(tmp_path / "before", paces=None)
    for name, seconds in {"word": ["1"], "none": [0.0], "negative": [-1.0], "huge": [1e300], "tiny": [1e-300]}.items():
        made(tmp_path / name, seconds)
    (made(tmp_path / "torn") / "manifest.json").write_text("{")
    found = beside(own, MACHINE)
    assert sorted(found) == ["one", "two"]
    assert sorted(by_place([entry for entries in found.values() for entry in entries])[CPU]) == [1.0, 2.0, 3.0]
    assert beside(own, None) == {}


def test_how_far_the_pace_strayed_is_said_under_tables_of_latencies():
    def paced(*seconds: float) -> list[dict[str, Any]]:
        return [{"device": "cpu", "threads": 1, "seconds": list(seconds)}]

    assert strayed({"paces": paced(1.0, 1.0), "beside": {"x": paced(2.0, 2.0), "y": "broken"}}) == {CPU: 2.0}
    assert strayed({"paces": paced(1.0), "beside": {"x": paced(*[1e-8, 999.0] * 9)}}) == {CPU: 1.0}
    assert strayed({}) == strayed({"paces": [3], "beside": []}) == strayed({"paces": paced()}) == {}
    frame = to_frame(measure(1.0))
    said = remarks([{"paces": paced(1.0, 1.0)}, {"paces": paced(*[1.0, 1.5] * 5)}], frame)
    assert said == [
        "at times the machine was 1.5 times slower: intervals hold that, ratios within a run are free of it"
    ]
    assert remarks([{"paces": paced(1.0, 1.05)}, {}], frame) == []


def test_only_the_newest_runs_are_looked_at(tmp_path):
    for age in range(MOST_RUNS + 2):
        folder = made(tmp_path / str(age), [1.0])
        os.utime(folder / "manifest.json", (1e9 - age, 1e9 - age))
    assert sorted(beside(tmp_path / "own", MACHINE), key=int) == [str(age) for age in range(MOST_RUNS)]


def test_a_pace_is_the_median_of_its_calls_after_one_that_does_not_count():
    class Timer:
        left = [9.0, *(float(value) for value in range(TIMED))]

        def sample(self, call: Any, inner: int) -> float:
            assert not call().requires_grad
            return self.left.pop(0)

    assert Pacer("cpu").pace(Timer()) == (TIMED - 1) / 2
    assert Timer.left == []

"""From the clock to the verdict: a machine that is slower the second time changes none, an operator that is does."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest
from fakes import FakeClock, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.run.runner import run
from a2u_bench.store.write import Store
from a2u_bench.suites.plan import Plan, Reference, Settings

REFERENCE = "bilinear"
OPERATORS = ("bilinear", *(f"o{index}" for index in range(12)))


def measured(folder: Path, seed: int, slower: float = 1.0, operator: float = 1.0) -> str:
    """A run of two blocks on a noisy machine that is so many times slower, and one of whose operators is."""
    noise, lasting = random.Random(seed), random.Random(-seed)
    levels: dict[tuple[str, int], float] = {}

    def seconds(case: Case, process: int, index: int) -> float:
        level = levels.setdefault((case.id, process), math.exp(lasting.gauss(0, 0.01)))
        changed = operator if case.operator == "o7" else 1.0
        return slower * changed * level * 1e-3 * (1 + OPERATORS.index(case.operator)) * math.exp(noise.gauss(0, 0.03))

    cases = tuple(Case(name, name, name, 1, 8, 4, 4) for name in OPERATORS)
    reference = Reference(REFERENCE, REFERENCE, REFERENCE)
    plan = Plan("test", cases, (), Settings(time_budget=10.0, processes=6, target_ci=0.0), reference=reference)
    clock = FakeClock()
    with Store.create(folder, plan.to_manifest()) as store:
        run(plan, store, workers=FakeWorkers(clock, seconds), clock=clock)
    return str(folder)


def verdicts(before: str, after: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    assert main(["compare", before, after, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["changes in latency"]
    return {row["options"]: row["verdict"] for row in rows if row["options"] != REFERENCE}


@pytest.mark.parametrize("slower", [1.0, 2.0])
def test_a_machine_that_is_twice_as_slow_changes_no_verdict_and_hides_no_operator_that_is(
    slower: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = measured(tmp_path / "before", 1)
    alike = measured(tmp_path / "alike", 2, slower)
    changed = measured(tmp_path / "changed", 3, slower, operator=1.1)
    found = verdicts(before, alike, capsys)
    assert len(found) == len(OPERATORS) - 1
    assert {"faster", "slower"}.isdisjoint(found.values())
    found = verdicts(before, changed, capsys)
    assert [name for name, verdict in found.items() if verdict in ("faster", "slower")] == ["o7"]
    assert found["o7"] == "slower"
    assert main(["compare", before, alike, "--fail-if", "latency>5%"]) == 0
    assert main(["compare", before, changed, "--fail-if", "latency>5%"]) == 3


def test_verdicts_inside_a_run_are_those_that_they_were_on_a_slower_machine(tmp_path, capsys):
    def inside(folder: str) -> list[str]:
        assert main(["compare", folder, "--json"]) == 0
        return [row["verdict"] for row in json.loads(capsys.readouterr().out)["rows"]]

    before, after = measured(tmp_path / "before", 1), measured(tmp_path / "after", 2, 2.0)
    assert inside(before) == inside(after)
    assert inside(before).count("slower") == len(OPERATORS) - 1

"""The certificate on processes that obey: a sound instrument passes, and each kind of unsound one is found out."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from fakes import FakeClock, FakeWorker, FakeWorkers

from a2u_bench import operators
from a2u_bench.audit import calibration
from a2u_bench.audit.calibration import FULL, QUICK, Certificate, Size, certify
from a2u_bench.audit.calibration.alarms import Criterion, _share, alike_findings, slowed_findings
from a2u_bench.audit.calibration.known import known_cases
from a2u_bench.audit.calibration.pairs import BLOCK, ABComparison, order, replicas
from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.operators.bench_only.known_costs import Replica

SIZE = Size(
    32,
    32,
    FULL.known,
    replace(FULL.alike_settings, target_ci=1.0),
    replace(FULL.slowed_settings, target_ci=1.0, max_rounds=16),
)
"""Smaller, and as long as must be: on a clock that stands still between samples no process is ever the last."""

Seconds = Callable[[Case, int, int], float]


class KnowingWorkers(FakeWorkers):
    """Processes whose measures of the known cases are right, or off by what `wrong` says."""

    wrong: dict[str, float] = {}

    def start(self, device: str, threads: int, seed: int, timeout: float) -> FakeWorker:
        worker = super().start(device, threads, seed, timeout)
        return KnowingWorker(worker.workers, worker.number)


class KnowingWorker(FakeWorker):
    def ask(self, step: str, case: Case, *arguments: Any) -> Any:
        answer = super().ask(step, case, *arguments)
        if step != "measure":
            return answer
        right = {name: ends[0] for name, ends in known_cases()[case].items() if name != "latency"}
        wrong: dict[str, float] = self.workers.wrong  # type: ignore[attr-defined]
        return {name: value + wrong.get(name, 0) for name, value in right.items()}


def slowness(case: Case) -> float:
    found = re.search(r"percent=(\d+)", case.options)
    return 1 + (int(found[1]) / 100 if found else 0)


def sound(spread: float = 0.01, seed: int = 1) -> Seconds:
    """A millisecond on a machine whose load changes all the time, with an error of each process and each call."""
    noise, lasting = random.Random(seed), random.Random(-seed - 1)
    levels: dict[tuple[str, int], float] = {}

    def seconds(case: Case, process: int, index: int) -> float:
        known = re.search(r"microseconds=(\d+)", case.options)
        if known or "Lasting" in case.options:
            return 1e-6 * (int(known[1]) if known else 1000)
        level = levels.setdefault((case.id, process), math.exp(lasting.gauss(0, spread)))
        return 0.001 * (1 + process % 7) * level * slowness(case) * math.exp(noise.gauss(0, spread))

    return seconds


def certified(seconds: Seconds, **wrong: float) -> Certificate:
    clock = FakeClock()
    workers = KnowingWorkers(clock, seconds)
    workers.wrong = wrong
    return certify(SIZE, workers=workers, clock=clock)


def failed(found: Certificate) -> list[str]:
    return [finding.name for finding in found.findings if not finding.holds]


def test_a_sound_instrument_gets_its_certificate():
    found = certified(sound())
    assert failed(found) == []
    assert found.holds
    assert (len(found.alike), len(found.slowed)) == (32, 32)
    assert {one.same_process for one in found.alike} == {True, False}
    assert {one.same_process for one in found.slowed} == {True, False}


def test_one_that_favours_whichever_comes_first_is_found_out():
    right = sound()

    def seconds(case: Case, process: int, index: int) -> float:
        first = "copy=" not in case.options or int(case.options.partition("copy=")[2].partition(",")[0]) % 2 == 0
        return right(case, process, index) * (0.98 if first else 1.0)

    assert "A/A false alarms" in failed(certified(seconds))


def test_one_that_sees_nothing_for_noise_is_found_out():
    found = failed(certified(sound(spread=0.2, seed=2)))
    assert "A/B 5 % found" in found
    assert "A/B the rest" not in found


def test_one_whose_clock_is_too_coarse_calls_slower_cases_the_same_and_is_found_out():
    found = certified(lambda case, process, index: sound()(case, process, index) if "Last" in case.options else 0.001)
    assert failed(found) == ["A/B 5 % found", "A/B the rest"]


@pytest.mark.parametrize("name", ["params", "macs", "macs_fvcore", "macs_torch", "peak_memory"])
def test_one_that_miscounts_a_known_cost_is_found_out(name):
    wrong = failed(certified(sound(), **{name: 1.0}))
    assert wrong
    assert all(one.endswith(f" {name}") for one in wrong)


def test_one_that_stretches_time_is_found_out():
    right = sound()
    assert "Lasting:microseconds=500 latency" in failed(certified(lambda *what: 1.1 * right(*what)))


def comparison(probability: float, verdict: str, same_process: bool = True) -> ABComparison:
    return ABComparison("nearest", same_process, 1.0, 0.99, 1.01, probability, verdict)


def held(findings: list[Criterion]) -> dict[str, bool]:
    return {finding.name: finding.holds for finding in findings}


@pytest.mark.parametrize(("alarms", "holds"), [(0, True), (16, True), (17, False), (200, False)])
def test_false_alarms_may_exceed_the_nominal_share_by_two_standard_errors(alarms: int, holds: bool):
    # of 200 at 5 %: 10 and twice √(200 · 0.05 · 0.95) = 3.08
    alike = [comparison(0.04 if number < alarms else 0.06, "same") for number in range(200)]
    assert held(alike_findings(alike, 200))["A/A false alarms"] is holds


@pytest.mark.parametrize(("found", "rest", "holds"), [(19, "inconclusive", True), (18, "inconclusive", False)])
def test_nineteen_slow_downs_of_twenty_must_be_found(found: int, rest: str, holds: bool):
    slowed = [comparison(0.0, "slower" if number < found else rest) for number in range(20)]
    assert held(slowed_findings(slowed, 20))["A/B 5 % found"] is holds
    assert held(slowed_findings(slowed, 20))["A/B the rest"]


def test_slow_downs_that_were_seen_through_the_reference_are_reported_and_make_up_for_none():
    beside = [comparison(0.0, "slower")] * 18 + [comparison(0.5, "inconclusive")] * 2
    through = [comparison(0.0, "slower", same_process=False)] * 20
    found = slowed_findings([*beside, *through], 40)
    assert held(found)["A/B 5 % found"] is False
    assert next(one.found for one in found if one.name == "in two blocks").startswith("20 (100.0%")
    assert not held(slowed_findings(through, 20))["A/B 5 % found"], "none was timed beside its replica"


@pytest.mark.parametrize("rest", ["same", "faster"])
def test_one_slow_down_that_is_taken_for_anything_else_is_one_too_many(rest: str):
    slowed = [comparison(0.0, "slower")] * 23 + [comparison(0.5, rest)]
    assert held(slowed_findings(slowed, 24)) == {
        "A/B comparisons": True,
        "A/B 5 % found": True,
        "A/B the rest": False,
    }


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        (0, 200, 0.0, 1 - 0.025 ** (1 / 200)),  # Clopper and Pearson have these ends in closed form
        (200, 200, 0.025 ** (1 / 200), 1.0),
        (3, 10, 0.0667, 0.6525),  # from printed tables
    ],
)
def test_the_interval_of_a_share_is_the_exact_one(part: int, whole: int, low: float, high: float):
    assert _share(part, whole).endswith(f"95 % interval {low:.1%} to {high:.1%})")


def test_comparisons_that_are_missing_are_no_pass():
    assert not alike_findings([], 3)[0].holds
    assert not slowed_findings([], 3)[0].holds


def test_pairs_stand_side_by_side_or_in_blocks_of_their_own_and_none_twice():
    pairs = replicas(FULL.alike, 0)
    cases = order(pairs)
    assert len({case.id for case in cases}) == 2 * FULL.alike == len(cases)
    where = {case.id: place // BLOCK for place, case in enumerate(cases)}
    together = [where[first.id] == where[second.id] for first, second in pairs]
    assert together[:16] == [True] * 16
    assert together[16:32] == [False] * 16
    assert {first.options.partition("of=")[2].partition(",")[0] for first, _ in pairs} >= {"a2u", "carafe", "dysample"}


def test_there_are_enough_comparisons_for_the_promise():
    assert FULL.alike >= 200
    assert all(size.alike % BLOCK == 0 == size.slowed % (2 * BLOCK) for size in (FULL, QUICK))


def test_a_replica_is_the_operator_that_it_says_and_waits_afterwards():
    first, second = replicas(3, 5)[2]
    torch.manual_seed(0)
    module, slower = (cast(Replica, operators.create(one)) for one in (first, second))
    slower.load_state_dict(module.state_dict())
    z, guide = torch.randn(1, 16, 4, 4), torch.randn(1, 16, 8, 8)
    torch.testing.assert_close(slower(z, guide), module(z, guide))
    torch.testing.assert_close(
        operators.definition(slower.double(), z.double(), guide.double()).float(), module(z, guide)
    )
    assert module.macs(4, 4) == slower.macs(4, 4)
    assert (module.percent, slower.percent) == (0, 5)


@pytest.mark.parametrize(
    ("wrong", "slower", "name"),
    [({}, 1.0, ""), ({"macs": 1.0}, 1.0, " macs"), ({"peak_memory": 4.0}, 1.0, " peak_memory"), ({}, 1.2, " latency")],
    ids=["nothing", "work", "bytes", "duration"],
)
def test_the_command_fails_on_what_is_wrong_and_stores_every_comparison(
    wrong: dict[str, float], slower: float, name: str, tmp_path, monkeypatch, capsys
):
    clock, right = FakeClock(), sound()
    workers = KnowingWorkers(clock, lambda *what: slower * right(*what))
    workers.wrong = wrong
    monkeypatch.setattr(
        calibration, "certify", lambda size, listen: certify(SIZE, listen, workers=workers, clock=clock)
    )
    out = tmp_path / "certificate.json"
    assert main(["check", "--self", "--out", str(out)]) == (1 if name else 0)
    stored = json.loads(out.read_text())
    failing = [one["name"] for one in stored["findings"] if not one["holds"]]
    assert bool(failing) is bool(name) is not stored["holds"]
    assert all(one.endswith(name) for one in failing)
    assert (len(stored["alike"]), len(stored["slowed"])) == (SIZE.alike, SIZE.slowed)
    assert set(stored["slowed"][0]) == {field.name for field in dataclasses.fields(ABComparison)}
    assert stored["machine"]["cpu"] and stored["created"] and stored["seconds"] > 0
    shown = capsys.readouterr().out
    assert ("NO" in shown) is bool(name)


def test_the_command_stores_what_it_prints_and_its_exit_code_says_whether_it_holds(tmp_path, monkeypatch, capsys):
    given = Certificate((Criterion("a", "1", "1", True), Criterion("b", "1", "2", False)), (), (), 1.0)
    monkeypatch.setattr(calibration, "certify", lambda size, listen: given)
    out = tmp_path / "new" / "certificate.json"
    assert main(["check", "--self", "--out", str(out)]) == 1
    assert "does NOT hold" in capsys.readouterr().out
    assert [one["holds"] for one in json.loads(out.read_text())["findings"]] == [True, False]
    monkeypatch.setattr(calibration, "certify", lambda size, listen: replace(given, findings=given.findings[:1]))
    assert main(["check", "--self", "--quick", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text())
    assert main(["check", "--self", "--out", str(tmp_path)]) == 2

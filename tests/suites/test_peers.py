"""Peers: each operator's formula in plain PyTorch is bound to the operator's definition."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from timed_runs import NOISE, case, one_round, write_run

import upsamplers
from a2u_bench.case import Case
from a2u_bench.cli._table import show
from a2u_bench.errors import UsageError
from a2u_bench.judge.peers import PEERS
from a2u_bench.operators.bench_only import peers
from a2u_bench.paper_names import PEERS_MODULE
from a2u_bench.run import schedule
from a2u_bench.run.schedule import compose
from a2u_bench.store.read import Run
from a2u_bench.suites.expand import make_plan
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import make
from upsamplers import testing
from upsamplers.operator import Upsampler, Variant

CLASSES = {
    member.facts.name: member
    for _, member in inspect.getmembers(peers, inspect.isclass)
    if issubclass(member, Upsampler) and member.__module__.startswith("a2u_bench.operators.bench_only.")
}
VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in CLASSES
    for variant in upsamplers.facts(name).variants
    if variant.options.get("border", "zero") == "zero"
]


def test_every_operator_but_those_that_an_image_guides_has_a_peer_that_writes_nothing_but_forward() -> None:
    assert sorted(CLASSES) == [name for name in upsamplers.names() if upsamplers.facts(name).guide_size == "output"]
    for peer in CLASSES.values():
        assert {name for name in vars(peer) if not name.startswith("__")} - {"_abc_impl"} == {"forward"}, peer


@pytest.mark.parametrize("scale", testing.SCALES)
@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_a_peer_is_the_operator_s_definition(name: str, variant: Variant, scale: int) -> None:
    op = testing.build(CLASSES[name], variant.options, scale)
    if op is None:
        assert scale not in upsamplers.facts(name).scales
        return
    testing.check_definition(op, *testing.inputs(op))


def name_of(text: str) -> str:
    """What an operator's string and its peer's have in common."""
    return text.removeprefix(PEERS_MODULE).replace("_", "").lower()


def test_the_suite_measures_every_operator_in_one_block_with_its_peer() -> None:
    plan = make_plan(suite="peers", device="cpu")
    axes = {(case.shape[1], case.mode, case.threads) for case in plan.cases}
    assert len(axes) == 8 and len(plan.cases) == 8 * 72
    named = {case.operator for case in plan.cases if not case.options.startswith(PEERS_MODULE)}
    assert named == {name for name in upsamplers.names() if upsamplers.facts(name).guide_size == "output"}
    for block in compose(plan.cases, plan, {}):
        timed = [case.options for case in (*block, *schedule.beside(plan, block[0]))]
        theirs = {name_of(text) for text in timed if text.startswith(PEERS_MODULE)}
        ours = {name_of(text) for text in timed if not text.startswith(PEERS_MODULE)}
        assert ours - {"bilinear"} == theirs - {"bilinear"}


def test_threads_that_are_asked_for_are_those_of_the_suite_no_more() -> None:
    assert {case.threads for case in make_plan(suite="peers", device="cpu", threads=["3"]).cases} == {3}
    assert {case.threads for case in make_plan(suite="peers", device="cpu").cases} == {1, 2}


def timed(options: str, **axes: Any) -> Case:
    """The case of an operator, or of a peer, whose name is a class in a module."""
    return replace(
        case(options, **axes), operator=":".join(options.split(":")[: 2 if options.startswith(PEERS_MODULE) else 1])
    )


@pytest.fixture
def peers_run(tmp_path: Path) -> Run:
    """An operator that is three times as fast as its peer, one that is as fast, one without a peer."""
    return write_run(
        tmp_path / "run",
        {
            timed("max_unpool", threads=1): one_round(2e-3 * NOISE),
            timed(f"{PEERS_MODULE}MaxUnpool", threads=1): one_round(6e-3 * NOISE),
            timed("dysample:style=pl", threads=1): one_round(5e-3 * NOISE),
            timed(f"{PEERS_MODULE}DySample:style=pl", threads=1): one_round(5e-3 * NOISE),
            timed(f"{PEERS_MODULE}DySample", threads=1): one_round(1e-3 * NOISE),
            timed("max_unpool", threads=2): one_round(3e-3 * NOISE),
            timed("bilinear", threads=1): one_round(1e-3 * NOISE),
        },
    )


def test_each_operator_is_compared_with_its_own_peer_on_the_same_workload(peers_run: Run) -> None:
    view = make([peers_run], Request(baseline=PEERS))
    frame = view.frame
    assert frame["options"].tolist() == ["max_unpool", "dysample:style=pl", "max_unpool", "bilinear"]
    ratios = frame["latency_ratio"].tolist()
    assert ratios[:2] == [pytest.approx(1 / 3), pytest.approx(1.0)]
    assert all(pd.isna(one) for one in ratios[2:])
    assert frame["verdict"].tolist()[:2] == ["faster", "same"]
    (table,) = view.tables()
    assert any("ratio: to peers" in note and "none for 2 of" in note for note in table.notes)


def test_a_run_of_peers_prints_the_comparison(peers_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    show([peers_run])
    out = capsys.readouterr().out
    assert "faster" in out and "same" in out and PEERS_MODULE not in out


def test_peers_that_were_not_measured_are_wrong_usage(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"bilinear": one_round(NOISE)})
    with pytest.raises(UsageError, match="--baseline peers: no formula in plain PyTorch was measured here"):
        make([run], Request(baseline=PEERS))

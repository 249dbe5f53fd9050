"""Peers: each operator's formula in plain PyTorch is bound to the operator's definition."""

from __future__ import annotations

import inspect

import pytest

import upsamplers
from a2u_bench import peers
from a2u_bench.beside import beside
from a2u_bench.plan import blocks
from a2u_bench.suites import make_plan
from upsamplers import testing
from upsamplers.operator import Upsampler, Variant

PEERS = {
    member.facts.name: member
    for _, member in inspect.getmembers(peers, inspect.isclass)
    if issubclass(member, Upsampler) and member.__module__ == peers.__name__
}
VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in PEERS
    for variant in upsamplers.facts(name).variants
    if variant.options.get("border", "zero") == "zero"
]


def test_every_operator_has_a_peer_that_writes_nothing_but_forward() -> None:
    assert tuple(sorted(PEERS)) == upsamplers.names()
    for peer in PEERS.values():
        assert {name for name in vars(peer) if not name.startswith("__")} - {"_abc_impl"} == {"forward"}, peer


@pytest.mark.parametrize("scale", testing.SCALES)
@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_a_peer_is_the_operator_s_definition(name: str, variant: Variant, scale: int) -> None:
    op = testing.build(PEERS[name], variant.options, scale)
    if op is None:
        assert scale not in upsamplers.facts(name).scales
        return
    testing.check_definition(op, *testing.inputs(op))


def test_the_suite_measures_every_operator_next_to_its_peer_and_parts_none_from_it() -> None:
    plan = make_plan(suite="peers", device="cpu")
    axes = {(case.shape[1], case.mode, case.threads) for case in plan.cases}
    assert len(axes) == 8 and len(plan.cases) == 8 * 48
    named = {case.operator for case in plan.cases if not case.operator.startswith("a2u_bench.")}
    assert named == set(upsamplers.names())
    for block in blocks(plan.cases):
        ours = [case.options for case in block if not case.operator.startswith("a2u_bench.")]
        assert len(ours) * 2 == len(block)
        assert [case.options.partition(":")[2] for case in block[::2]] == [
            case.options.removeprefix("a2u_bench.peers:").partition(":")[2] for case in block[1::2]
        ]


def row(operator: str, options: str, seconds: float, threads: int) -> dict[str, object]:
    shape = dict(zip(("batch", "channels", "height", "width", "scale"), (1, 64, 32, 32, 2), strict=True))
    axes = {"mode": "inference", "dtype": "float32", "layout": "contiguous", "allocator": None, "runtime": "eager"}
    times = {"latency": seconds, "latency_best": seconds / 2}
    return {"operator": operator, "options": options, "threads": threads, "device": "cpu", **shape, **axes, **times}


def test_the_table_has_the_peer_s_time_as_a_multiple_of_ours_on_the_same_workload() -> None:
    rows = [
        row("max_unpool", "max_unpool", 2e-3, 1),
        row("a2u_bench.peers:MaxUnpool", "a2u_bench.peers:MaxUnpool", 6e-3, 1),
        row("dysample", "dysample:style=pl", 1e-3, 2),
        row("a2u_bench.peers:DySample", "a2u_bench.peers:DySample:style=pl", 5e-3, 2),
        row("dysample", "dysample", 1e-3, 2),
    ]
    table = beside(rows)
    assert table is not None
    assert [(line[0], line[2], *map(str, line[-2:])) for line in table.cells] == [
        ("max_unpool", "1", "3.00", "3.00"),
        ("dysample:style=pl", "2", "5.00", "5.00"),
    ]
    assert beside(rows[4:]) is None

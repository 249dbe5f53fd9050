"""Peers: each operator's formula in plain PyTorch is bound to the operator's definition."""

from __future__ import annotations

import inspect

import pytest

import upsamplers
from a2u_bench import decoder_peers, peers
from upsamplers import testing
from upsamplers.operator import Upsampler, Variant

PEERS = {
    member.facts.name: member
    for module in (peers, decoder_peers)
    for _, member in inspect.getmembers(module, inspect.isclass)
    if issubclass(member, Upsampler) and member.__module__ == module.__name__
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

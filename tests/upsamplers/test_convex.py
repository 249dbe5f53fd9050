"""Convex upsampling against RAFT's own formulation, an unfold and a weighted sum, and its cost by hand."""

from __future__ import annotations

import pytest
import torch
from known_answers import convex
from torch.nn import functional

import upsamplers
from upsamplers import testing


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_convex_is_raft_s_formulation(scale: int) -> None:
    convex(scale)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_params_and_macs_are_those_of_the_head_and_nine_per_output_element(scale: int) -> None:
    c, phases = 16, scale**2
    op = upsamplers.create("convex", channels=c, scale=scale)
    head = (9 * c * 2 * c + 2 * c) + (2 * c * 9 * phases + 9 * phases)
    assert sum(p.numel() for p in op.parameters()) == head
    assert op.macs(3, 5) == 15 * (9 * c * 2 * c + 2 * c * 9 * phases + 9 * c * phases)


def test_inside_the_map_an_output_lies_between_the_least_and_the_greatest_neighbour() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("convex", channels=3, scale=3).double()
    z = testing.inputs(op, height=6, width=5)[0]
    greatest = functional.max_pool2d(z, 3, stride=1)
    least = -functional.max_pool2d(-z, 3, stride=1)
    inside = op(z)[..., 3:-3, 3:-3]
    assert bool((inside <= greatest.repeat_interleave(3, -1).repeat_interleave(3, -2)).all())
    assert bool((inside >= least.repeat_interleave(3, -1).repeat_interleave(3, -2)).all())

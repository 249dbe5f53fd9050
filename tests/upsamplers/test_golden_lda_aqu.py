"""LDA-AQU against the published code's numbers, its formula by grid_sample, and its published costs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import Golden, cases, load
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from a2u_bench.measure.memory import peak_memory
from upsamplers import testing
from upsamplers.ops.lda_aqu import LdaAqu
from upsamplers.registry import operator_class


def official(golden: Golden) -> LdaAqu:
    options = {"scale": int(golden.hyper["scale_factor"]), "offset_range": golden.hyper["range_factor"]}
    op = upsamplers.from_official("lda_aqu", golden.state, **options)
    assert isinstance(op, LdaAqu)
    return op


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", cases("lda_aqu"))
def test_outputs_offsets_kernels_and_gradients_are_the_published_code_s(case: str, training: bool) -> None:
    golden = load(case)
    op = official(golden).train(training)
    assert (op.groups, op.heads) == (golden.hyper["n_groups"], golden.hyper["nh"])
    inputs = leaves(golden)
    z = inputs["x"]
    offsets, shares, *_ = op._generated(z)
    outputs = {
        "offset": offsets.flatten(0, 1).flatten(1, 2),
        "attn": shares.flatten(-2).transpose(2, 3).unsqueeze(3),
        "out": op(z),
    }
    assert_agrees(golden, op, inputs, outputs)


def test_params_and_macs_are_the_published_formulas() -> None:
    for reduction, params in ((4, 39_410), (16, 10_250)):
        op = upsamplers.create("lda_aqu", channels=256, reduction=reduction)
        assert sum(parameter.numel() for parameter in op.parameters()) == params
    op = upsamplers.create("lda_aqu", channels=256)
    assert op.macs(3, 5) == 15 * 125_952
    assert op.sampled_values(3, 5) == 15 * 36 * (64 + 256)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize(("groups", "heads"), [(1, 1), (2, 1), (1, 2), (2, 2), (2, 4), (4, 2)])
def test_keys_and_values_are_what_grid_sample_reads_with_corners_aligned(scale: int, groups: int, heads: int) -> None:
    op = testing.build(operator_class("lda_aqu"), {"groups": groups, "heads": heads, "reduction": 2}, scale)
    assert isinstance(op, LdaAqu)
    z, _ = testing.inputs(op)
    size = (scale * z.shape[2], scale * z.shape[3])
    normal = op.norm(z.movedim(1, -1)).movedim(-1, 1)
    query = functional.interpolate(op.query(normal), size, mode="bilinear", align_corners=True)
    offsets = op.offsets(query)
    rows = offsets[:, :, :, 0] + torch.arange(size[0])[:, None]
    columns = offsets[:, :, :, 1] + torch.arange(size[1])
    grid = torch.stack([2 * columns / (size[1] - 1) - 1, 2 * rows / (size[0] - 1) - 1], -1)  # [B, g, k², sH, sW, 2]

    def read(x: Tensor) -> Tensor:  # [B, C, k², sH, sW]
        parts = x.unflatten(1, (groups, -1)).flatten(0, 1)
        found = [functional.grid_sample(parts, grid[:, :, t].flatten(0, 1), align_corners=True) for t in range(9)]
        return torch.stack(found, 2).unflatten(0, (2, groups)).flatten(1, 2)

    keys = read(op.key(normal))
    assert op.bias_table is not None
    keys = keys + op.bias_table[0, :, 0].transpose(1, 2).flatten(0, 1)[:, :, None, None]
    products = (query.unsqueeze(2) * keys).unflatten(1, (heads, -1)).sum(2)  # [B, heads, k², sH, sW]
    shares = (products / math.sqrt(op.hidden // heads)).softmax(2)
    expected = (shares.unsqueeze(2) * read(z).unflatten(1, (heads, -1))).sum(3).flatten(1, 2)
    assert_close(op(z), expected, rtol=1e-9, atol=1e-9)
    assert op.weights(z).shape[1] == math.lcm(groups, heads)


def test_with_offsets_of_the_grid_alone_a_constant_loses_mass_at_the_border() -> None:
    op = upsamplers.create("lda_aqu", channels=32, position_bias=False).double()
    torch.nn.init.zeros_(op.get_parameter("query.weight"))
    up = op(torch.ones(1, 32, 8, 8, dtype=torch.float64))[0, 0]
    edge = (2 + 8 / 15) / 3  # a step of the output is 7/15 of a pixel, by which one tap in three lies outside
    assert_close(up[0, 0].item(), edge**2)
    assert_close(up[0, 8].item(), edge)
    assert_close(up[8, 8].item(), 1.0)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 1)])
def test_on_a_side_of_one_pixel_points_are_the_limit_of_the_formula(size: tuple[int, int], scale: int) -> None:
    """With more than one output there (H − 1)/(sH − 1) is 0; with one it is 0/0, and at scale 1 that is 1 elsewhere."""
    op = testing.build(operator_class("lda_aqu"), {}, scale)
    assert isinstance(op, LdaAqu)
    z, _ = testing.inputs(op, height=size[0], width=size[1])
    offsets, _, _, points = op._generated(z)
    for axis, side in ((1, 0), (0, 1)):
        if size[side] == 1:
            moved = offsets[:, :, :, 1 - axis]  # rows are first in offsets and last in points
            assert_close(points[:, :, :, axis], moved.detach() if scale == 1 else torch.zeros_like(moved))
    assert bool(op(z).isfinite().all())


def test_nothing_of_k2_maps_is_made() -> None:
    op = upsamplers.create("lda_aqu", channels=256)
    z = torch.randn(1, 256, 24, 24)
    leaf, output = z.clone().requires_grad_(), 4 * z.numel() * 4

    def infer() -> Any:
        with torch.no_grad():
            return op(z)

    def train() -> Any:
        return torch.autograd.grad(op(leaf).sum(), [leaf, *op.parameters()])

    for call, outputs in ((infer, 4), (train, 7)):  # keys and values at nine points would be 11 more
        call()
        peak = peak_memory(call)
        assert peak is not None and peak < outputs * output


def test_what_cannot_be_is_answered_in_one_line() -> None:
    for options in ({"reduction": 3}, {"groups": 3}, {"heads": 5}):
        with pytest.raises(
            upsamplers.Unsupported, match="lda_aqu: channels/reduction must be whole, and a multiple of"
        ):
            upsamplers.create("lda_aqu", channels=32, **options)
    for option, value in (("kernel_size", 2), ("offset_kernel_size", 4), ("offset_range", 0)):
        with pytest.raises(upsamplers.OptionError, match=f"lda_aqu: {option}={value} is out of range"):
            upsamplers.create("lda_aqu", channels=32, **{option: value})
    state = load("lda_aqu/k3_g2_s2_tiny").state
    with pytest.raises(ValueError, match="groups=1 was given, but the state dict has groups=2"):
        upsamplers.from_official("lda_aqu", state, groups=1)
    without = {key: value for key, value in state.items() if "bias_table" not in key}
    assert upsamplers.from_official("lda_aqu", without).get_parameter("query.weight").shape[0] == 8

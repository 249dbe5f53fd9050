"""ReSFU against the published code's numbers, its formula by another road, and its costs."""

from __future__ import annotations

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import FOLDER, cases, load
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers import testing
from upsamplers.registry import operator_class
from upsamplers.sampling import resized


def official(case: str) -> upsamplers.Upsampler:
    golden = load(case)
    return upsamplers.from_official("resfu", golden.state, scale=golden.hyper["scale_factor"])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", cases("resfu"))
def test_outputs_affinities_and_gradients_are_the_published_code_s(case: str, training: bool) -> None:
    golden, op = load(case), official(case).train(training)
    assert vars(op)["radius"] == golden.hyper["radius"]
    inputs = leaves(golden)
    z, guide = inputs["x"], inputs["y"]
    attn: Tensor = op.affinities(z, guide)  # type: ignore[operator]
    assert_agrees(golden, op, inputs, {"attn": attn, "out": op(z, guide)})


@pytest.mark.parametrize("case", cases("resfu"))
def test_derivatives_by_z_of_wz_alone_are_the_operator_s_and_not_those_of_the_cuda_backward(case: str) -> None:
    golden, op = load(case), official(case)
    stored = load_file(FOLDER / f"{case}.safetensors")
    z = golden.inputs["x"].clone().requires_grad_()
    w = op.weights(z, golden.inputs["y"]).detach()
    (found,) = torch.autograd.grad(op.assemble(w, z), z, golden.cotangents["out"])
    assert_close(found, stored["grad_op.out.value"], rtol=1e-10, atol=1e-10)
    wrong = (found - stored["grad_cudabug.out.value"]).abs().amax((0, 1)) > 1e-6
    assert bool(wrong.any()) and not bool(wrong[:-1, :-1].any())


def test_params_and_macs_are_the_formulas() -> None:
    def params(channels: int, guide_channels: int) -> int:
        op = upsamplers.create("resfu", channels=channels, guide_channels=guide_channels)
        return sum(parameter.numel() for parameter in op.parameters())

    assert params(256, 256) == 47_570
    assert params(384, 32) == 44_306
    assert upsamplers.create("resfu", channels=256).macs(3, 5) == 15 * 191_616
    assert upsamplers.create("resfu", channels=256, scale=4).macs(3, 5) == 15 * 741_888


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_wz_is_a_window_of_dilation_s_on_the_upsampled_map(scale: int) -> None:
    op = testing.build(operator_class("resfu"), {}, scale)
    assert op is not None
    z, guide = testing.inputs(op)
    a: Tensor = op.affinities(z, guide)  # type: ignore[operator]
    high = functional.interpolate(z, scale_factor=scale, mode="bilinear", align_corners=False)
    size = high.shape[-2:]
    rows, columns = torch.arange(size[0]), torch.arange(size[1])
    expected = torch.zeros_like(high)
    for tap in range(9):
        row, column = (rows + scale * (tap // 3 - 1)), (columns + scale * (tap % 3 - 1))
        inside = ((row >= 0) & (row < size[0]))[:, None] & ((column >= 0) & (column < size[1]))
        assert bool((a[:, tap][:, ~inside] == 0).all())
        read = high[..., row.clamp(0, size[0] - 1)[:, None], column.clamp(0, size[1] - 1)]
        expected = expected + a[:, tap : tap + 1] * read
    assert_close(op(z, guide), expected, rtol=1e-10, atol=1e-10)
    assert_close(op.weights(z, guide).sum(2), torch.ones_like(expected[:, :1]))


@pytest.mark.parametrize("wanted", [(1, 1), (3, 7), (8, 5), (11, 13)])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3)])
def test_a_map_is_resized_as_interpolate_does_it(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    expected = functional.interpolate(x, size=wanted, mode="bilinear", align_corners=False)
    found = resized(x, *wanted)
    assert_close(found, expected)
    over = torch.randn_like(found)
    assert_close(torch.autograd.grad(found, x, over), torch.autograd.grad(expected, x, over))


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 1)])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_maps_of_one_row_or_column_are_read_inside_alone(size: tuple[int, int], scale: int) -> None:
    op = testing.build(operator_class("resfu"), {}, scale)
    assert op is not None
    z, guide = testing.inputs(op, height=size[0], width=size[1])
    same = op(torch.ones_like(z), guide)
    assert_close(same, torch.ones_like(same))


def test_what_cannot_be_is_answered_in_one_line() -> None:
    with pytest.raises(upsamplers.Unsupported, match="score_groups=3 must divide embedding=32 and hidden=128"):
        upsamplers.create("resfu", channels=8, score_groups=3)
    with pytest.raises(upsamplers.Unsupported, match="convolution_groups=64 must divide embedding=32 and hidden=128"):
        upsamplers.create("resfu", channels=8, convolution_groups=64)
    with pytest.raises(upsamplers.OptionError, match="resfu: stride=0 is out of range"):
        upsamplers.create("resfu", channels=8, stride=0)
    state = dict(load("resfu/s2_tiny_mid16").state)
    with pytest.raises(ValueError, match=r"'GF.kernel' is \[8, 1, 1, 9\], must be \[8, 1, 1, 7\]"):
        upsamplers.from_official("resfu", state, radius=6)
    with pytest.raises(ValueError, match=r"'GF.kernel' must be ones"):
        upsamplers.from_official("resfu", {**state, "GF.kernel": 2 * state["GF.kernel"]})
    assert vars(upsamplers.from_official("resfu", state, stride=1))["radius"] == 4

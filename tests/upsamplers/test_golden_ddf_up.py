"""DDF-Up against the published code's numbers, and its combinations, heads and dilation against plain unfolding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import cases, load
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from a2u_bench.measure.memory import peak_memory
from upsamplers import testing
from upsamplers.registry import operator_class

CLASS = operator_class("ddf_up")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", cases("ddf_up"))
def test_outputs_and_gradients_are_the_published_code_s(case: str, training: bool) -> None:
    golden = load(case)
    op = upsamplers.from_official("ddf_up", golden.state).train(training)
    assert op.scale == golden.hyper["scale_factor"]
    inputs = leaves(golden)
    assert_agrees(golden, op, inputs, {"out": op(inputs["x"], inputs.get("joint"))})


@pytest.mark.parametrize(("joint", "params", "macs"), [(False, 560_368, 36_864), (True, 550_128, 36_864 - 9 * 4 * 256)])
def test_params_and_macs_are_the_formulas(joint: bool, params: int, macs: int) -> None:
    op = upsamplers.create("ddf_up", channels=256, joint=joint)
    assert sum(parameter.numel() for parameter in op.parameters()) == params
    assert op.macs(3, 6) - op.macs(3, 5) == 3 * macs
    assert op.macs(3, 5) - 15 * macs == 4 * (256 * 51 + 9 * 256 * 51)


@pytest.mark.parametrize("combine", ["mul", "add"])
def test_a_joint_map_of_z_s_size_holds_the_contract(combine: str) -> None:
    testing.check_operator(CLASS, {"joint": True, "combine": combine})


def built(**options: Any) -> tuple[upsamplers.Upsampler, Tensor]:
    op = testing.build(CLASS, options, 2)
    assert op is not None
    return op, testing.inputs(op, height=5, width=4)[0]


@pytest.mark.parametrize("combine", ["mul", "add"])
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_every_phase_is_an_unfolded_window_under_its_two_filters(combine: str, heads: int, dilation: int) -> None:
    op, z = built(combine=combine, heads=heads, dilation=dilation)
    layers = dict(op.named_modules())
    taps = functional.unfold(z, 3, padding=dilation, dilation=dilation).view(2, 8, 9, 5, 4)
    up = op(z)
    for phase in range(4):
        spatial = layers["spatial"][phase](z).view(2, heads, 9, 5, 4)
        spatial = (spatial - spatial.mean(2, True)) / (spatial.std(2, keepdim=True) + 1e-10) / 3
        channel = layers["channel"][phase](z.mean((2, 3), True)).view(2, 8, 9)
        channel = (channel - channel.mean(2, True)) / (channel.std(2, keepdim=True) + 1e-10)
        channel = (channel * op.get_parameter(f"std.{phase}").view(8, 9))[..., None, None]
        spatial = spatial.repeat_interleave(8 // heads, 1)
        w = spatial * channel if combine == "mul" else spatial + channel
        assert_close(up[..., phase // 2 :: 2, phase % 2 :: 2], (w * taps).sum(2), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("combine", ["mul", "add"])
def test_no_kernel_is_ever_whole(combine: str) -> None:
    op = upsamplers.create("ddf_up", channels=64, combine=combine)
    z = torch.randn(1, 64, 48, 48)
    leaf, output = z.clone().requires_grad_(), 4 * z.numel() * 4

    def infer() -> Tensor:
        with torch.no_grad():
            return op(z)

    def train() -> Any:
        return torch.autograd.grad(op(leaf).sum(), [leaf, *op.parameters()])

    for call, outputs in ((infer, 4), (train, 6)):  # w alone would have nine times the output
        call()
        peak = peak_memory(call)
        assert peak is not None and peak < outputs * output


def test_a_mean_of_no_variance_is_finite() -> None:
    op = upsamplers.create("ddf_up", channels=8)
    for name, parameter in op.named_parameters():
        if not name.startswith("std"):
            torch.nn.init.zeros_(parameter)
    assert bool((op(torch.ones(1, 8, 3, 3)) == 0).all())


def test_what_cannot_be_is_answered_in_one_line() -> None:
    for channels, options in ((4, {}), (9, {"heads": 2})):
        with pytest.raises(upsamplers.Unsupported, match="must be >= 5 and a multiple of heads; got"):
            upsamplers.create("ddf_up", channels=channels, **options)
    op, z = built(joint=True)
    with pytest.raises(ValueError, match=r"ddf_up: guide must be \(2, 8, 5, 4\) for z .*; got \(2, 8, 10, 8\)"):
        op(z, torch.randn(2, 8, 10, 8).double())
    with pytest.raises(ValueError, match="needs a guide"):
        op(z)
    state = dict(load("ddf_up/s2_mul_tiny").state)
    with pytest.raises(ValueError, match=r"3 phases in the keys 'channel_branch"):
        upsamplers.from_official("ddf_up", {k: v for k, v in state.items() if not k.startswith("channel_branch.3.")})
    with pytest.raises(ValueError, match="heads=2 was given, but the state dict has heads=1"):
        upsamplers.from_official("ddf_up", state, heads=2)

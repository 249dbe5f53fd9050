"""FeatUp's JBU and UPLiFT's attender against the published code's numbers, their formulas and costs."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import cases, load
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers.attender import offsets
from upsamplers.ops.featup_jbu import FeatUpJbu, Level
from upsamplers.ops.uplift import Uplift
from upsamplers.ops.uplift_net import ENCODED, Block, UpliftNet


def test_one_level_is_the_published_code_s() -> None:
    golden = load("featup_jbu/level_k8_r2_out11x15")
    level = Level(3, golden.hyper["radius"], golden.hyper["key_dim"]).double()
    level.load_state_dict(golden.state)
    given = leaves(golden)
    source = functional.interpolate(given["z"], given["image"].shape[2:], mode="bicubic", align_corners=False)
    assert_close(source, golden.middle["bicubic"], rtol=1e-10, atol=1e-10)
    up, w = level(source, given["image"]), level.kernels(given["image"])
    assert_close(w, golden.outputs["w"], rtol=1e-10, atol=1e-10)
    assert_close(up, golden.outputs["out"], rtol=1e-10, atol=1e-10)
    (up * golden.cotangents["out"]).sum().backward()
    found = {name: one.grad for name, one in given.items()}
    found |= {f"sd.{name}": one.grad for name, one in level.named_parameters()}
    assert found.keys() == golden.gradients.keys()
    for name, gradient in found.items():
        assert gradient is not None
        assert_close(gradient, golden.gradients[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("largest", [1 << 28, 1 << 13])
@pytest.mark.parametrize("prefix", ["", "upsampler."])
def test_the_stack_is_the_published_code_s_whole_and_in_blocks_of_rows(
    largest: int, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = load("featup_jbu/stack_k4_r1_x16")
    monkeypatch.setattr("upsamplers.image_guided.LARGEST", largest)
    beside = {"model.1.norm.weight": torch.ones(3)} if prefix else {}
    state = {f"{prefix}{key}": value for key, value in golden.state.items()} | beside
    op = upsamplers.from_official("featup_jbu", state, scale=16)
    assert isinstance(op, FeatUpJbu)
    assert (op.radius, op.width, op.levels, op.channels) == (1, 4, 4, 3)
    inputs = leaves(golden)
    assert_agrees(golden, op, inputs, {"out": op(inputs["z"], inputs["image"])})
    with torch.no_grad():
        assert_close(op(inputs["z"], inputs["image"]), golden.outputs["out"], rtol=1e-10, atol=1e-10)


def test_featup_stops_at_the_size_that_is_asked_for() -> None:
    op = upsamplers.create("featup_jbu", channels=2)
    assert isinstance(op, FeatUpJbu)
    assert op.sizes((2, 3), (32, 48)) == [(4, 6), (8, 12), (16, 24), (32, 48)]
    assert op.sizes((2, 3), (8, 12)) == [(4, 6), (8, 12)]
    assert op.sizes((16, 16), (224, 224)) == [(32, 32), (64, 64), (128, 128), (224, 224)]
    assert op.sizes((16, 16), (448, 448)) == [(32, 32), (64, 64), (128, 128), (448, 448)]
    assert op.sizes((4, 4), (4, 4)) == [(4, 4)]
    assert op(torch.randn(1, 2, 5, 4), torch.randn(1, 3, 20, 20), (33, 17)).shape == (1, 2, 33, 17)


def test_featup_has_the_published_parameters_and_work() -> None:
    op = upsamplers.create("featup_jbu", channels=384, scale=16)
    assert sum(parameter.numel() for parameter in op.parameters()) == 172_772
    assert sum(parameter.numel() for parameter in Level(3, 3, 32).parameters()) == 6_233
    shared = upsamplers.create("featup_jbu", channels=384, radius=5, shared=True)
    assert sum(parameter.numel() for parameter in shared.parameters()) == 31_073 + 384**2 + 384
    one = upsamplers.create("featup_jbu", channels=7, levels=1)
    per = 3 * 32 + 32**2 + 49 * 32 + 49 * (2 * 49 + 3) + 49 * 7 + 16 * 7
    assert one.macs(3, 5) == 60 * (per + 49)


@pytest.mark.parametrize("case", cases("uplift"))
def test_the_attender_is_the_published_code_s(case: str) -> None:
    golden = load(case)
    hyper = golden.hyper
    options = {"scale": hyper["scale"], "channels": hyper["channels"], "residual": hyper["conv_res"]}
    op = upsamplers.from_official("uplift", golden.state, **options)
    assert isinstance(op, Uplift)
    inputs = leaves(golden)
    w = op.weights(inputs["z"], inputs["guide"])
    at = [5 * (y + 2) + x + 2 for y, x in offsets(op.count)]
    assert not w[:, :, [n for n in range(25) if n not in at]].any()
    assert_agrees(golden, op, inputs, {"w": w[:, :, at], "out": op(inputs["z"], inputs["guide"])})


def test_the_attender_s_offsets_and_costs() -> None:
    assert [len(offsets(taps)) for taps in (5, 9, 13, 17, 25)] == [5, 9, 13, 17, 25]
    op = upsamplers.create("uplift", channels=384, guide_channels=64)
    assert sum(parameter.numel() for parameter in op.parameters()) == 1_105
    assert op.macs(3, 5) == 60 * 17 * (64 + 384)
    with pytest.raises(upsamplers.OptionError, match=r"uplift: no taps 7; .*allowed: 5, 9, 13, 17, 25"):
        upsamplers.create("uplift", channels=8, taps=7)


def test_uplift_s_network_has_the_published_parameters_and_doubles_z() -> None:
    op = upsamplers.create("uplift_net", channels=384, scale=16)
    assert sum(parameter.numel() for parameter in op.parameters()) == 789_521
    assert isinstance(op, UpliftNet) and sum(parameter.numel() for parameter in op.attender.parameters()) == 1_105
    assert sum(Block.macs(a, b, 1) for a, b in pairwise((3, *ENCODED))) == 282_800
    small, image = upsamplers.create("uplift_net", channels=3).eval(), torch.randn(1, 3, 11, 7)
    z = torch.randn(1, 3, 3, 2)
    assert small(z, image, (24, 16)).shape == (1, 3, 24, 16)
    for size in ((3, 2), (9, 6), (6, 8)):
        with pytest.raises(ValueError, match=r"uplift_net: size must be 2, 4, 8, … times that of z, \(3, 2\); got "):
            small(z, image, size)
    with pytest.raises(upsamplers.Unsupported, match=r"scale 6 is not possible; allowed: 2, 4, 8, 16, 32"):
        upsamplers.create("uplift_net", channels=3, scale=6)


def test_a_state_dict_of_another_operator_is_named() -> None:
    with pytest.raises(upsamplers.StateDictError, match=r"featup_jbu: no key 'up1\.range_proj\.0\.weight'"):
        upsamplers.from_official("featup_jbu", load("uplift/attender_n17_g20_x2").state)
    assert isinstance(FeatUpJbu(2).fixup_proj, nn.Sequential)

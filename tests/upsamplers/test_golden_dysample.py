"""DySample against the published code's numbers and torch's grid_sample, its exactness, and its published costs."""

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
from upsamplers import testing
from upsamplers.registry import operator_class

VARIANTS = upsamplers.facts("dysample").variants
by_label = pytest.mark.parametrize("variant", VARIANTS, ids=[variant.label for variant in VARIANTS])


def positions(op: upsamplers.Upsampler, z: Tensor) -> Tensor:
    found: Tensor = op.positions(z)  # type: ignore[operator]
    return found


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", cases("dysample"))
def test_outputs_offsets_and_gradients_are_the_published_code_s(case: str, training: bool) -> None:
    golden = load(case)
    op = upsamplers.from_official("dysample", golden.state).train(training)
    assert (op.style, op.groups, op.dynamic_scope) == tuple(golden.hyper[key] for key in ("style", "groups", "dyscope"))
    inputs = leaves(golden)
    offset = positions(op, inputs["x"]).transpose(1, 2).flatten(1, 2)  # [B, 2·G, sH, sW]
    outputs = {"offset": functional.pixel_unshuffle(offset, op.scale), "out": op(inputs["x"])}
    assert_agrees(golden, op, inputs, outputs)


@pytest.mark.parametrize(("style", "dynamic_scope", "params"), [
    ("lp", False, (32, 32)), ("lp", True, (64, 32)), ("pl", False, (4, 16)), ("pl", True, (8, 16)),
])  # fmt: skip
@pytest.mark.parametrize("channels", [8, 32, 256])
def test_params_and_macs_are_the_published_formulas(
    style: str, dynamic_scope: bool, params: tuple[int, int], channels: int
) -> None:
    op = upsamplers.create("dysample", channels=channels, style=style, dynamic_scope=dynamic_scope)
    assert sum(p.numel() for p in op.parameters()) == params[0] * channels + params[1]
    convolution = {"lp": 32, "pl": 16}[style] * (1 + dynamic_scope)
    assert op.macs(3, 5) == 15 * channels * (convolution + 16)


@by_label
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_zero_offsets_are_bilinear_interpolation(variant: upsamplers.Variant, scale: int) -> None:
    op = upsamplers.create("dysample", channels=144, scale=scale, **variant.options).double()
    for parameter in op.parameters():
        torch.nn.init.zeros_(parameter)
    z, _ = testing.inputs(op)
    expected = functional.interpolate(z, scale_factor=scale, mode="bilinear", align_corners=False)
    assert_close(op(z), expected, rtol=1e-12, atol=1e-12)


def sampled_by_torch(z: Tensor, position: Tensor, scale: int) -> Tensor:
    """grid_sample with border padding at each group's positions, [B, G, 2, sH, sW] relative to the pixel ⌊i/s⌋."""
    height, width = z.shape[-2:]
    groups = position.shape[1]
    x = position[:, :, 0] + torch.arange(width).repeat_interleave(scale)
    y = position[:, :, 1] + torch.arange(height).repeat_interleave(scale)[:, None]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).flatten(0, 1)
    parts = z.unflatten(1, (groups, -1)).flatten(0, 1)
    out = functional.grid_sample(parts, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return out.unflatten(0, (z.shape[0], groups)).flatten(1, 2)


@by_label
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("reach", [0.0, 20.0])
def test_outputs_and_gradients_are_grid_sample_s_also_where_points_leave_the_map(
    variant: upsamplers.Variant, scale: int, reach: float
) -> None:
    torch.manual_seed(scale)
    op = upsamplers.create("dysample", channels=144, scale=scale, **variant.options).double()
    for parameter in op.parameters():
        torch.nn.init.normal_(parameter, std=reach / 12)
    # Sizes of 4 make grid_sample's own coordinates exact, so that a point on the border is on it for both.
    z = testing.inputs(op, height=4, width=4)[0].requires_grad_()
    cotangent = torch.randn(2, 144, 4 * scale, 4 * scale, dtype=torch.float64)
    expected = sampled_by_torch(z, positions(op, z), scale)
    outside = positions(op, z).detach().abs().max() > 4
    assert bool(outside) == (reach > 0)
    got = op(z)
    assert_close(got, expected, rtol=1e-10, atol=1e-10)
    leaves = (z, *op.parameters())
    for mine, theirs in zip(
        torch.autograd.grad((got * cotangent).sum(), leaves),
        torch.autograd.grad((expected * cotangent).sum(), leaves),
        strict=True,
    ):
        assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@by_label
def test_a_forward_pass_generates_the_offsets_once(variant: upsamplers.Variant) -> None:
    op = upsamplers.create("dysample", channels=8, **variant.options)
    calls: list[object] = []
    op.get_submodule("offset").register_forward_hook(lambda *args: calls.append(args))
    op(torch.zeros(1, 8, 3, 3))
    assert len(calls) == 1


def test_weights_and_points_are_the_four_corners_within_the_map() -> None:
    torch.manual_seed(0)
    op = testing.build(operator_class("dysample"), {"groups": 2}, 3)
    assert op is not None
    z, _ = testing.inputs(op, height=4, width=6)
    w, points = op.weights(z), op.points(z)
    assert points is not None and w.shape == (2, 2, 4, 12, 18) and points.shape == (2, 2, 2, 12, 18)
    assert bool((w >= 0).all()) and not points.requires_grad
    assert_close(w.sum(2), torch.ones_like(w[:, :, 0]))
    for axis, size in ((0, 6), (1, 4)):
        assert_close(points[:, :, axis], points[:, :, axis].clamp(0, size - 1), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_keep_coordinates_in_float32(dtype: torch.dtype) -> None:
    op = upsamplers.create("dysample", channels=4, scale=3)
    torch.nn.init.zeros_(op.get_parameter("offset.weight"))
    z = torch.zeros(1, 4, 1, 300)
    exact = op.double().points(z.double())
    points = op.to(dtype).points(z.to(dtype))
    assert exact is not None and points is not None and points.dtype == torch.float32
    assert_close(points.double(), exact, rtol=0, atol=3e-5)


def state_at_scale_three() -> dict[str, Tensor]:
    """As the released code has it after .double(): a start position whose thirds are float32's."""
    torch.manual_seed(0)
    state = dict(upsamplers.create("dysample", channels=8, scale=3).double().state_dict())
    return {"init_pos": state.pop("start").float().double(), **state}


def test_a_loaded_start_position_tells_the_scale_and_is_kept_to_the_bit() -> None:
    state = state_at_scale_three()
    op = upsamplers.from_official("dysample", state)
    assert op.scale == 3
    assert_close(op.state_dict()["start"], state["init_pos"], rtol=0, atol=0)
    assert_close(op.half().double().state_dict()["start"], state["init_pos"], rtol=0, atol=0)
    own = upsamplers.create("dysample", channels=8, scale=3).double().state_dict()["start"]
    assert float((own - state["init_pos"]).abs().max()) > 1e-9
    assert_close(own[0, 0, 0, 0], torch.tensor(-1 / 3, dtype=torch.float64), rtol=0, atol=1e-16)


def test_another_scale_or_option_than_the_state_dict_s_is_an_error() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"scale": 2}, "scale=2 was given, but the state dict has scale=3"),
        ({"scale": 3, "groups": 2}, "groups=2 was given, but the state dict has groups=4"),
        ({"scale": 3, "dynamic_scope": True}, "dynamic_scope=True was given"),
        ({"scale": 3, "style": "pl"}, "'offset.weight' is"),
    ]
    for options, message in wrong:
        with pytest.raises(ValueError, match=message):
            upsamplers.from_official("dysample", state_at_scale_three(), **options)


def test_channels_that_groups_or_the_shuffle_do_not_divide_are_unsupported() -> None:
    with pytest.raises(upsamplers.Unsupported, match="multiple of groups; got 6 and 4"):
        upsamplers.create("dysample", channels=6)
    with pytest.raises(upsamplers.Unsupported, match="multiple of s² = 9; got 8"):
        upsamplers.create("dysample", channels=8, scale=3, style="pl")
    with pytest.raises(upsamplers.OptionError, match="dysample: groups=0 is out of range; allowed: >= 1"):
        upsamplers.create("dysample", channels=8, groups=0)

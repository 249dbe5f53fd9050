"""A2U against numbers of its published code: outputs, kernels and gradients, eval and train mode."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden_files import Golden, cases, load
from torch import Tensor
from torch.testing import assert_close

import upsamplers
from upsamplers.ops.a2u import A2U


def official(case: Golden, **options: Any) -> upsamplers.Upsampler:
    return upsamplers.from_official("a2u", case.state, channels=case.inputs["dec"].shape[1], **options)


def run(op: upsamplers.Upsampler, guide: Tensor, z: Tensor) -> dict[str, Tensor]:
    """Every output of the published module, in its layout: kernels as [B, k², H, W], the twin's among them."""
    return {
        "out_u": op.weights(z, guide).flatten(1, 2),
        "out_d": op.down_weights(guide).flatten(1, 2),
        "up": op(z, guide),
        "down": op.downsample(guide),
    }


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", cases("a2u"))
def test_outputs_kernels_and_gradients_are_those_of_the_published_code(name: str, mode: str) -> None:
    case = load(name)
    op = official(case).train(mode == "train")
    inputs = {key: value.clone().requires_grad_() for key, value in case.inputs.items()}
    outputs = run(op, inputs["x"], inputs["dec"])
    assert outputs.keys() == case.outputs.keys()
    for key, expected in case.outputs.items():
        assert_close(outputs[key], expected, rtol=0, atol=1e-10)
    torch.stack([(outputs[key] * cotangent).sum() for key, cotangent in case.cotangents.items()]).sum().backward()
    keys = A2U.official(case.state, {})[1]
    parameters = {f"sd.{key}": op.get_parameter(keys[key]) for key in case.state}
    leaves = {**inputs, **parameters}
    assert {"x", "dec", *parameters} <= case.gradients.keys()
    for key, leaf in leaves.items():
        assert leaf.grad is not None, key
        assert_close(leaf.grad, case.gradients[key], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", cases("a2u"))
def test_keys_and_shapes_tell_widths_sharing_kernel_size_and_the_twin(name: str) -> None:
    case = load(name)
    op = official(case)
    assert isinstance(op, A2U) and not op.training
    assert op.guide_channels == case.hyper["c"] and op.channels == case.hyper["dec_channels"]
    assert (op.kernel_size, op.down_kernel_size) == (case.hyper["up_ik"], case.hyper["down_ik"])
    assert op.u.share_groups == (1 if case.hyper["share"] else case.hyper["c"])
    up_only = {key: value for key, value in case.state.items() if "DP" not in key}
    alone = upsamplers.from_official("a2u", up_only, channels=case.hyper["dec_channels"])
    assert_close(alone.weights(case.inputs["dec"], case.inputs["x"]).flatten(1, 2), case.outputs["out_u"])


def test_groups_follow_from_a_given_kernel_size() -> None:
    state = load("a2u/share_s3_k6_g1_tiny").state
    doubled = {key: torch.cat([value, value]) if "P" in key else value for key, value in state.items()}
    op = upsamplers.from_official("a2u", doubled, channels=16, kernel_size=3)
    assert isinstance(op, A2U) and op.groups == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 3}, "a2u: 'bconv_UP.1.weight' has 36 rows, not scale²·k²·groups·rank for an odd k at scale=3"),
        ({"kernel_size": 5}, "kernel_size=5 was given, but the state dict has kernel_size=3"),
        ({"kernel_size": 3, "groups": 2}, "'bconv_UP.1.weight' has 36 rows, not .* at scale=2, groups=2, rank=1"),
        ({"sharing": "unshared"}, "sharing=unshared was given, but the state dict has sharing=shared"),
        ({"dynamics": "static"}, "a2u: the published code has dynamics=dynamic alone; got static"),
        ({"affinity": "cross"}, "a2u: the published code has affinity=self alone; got cross"),
    ],
)
def test_options_that_the_weights_contradict_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        official(load("a2u/share_s3_k6_g1_tiny"), **options)


def test_a_missing_key_an_unknown_key_and_a_misshapen_one_are_named() -> None:
    case = load("a2u/share_s3_k6_g1_tiny")
    with pytest.raises(upsamplers.StateDictError, match=r"bnv\.0\.bias"):
        upsamplers.from_official("a2u", {key: v for key, v in case.state.items() if key != "bnv.0.bias"})
    with pytest.raises(upsamplers.StateDictError, match=r"bconv_X\.1\.weight"):
        upsamplers.from_official("a2u", {**case.state, "bconv_X.1.weight": torch.ones(1)})
    with pytest.raises(
        upsamplers.StateDictError, match=r"bconv_V\.1\.weight.* \[2, 32, 1, 1\], must be \[1, 32, 1, 1\]"
    ):
        upsamplers.from_official("a2u", {**case.state, "bconv_V.1.weight": torch.ones(2, 32, 1, 1)})

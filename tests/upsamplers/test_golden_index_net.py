"""IndexNet against the numbers of its authors' code, its published costs, and what the formula says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from golden_files import Golden, cases, load
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers import OptionError, Unsupported, Upsampler
from upsamplers.registry import operator_class

CASES = cases("indexnet")


def official(golden: Golden) -> Upsampler:
    op = upsamplers.from_official("index_net", golden.state, scale=2)
    return op.train(golden.training)


def own_keys(golden: Golden) -> dict[str, str]:
    return dict(operator_class("index_net").official(golden.state, {"scale": 2})[1])


def outputs(op: Upsampler, x: Tensor, dec: Tensor) -> dict[str, Tensor]:
    """All that the published code gives, its index maps in the layout of x."""
    idx_de = op.weights(dec, x).squeeze(2)
    idx_en = functional.pixel_shuffle(op.down_weights(x).flatten(1, 2), 2)
    for index in (idx_de, idx_en):
        index.retain_grad()
    return {
        "idx_de": idx_de,
        "idx_en": idx_en,
        "enc": idx_en * x,
        "pooled": upsamplers.downassemble(functional.pixel_unshuffle(idx_en, 2).unflatten(1, (-1, 4)), x, 2, 2),
        "up": upsamplers.reassemble(idx_de.unsqueeze(2), dec, scale=2, kernel_size=1),
    }


@pytest.mark.parametrize("case", CASES)
def test_kernels_outputs_and_all_gradients_agree_with_the_published_code(case: str) -> None:
    golden = load(case)
    op = official(golden)
    leaves = {name: value.clone().requires_grad_() for name, value in golden.inputs.items()}
    found = outputs(op, leaves["x"], leaves["dec"])
    for name, expected in golden.outputs.items():
        assert_close(found[name], expected, rtol=1e-10, atol=1e-10)
    torch.stack([(found[name] * r).sum() for name, r in golden.cotangents.items()]).sum().backward()
    own, parameters = own_keys(golden), dict(op.named_parameters())
    checked = set()
    for name, expected in golden.gradients.items():
        of = parameters[own[name.removeprefix("sd.")]] if name.startswith("sd.") else {**leaves, **found}[name]
        assert_close(of.grad, expected, rtol=1e-9, atol=1e-9)
        checked.add(id(of))
    assert {id(parameter) for parameter in parameters.values()} <= checked


@pytest.mark.parametrize("case", CASES)
def test_forward_and_downsample_give_what_the_published_code_gives(case: str) -> None:
    golden = load(case)
    op = official(golden)
    up = op(golden.inputs["dec"], golden.inputs["x"])
    assert_close(up, golden.outputs["up"], rtol=1e-10, atol=1e-10)
    assert_close(op.downsample(golden.inputs["x"]), golden.outputs["pooled"], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_buffers_follow_one_training_pass_as_the_published_ones_do(case: str) -> None:
    golden = load(case)
    op = official(golden)
    op(golden.inputs["dec"], golden.inputs["x"])
    state, own = op.state_dict(), own_keys(golden)
    if golden.training:
        assert golden.state_after
        assert not torch.equal(golden.state_after["indexnet1.1.running_mean"], golden.state["indexnet1.1.running_mean"])
    expected = {**golden.state, **golden.state_after}
    assert set(own.values()) == set(state)
    for key, value in expected.items():
        assert_close(state[own[key]], value, rtol=1e-12, atol=1e-12)


def test_downsampling_is_four_times_the_average_pool_of_index_times_feature() -> None:
    golden = load("indexnet/m2o_nl1_ctx1_tiny_train")
    pooled = 4 * functional.avg_pool2d(golden.outputs["idx_en"] * golden.inputs["x"], 2)
    assert_close(official(golden).downsample(golden.inputs["x"]), pooled, rtol=1e-10, atol=1e-10)


C = 24
PARAMETERS = {
    ("holistic", True, True): 32 * C**2 + 12 * C,
    ("holistic", True, False): 8 * C**2 + 12 * C,
    ("holistic", False, True): 64 * C,
    ("holistic", False, False): 16 * C,
    ("o2o", True, True): 76 * C,
    ("o2o", True, False): 28 * C,
    ("o2o", False, True): 64 * C,
    ("o2o", False, False): 16 * C,
    ("m2o", True, True): 68 * C**2 + 8 * C,
    ("m2o", True, False): 20 * C**2 + 8 * C,
    ("m2o", False, True): 64 * C**2,
    ("m2o", False, False): 16 * C**2,
}
MACS = {
    ("holistic", True, True): 32 * C**2 + 8 * C + 4 * C,
    ("holistic", True, False): 8 * C**2 + 8 * C + 4 * C,
    ("o2o", True, True): 64 * C + 4 * C + 4 * C,
    ("o2o", True, False): 16 * C + 4 * C + 4 * C,
    ("m2o", True, True): 68 * C**2 + 4 * C,
    ("m2o", True, False): 20 * C**2 + 4 * C,
    **{key: value + 4 * C for key, value in PARAMETERS.items() if not key[1]},
}


def count(op: Upsampler) -> int:
    return sum(parameter.numel() for parameter in op.parameters())


@pytest.mark.parametrize(("mode", "nonlinear", "context"), PARAMETERS)
def test_parameters_and_macs_are_the_published_formulas(mode: str, nonlinear: bool, context: bool) -> None:
    options: dict[str, Any] = {"mode": mode, "nonlinear": nonlinear, "context": context}
    op = upsamplers.create("index_net", channels=C, **options)
    assert count(op) == PARAMETERS[mode, nonlinear, context]
    assert op.macs(3, 5) == 15 * MACS[mode, nonlinear, context]
    assert count(upsamplers.create("index_net", channels=C, **options, twin=True)) == count(op)


def test_many_to_one_with_the_published_width_costs_what_was_published() -> None:
    op = upsamplers.create("index_net", channels=C, mode="m2o", hidden=2 * C)
    assert count(op) == 136 * C**2 + 16 * C
    assert op.macs(1, 1) == 136 * C**2 + 4 * C


def test_the_variants_are_all_modes_with_the_default_first() -> None:
    settings = [dict(variant.options) for variant in upsamplers.facts("index_net").variants]
    full = [{"mode": "holistic", "nonlinear": True, "context": True, **options} for options in settings]
    expected = itertools.product(("holistic", "o2o", "m2o"), (True, False), (True, False))
    assert [tuple(options.values()) for options in full] == list(expected)
    assert settings[0] == {}


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("context", [True, False])
def test_each_index_sees_the_window_around_its_block_at_any_scale(scale: int, context: bool) -> None:
    op = upsamplers.create("index_net", channels=2, scale=scale, nonlinear=False, context=context).double()
    guide = torch.randn(1, 2, 5 * scale, 5 * scale, dtype=torch.float64, requires_grad=True)
    w = op.down_weights(guide)
    assert w.shape == (1, 1, scale**2, 5, 5)
    op.weights(guide.new_zeros(1, 2, 5, 5), guide)[:, :, :, 2 * scale, 2 * scale].sum().backward()
    assert guide.grad is not None
    rows = guide.grad.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    start, side = (2 * scale - scale // 2, 2 * scale) if context else (2 * scale, scale)
    assert rows == list(range(start, start + side))


@pytest.mark.parametrize("mode", ["holistic", "o2o", "m2o"])
def test_twin_kernels_sum_to_one_and_indices_lie_between_zero_and_one(mode: str) -> None:
    op = upsamplers.create("index_net", channels=6, scale=3, mode=mode).double().eval()
    guide = 3 * torch.randn(2, 6, 9, 12, dtype=torch.float64)
    down, up = op.down_weights(guide), op.weights(guide, guide)
    assert_close(down.sum(2), torch.ones_like(down[:, :, 0]))
    assert bool(((up > 0) & (up < 1)).all())


def test_a_holistic_guide_may_be_wider_than_z() -> None:
    op = upsamplers.create("index_net", channels=4, guide_channels=10)
    assert op(torch.randn(1, 4, 3, 5), torch.randn(1, 10, 6, 10)).shape == (1, 4, 6, 10)
    assert count(op) == 3200 + 120
    assert op.macs(1, 1) == 3200 + 80 + 16


@pytest.mark.parametrize("mode", ["o2o", "m2o"])
def test_a_depthwise_guide_must_be_as_wide_as_z(mode: str) -> None:
    with pytest.raises(Unsupported, match=f"mode={mode} needs guide and z equally wide; got 10 and 4"):
        upsamplers.create("index_net", channels=4, guide_channels=10, mode=mode)


@pytest.mark.parametrize(
    "options", [{"hidden": 0}, {"hidden": 8, "nonlinear": False}, {"hidden": 8, "mode": "o2o"}, {"hidden": -1}]
)
def test_a_width_that_means_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="index_net: hidden="):
        upsamplers.create("index_net", channels=4, **options)


@pytest.mark.parametrize("hidden", [8, 64])
def test_the_hidden_width_is_read_from_the_weights(hidden: int) -> None:
    layout = {}
    for q in range(1, 5):
        layout[f"indexnet{q}.0.weight"] = torch.randn(hidden, 8, 4, 4)
        for entry in ("weight", "bias", "running_mean", "running_var"):
            layout[f"indexnet{q}.1.{entry}"] = torch.rand(hidden)
        layout[f"indexnet{q}.1.num_batches_tracked"] = torch.tensor(3)
        layout[f"indexnet{q}.3.weight"] = torch.randn(8, hidden, 1, 1)
    op = upsamplers.from_official("index_net", layout)
    read = {name: vars(op)[name] for name in ("channels", "mode", "nonlinear", "context", "hidden")}
    assert read == {"channels": 8, "mode": "m2o", "nonlinear": True, "context": True, "hidden": hidden}

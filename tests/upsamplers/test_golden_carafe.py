"""CARAFE against the numbers of its authors' code, its published costs, and what formulas say of border and twin."""

from __future__ import annotations

import pytest
import torch
from golden_files import Golden, cases, load
from torch import Tensor
from torch.testing import assert_close

import upsamplers
from upsamplers import OptionError, StateDictError, Unsupported, Upsampler, reference
from upsamplers.registry import operator_class

CASES = cases("carafe")


def official(golden: Golden) -> Upsampler:
    hyper = golden.hyper
    return upsamplers.from_official(
        "carafe",
        golden.state,
        scale=hyper["scale_factor"],
        kernel_size=hyper["up_kernel"],
        groups=hyper["up_group"],
        encoder_dilation=hyper["encoder_dilation"],
    ).train(golden.training)


@pytest.mark.parametrize("case", CASES)
def test_kernels_output_and_all_gradients_agree_with_the_published_code(case: str) -> None:
    golden = load(case)
    op = official(golden)
    x = golden.inputs["x"].clone().requires_grad_()
    w = op.weights(x)
    w.retain_grad()
    up = upsamplers.reassemble(w, x, scale=op.scale, kernel_size=op.kernel_size)
    assert_close(w.flatten(1, 2), golden.outputs["mask"], rtol=1e-10, atol=1e-10)
    assert_close(op(x), golden.outputs["out"], rtol=1e-10, atol=1e-10)
    assert_close(up, golden.outputs["out"], rtol=1e-10, atol=1e-10)
    loss = (w.flatten(1, 2) * golden.cotangents["mask"]).sum() + (up * golden.cotangents["out"]).sum()
    loss.backward()
    assert x.grad is not None and w.grad is not None
    assert_close(x.grad, golden.gradients["x"], rtol=1e-9, atol=1e-9)
    assert_close(w.grad.flatten(1, 2), golden.gradients["mask"], rtol=1e-9, atol=1e-9)
    keys = operator_class("carafe").official(golden.state, {"scale": op.scale, "kernel_size": op.kernel_size})[1]
    parameters = dict(op.named_parameters())
    assert set(keys.values()) == set(parameters)
    for theirs, own in keys.items():
        assert_close(parameters[own].grad, golden.gradients[f"sd.{theirs}"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, (5, 1)), ({"kernel_size": 5}, (5, 1)), ({"groups": 1}, (5, 1)), ({"kernel_size": 1}, (1, 25))],
)
def test_one_of_kernel_size_and_groups_tells_the_other(options: dict[str, int], expected: tuple[int, int]) -> None:
    golden = load("carafe/s2_k5_g1_ek3_d1_tiny")
    state = golden.state
    if options == {"kernel_size": 1}:
        state = {key: torch.cat([value, value])[:50] if "compressor" in key else value for key, value in state.items()}
        state["channel_compressor.weight"] = torch.randn(64, 50, 1, 1, dtype=torch.float64)
        state["channel_compressor.bias"] = golden.state["channel_compressor.bias"]
    op = upsamplers.from_official("carafe", state, **options)
    assert (op.kernel_size, op.weights(torch.randn(1, op.channels, 2, 2, dtype=torch.float64)).shape[1]) == expected


@pytest.mark.parametrize("options", [{}, {"groups": 3}, {"groups": 1}, {"kernel_size": 5}])
def test_channels_that_no_kernel_explains_are_named(options: dict[str, int]) -> None:
    golden = load("carafe/s3_k3_g2_ek3_d1_tiny")  # 162 = 9·2·9
    with pytest.raises(StateDictError, match=r"carafe: .*content_encoder.weight' is \[162, 64, 3, 3\]"):
        upsamplers.from_official("carafe", golden.state, scale=3, **options)


@pytest.mark.parametrize("c", [32, 256])
def test_parameters_and_macs_are_the_published_formulas(c: int) -> None:
    op = upsamplers.create("carafe", channels=c)
    assert sum(parameter.numel() for parameter in op.parameters()) == 64 * c + 57_764
    assert op.macs(3, 5) == 15 * (64 * c + 57_600 + 100 * c)


def test_the_twin_has_a_generator_of_its_own() -> None:
    op = upsamplers.create("carafe", channels=32, guide_channels=48, twin=True)
    down = sum(parameter.numel() for name, parameter in op.named_parameters() if name.startswith("down_"))
    assert down == (64 * 48 + 64) + (64 * 9 * 25 + 25)
    assert op.macs(1, 1) == upsamplers.create("carafe", channels=32).macs(1, 1)


def box(border: str, *, scale: int = 2, kernel_size: int = 5, twin: bool = False) -> Upsampler:
    """A CARAFE whose kernels are exact box filters."""
    op = upsamplers.create("carafe", channels=4, scale=scale, kernel_size=kernel_size, border=border, twin=twin)
    for parameter in op.parameters():
        torch.nn.init.zeros_(parameter)
    return op.double()


def ones(size: int) -> Tensor:
    return torch.ones(1, 4, size, size, dtype=torch.float64)


def test_a_constant_loses_mass_at_the_zero_border_and_keeps_it_at_a_replicated_one() -> None:
    up = box("zero")(ones(6))
    assert_close(up[..., 0, 0], torch.full((1, 4), 0.36, dtype=torch.float64))
    assert_close(up[..., 2, 2], torch.full((1, 4), 0.64, dtype=torch.float64))
    assert_close(up[..., 5, 5], torch.ones(1, 4, dtype=torch.float64))
    for border in ("replicate", "reflect"):
        assert_close(box(border)(ones(6)), ones(12))
        assert_close(box(border, twin=True).downsample(ones(6)), ones(3))
    down = box("zero", twin=True).downsample(ones(6))  # windows start at 2p − 1: one row of five is outside
    assert_close(down[..., 0, 0], torch.full((1, 4), 0.64, dtype=torch.float64))


def test_the_first_kernels_are_close_to_a_box_filter() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("carafe", channels=16, twin=True)
    z = torch.randn(1, 16, 8, 8)
    for w in (op.weights(z), op.down_weights(z)):
        assert_close(w, torch.full_like(w, 1 / 25), rtol=0, atol=0.01)
    values = {name: parameter.detach() for name, parameter in op.named_parameters()}
    encoder, compressor = values["encoder.weight"], values["compressor.weight"]
    assert float(encoder.std()) == pytest.approx(0.001, rel=0.05)
    assert float(compressor.abs().max()) == pytest.approx((6 / 80) ** 0.5, rel=0.05)
    assert all(not value.any() for name, value in values.items() if name.endswith("bias"))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_twin_kernels_sum_to_one_and_are_made_from_the_middle_of_what_they_weigh(scale: int, side: int) -> None:
    torch.manual_seed(0)
    op = upsamplers.create(
        "carafe", channels=6, scale=scale, kernel_size=5, groups=2, encoder_kernel_size=side, twin=True
    ).double()
    guide = torch.randn(2, 6, 7 * scale, 5 * scale, dtype=torch.float64, requires_grad=True)
    w = op.down_weights(guide)
    assert w.shape == (2, 2, 25, 7, 5)
    assert_close(w.sum(2), torch.ones_like(w[:, :, 0]))
    expected = reference.downassemble(w, guide, scale, 5)
    assert_close(op.downsample(guide), expected, rtol=1e-10, atol=1e-10)
    w[0, 0, 0, 3, 2].backward()
    assert guide.grad is not None
    rows = guide.grad.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    start = 3 * scale - (side - scale) // 2
    assert rows == list(range(start, start + side))


@pytest.mark.parametrize("dilation", [2, 3])
@pytest.mark.parametrize("scale", [2, 3])
def test_a_dilated_encoder_keeps_every_size(dilation: int, scale: int) -> None:
    op = upsamplers.create("carafe", channels=4, scale=scale, encoder_dilation=dilation, twin=True)
    assert op(torch.randn(1, 4, 5, 3)).shape == (1, 4, 5 * scale, 3 * scale)
    assert op.downsample(torch.randn(1, 4, 5 * scale, 3 * scale)).shape == (1, 4, 5, 3)


@pytest.mark.parametrize(
    "options", [{"kernel_size": 4}, {"encoder_kernel_size": 2}, {"groups": 0}, {"compressed_channels": 0}]
)
def test_sizes_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=f"carafe: {next(iter(options))}="):
        upsamplers.create("carafe", channels=4, **options)


def test_groups_that_do_not_divide_the_channels_are_unsupported() -> None:
    with pytest.raises(Unsupported, match="groups=3 does not divide 4 channels"):
        upsamplers.create("carafe", channels=4, groups=3)
    with pytest.raises(Unsupported, match="groups=4 does not divide 6 channels"):
        upsamplers.create("carafe", channels=4, guide_channels=6, groups=4, twin=True)


def test_without_the_twin_there_is_no_downsampling() -> None:
    with pytest.raises(Unsupported, match="twin=True"):
        upsamplers.create("carafe", channels=4).downsample(ones(4))

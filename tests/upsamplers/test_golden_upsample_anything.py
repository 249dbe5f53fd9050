"""Upsample Anything against the published code's numbers: kernels, taps, derivatives, and ten steps of its fit."""

from __future__ import annotations

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import Golden, load
from torch.testing import assert_close

import upsamplers
from upsamplers.ops.upsample_anything import UpsampleAnything


def fitted(golden: Golden) -> UpsampleAnything:
    """The operator with the stored maps."""
    op = upsamplers.from_official("upsample_anything", golden.state, scale=4, radius=golden.hyper["R_max"])
    assert isinstance(op, UpsampleAnything)
    return op


@pytest.mark.parametrize("largest", [1 << 28, 1 << 13])
def test_kernels_taps_and_derivatives_are_the_published_code_s_whole_and_in_blocks(
    largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upsamplers.image_guided.LARGEST", largest)
    golden = load("upsample_anything/R2_s4")
    op, inputs = fitted(golden), leaves(golden)
    z, image = inputs["z"], inputs["image"]
    taps = op.taps((4, 6))
    assert (len(op.blocks(z, taps)) > 1) == (largest == 1 << 13)
    assert [list(line) for line in taps.rows] == golden.middle["rows"].tolist()
    assert [list(line) for line in taps.cols] == golden.middle["cols"].tolist()
    assert_agrees(golden, op, inputs, {"out": op(z, image), "w": op.weights(z, image)})


def test_ten_steps_of_the_fit_are_the_published_code_s() -> None:
    golden = load("upsample_anything/fit10_s4")
    op = upsamplers.create("upsample_anything", channels=None, scale=4)
    assert isinstance(op, UpsampleAnything)
    image, z = golden.inputs["image"], golden.inputs["z"]
    losses = op.fit(image, (4, 6), steps=10)
    assert_close(torch.tensor(losses, dtype=torch.float64), golden.middle["losses"], rtol=1e-10, atol=1e-10)
    assert golden.state_after.keys() == op.state_dict().keys()
    for name, value in golden.state_after.items():
        assert_close(op.state_dict()[name], value, rtol=1e-10, atol=1e-10)
    assert_close(op(z, image), golden.outputs["out"], rtol=1e-10, atol=1e-10)


def test_the_whole_fit_makes_more_of_an_image_s_reduction_than_the_initial_numbers() -> None:
    op = upsamplers.create("upsample_anything", channels=None, scale=4, radius=2)
    assert isinstance(op, UpsampleAnything)
    image = load("upsample_anything/fit10_s4").inputs["image"].float()
    losses = op.fit(image, (4, 6))
    assert len(losses) == 51 and losses[-1] < 0.9 * losses[0]
    assert op.sx_raw.shape == (1, 1, 4, 6) and op.sx_raw.dtype == torch.float32
    op.restart()
    assert op.sx_raw.shape == (1, 1, 1, 1)
    small = torch.nn.functional.interpolate(image, (4, 6), mode="bicubic")
    assert_close(float((op(small, image) - image).detach().abs().mean()), losses[0])


def test_the_centre_is_the_nearest_cell_or_the_one_before() -> None:
    nearest, floor = (
        upsamplers.create("upsample_anything", channels=None, radius=1, centre=centre).taps((3, 3), (12, 12)).rows
        for centre in ("nearest", "floor")
    )
    assert [line[3] for line in nearest] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert [line[3] for line in floor] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_maps_are_of_one_size_of_z_and_a_fit_is_of_one_image() -> None:
    op = fitted(load("upsample_anything/R2_s4"))
    with pytest.raises(ValueError, match=r"upsample_anything: fitted to z of \(4, 6\); got \(1, 2, 5, 6\)"):
        op(torch.randn(1, 2, 5, 6).double(), torch.rand(1, 3, 20, 24).double())
    with pytest.raises(ValueError, match=r"upsample_anything: fit takes one image \[1, 3, H, W\]; got \(2, 3, 8, 8\)"):
        op.fit(torch.rand(2, 3, 8, 8), (2, 2))
    with pytest.raises(
        upsamplers.OptionError, match="upsample_anything: radius=0 is out of range; allowed: an integer >= 1"
    ):
        upsamplers.create("upsample_anything", channels=None, radius=0)

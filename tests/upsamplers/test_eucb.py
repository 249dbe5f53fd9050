"""EUCB: its costs, its width, and its static kernel."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

import upsamplers
from upsamplers import testing
from upsamplers.registry import operator_class


def test_params_and_macs_are_the_formulas() -> None:
    op = upsamplers.create("eucb", channels=256)
    assert sum(parameter.numel() for parameter in op.parameters()) == 68_608
    assert op.macs(3, 5) == 15 * 271_360
    narrow = upsamplers.create("eucb", channels=256, out_channels=64)
    assert sum(parameter.numel() for parameter in narrow.parameters()) == 11 * 256 + 256 * 64 + 64


def test_another_width_holds_the_contract() -> None:
    testing.check_operator(operator_class("eucb"), {"out_channels": 3})


def test_at_scale_two_taps_of_one_pixel_add_up() -> None:
    op = upsamplers.create("eucb", channels=1)
    k = torch.arange(9.0).view(3, 3)
    with torch.no_grad():
        op.get_parameter("depthwise.weight").copy_(k)
    w = op.weights(torch.zeros(1, 1, 4, 4)).view(3, 3, 2, 2)
    first = torch.stack([k[0], k[1] + k[2], torch.zeros(3)])
    assert_close(w[..., 0, 0], torch.stack([first[:, 0], first[:, 1] + first[:, 2], torch.zeros(3)], 1))
    last = torch.stack([torch.zeros(3), k[0] + k[1], k[2]])
    assert_close(w[..., 1, 1], torch.stack([torch.zeros(3), last[:, 0] + last[:, 1], last[:, 2]], 1))
    assert int((w != 0).sum()) == 15  # of sixteen; one of them is k₀₀ = 0


def test_there_are_no_official_weights_and_no_width_below_one() -> None:
    with pytest.raises(upsamplers.Unsupported, match="eucb has no official weights"):
        upsamplers.from_official("eucb", {"weight": torch.zeros(1)})
    with pytest.raises(upsamplers.OptionError, match="eucb: out_channels=0 is out of range; allowed: an integer >= 1"):
        upsamplers.create("eucb", channels=8, out_channels=0)

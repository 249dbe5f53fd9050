"""SAPA-D against the published code's numbers, its formula by grid_sample, and its published costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import Golden, cases, load
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers import testing
from upsamplers.ops.sapa_d import SapaD
from upsamplers.registry import operator_class

OPTIONS = {"scale": "up_factor", "groups": "groups", "high_offset": "high_offset"}


def official(golden: Golden) -> SapaD:
    options = {ours: golden.hyper[theirs] for ours, theirs in OPTIONS.items()}
    op = upsamplers.from_official("sapa_d", golden.state, **options)
    assert isinstance(op, SapaD)
    return op


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", cases("sapa_d"))
def test_outputs_offsets_similarities_kernels_and_gradients_are_the_published_code_s(case: str, training: bool) -> None:
    golden = load(case)
    op = official(golden).train(training)
    assert (op.samples, op.embedding) == (golden.hyper["num_point"], golden.hyper["embedding_dim"])
    inputs = leaves(golden)
    z, guide = inputs["x"], inputs["y"]
    similarities = op.similarities(z, guide)
    outputs = {
        "offset": op.offsets(z).flatten(1, 3),
        "sim": similarities,
        "attn": similarities.softmax(2),
        "out": op(z, guide),
    }
    assert_close(op.weights(z, guide).unflatten(2, (-1, 4)).sum(3), outputs["attn"], rtol=1e-10, atol=1e-10)
    assert_agrees(golden, op, inputs, outputs)


def test_params_and_macs_are_the_published_formulas() -> None:
    for high_offset, params in ((True, 139_808), (False, 84_296)):
        op = upsamplers.create("sapa_d", channels=256, high_offset=high_offset)
        assert sum(parameter.numel() for parameter in op.parameters()) == params
    op = upsamplers.create("sapa_d", channels=256)
    assert op.macs(3, 5) == 15 * 297_472
    assert op.sampled_values(3, 5) == 15 * 4 * 9 * (128 + 256)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("high_offset", [True, False])
def test_keys_and_values_are_what_grid_sample_reads_with_zeros_outside(scale: int, high_offset: bool) -> None:
    op = testing.build(operator_class("sapa_d"), {"groups": 2, "points": 3, "high_offset": high_offset}, scale)
    assert isinstance(op, SapaD)
    with torch.no_grad():
        op.offset.weight.mul_(3)  # far enough to leave the map
    z, guide = testing.inputs(op)
    assert guide is not None
    height, width = z.shape[-2:]
    points = op.points(z, guide)
    grid = torch.stack([2 * (points[:, :, :, 0] + 0.5) / width - 1, 2 * (points[:, :, :, 1] + 0.5) / height - 1], -1)

    def read(x: Tensor) -> Tensor:  # [B, g, c, P, sH, sW]
        parts = x.unflatten(1, (2, -1)).flatten(0, 1)
        found = [functional.grid_sample(parts, grid[:, :, p].flatten(0, 1), align_corners=False) for p in range(3)]
        return torch.stack(found, 2).unflatten(0, (2, 2))

    query = op.query(guide).unflatten(1, (2, -1)).unsqueeze(3)
    logits = (query * read(op.key(z))).sum(2)
    assert_close(op.similarities(z, guide), logits, rtol=1e-10, atol=1e-10)
    expected = (logits.softmax(2).unsqueeze(2) * read(z)).sum(3).flatten(1, 2)
    assert_close(op(z, guide), expected, rtol=1e-10, atol=1e-10)


def test_it_starts_as_nearest() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("sapa_d", channels=32).double()
    for name in ("offset.weight", "offset.bias"):
        torch.nn.init.zeros_(op.get_parameter(name))
    z, guide = testing.inputs(op)
    assert_close(op(z, guide), functional.interpolate(z, scale_factor=2, mode="nearest"))


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 1)])
def test_on_a_map_of_one_row_or_column_a_point_outside_reads_zero_and_keeps_its_share(size: tuple[int, int]) -> None:
    op = testing.build(operator_class("sapa_d"), {}, 2)
    assert isinstance(op, SapaD)
    z, guide = testing.inputs(op, height=size[0], width=size[1])
    torch.nn.init.constant_(op.offset.bias, 50.0)  # type: ignore[arg-type]
    torch.nn.init.zeros_(op.offset.weight)
    assert_close(op(z, guide), torch.zeros(2, 8, 2 * size[0], 2 * size[1], dtype=torch.float64))
    w = op.weights(z, guide).unflatten(2, (9, 4)).sum(3)
    assert_close(w, torch.full_like(w, 1 / 9))


def test_what_cannot_be_is_answered_in_one_line() -> None:
    with pytest.raises(upsamplers.Unsupported, match="sapa_d: groups=3 does not divide 8 channels"):
        upsamplers.create("sapa_d", channels=8, groups=3)
    for option in ("points", "groups", "embedding"):
        with pytest.raises(upsamplers.OptionError, match=f"sapa_d: {option}=0 is out of range"):
            upsamplers.create("sapa_d", channels=8, **{option: 0})
    golden = load("sapa_d/p9_g4_s2_tiny")
    wrong: list[dict[str, Any]] = [{"groups": 3}, {"groups": 0}, {"groups": 4, "scale": 5}]
    for options in wrong:
        with pytest.raises(ValueError, match="no sizes for groups="):
            upsamplers.from_official("sapa_d", golden.state, **options)
    with pytest.raises(ValueError, match="points=4 was given, but the state dict has points=9"):
        upsamplers.from_official("sapa_d", golden.state, points=4)


def test_norms_are_told_by_their_keys() -> None:
    op = upsamplers.create("sapa_d", channels=8, guide_channels=16, norm=True).eval()
    released = {"query": "q", "key": "k", "norm_guide": "norm_y", "norm_z": "norm_x", "offset": "offset"}
    state = {}
    for key, value in op.state_dict().items():
        head, _, tail = key.partition(".")
        state[f"{released[head]}.{tail}"] = value
    same = upsamplers.from_official("sapa_d", state)
    z, guide = torch.randn(1, 8, 4, 5), torch.randn(1, 16, 8, 10)
    assert torch.equal(same(z, guide), op(z, guide))

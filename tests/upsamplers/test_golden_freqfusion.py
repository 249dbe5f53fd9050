"""FreqFusion against the published code's numbers, its costs, and what its two outputs share."""

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
from a2u_bench.measure import work
from upsamplers import testing
from upsamplers.cosines import cosines
from upsamplers.ops.freqfusion import FreqFusion
from upsamplers.registry import operator_class


def built(**options: Any) -> tuple[FreqFusion, Tensor, Tensor]:
    op = testing.build(operator_class("freqfusion"), options, 2)
    assert isinstance(op, FreqFusion)
    z, guide = testing.inputs(op)
    assert guide is not None
    return op, z, guide


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", cases("freqfusion"))
def test_both_outputs_kernels_and_gradients_are_the_published_code_s(case: str, training: bool) -> None:
    golden = load(case)
    op = upsamplers.from_official("freqfusion", golden.state).train(training)
    assert isinstance(op, FreqFusion)
    assert op.resample_groups == golden.hyper.get("feature_resample_group", 0)
    inputs = leaves(golden)
    z, guide = inputs["lr"], inputs["hr"]
    up, skip = op.fuse(z, guide)
    assert_agrees(golden, op, inputs, {"mask_lr": op.weights(z, guide).squeeze(1), "lr": up, "hr": skip})
    assert_close(op(z, guide), up, rtol=0, atol=0)
    assert_close(op.skip(z, guide), skip, rtol=0, atol=0)


@pytest.mark.parametrize(("options", "params", "macs"), [
    ({"resample": False}, 52_514, 220_360),
    ({}, 104_690, 310_280),
    ({"resample_groups": 8}, 156_610, None),
    ({"similarity": "only"}, 78_770, None),
    ({"similarity": "only", "resample_groups": 8}, 104_770, None),
    ({"resample_norm": False}, 104_690 - 256, 310_280),
])  # fmt: skip
def test_params_and_macs_are_the_formulas(options: dict[str, Any], params: int, macs: int | None) -> None:
    op = upsamplers.create("freqfusion", channels=256, **options)
    assert isinstance(op, FreqFusion)
    assert sum(parameter.numel() for parameter in op.parameters()) == params
    assert macs is None or op.fuse_macs(4, 6) == 24 * macs
    assert op.fuse_macs(4, 6) - op.macs(4, 6) == 24 * (9 * 64 * 9 + 4 * 9 * (25 + 256))


class Fused(torch.nn.Module):
    def __init__(self, op: FreqFusion) -> None:
        super().__init__()
        self.op = op

    def forward(self, z: Tensor, guide: Tensor) -> Tensor:
        return torch.cat(self.op.fuse(z, guide), 1)


@pytest.mark.parametrize("variant", upsamplers.facts("freqfusion").variants, ids=lambda variant: variant.label)
def test_what_a_counter_meets_in_fuse_is_its_formula(variant: upsamplers.Variant) -> None:
    op, z, guide = built(**variant.options)
    assert work.macs_torch(Fused(op), (z, guide)).macs == 2 * op.fuse_macs(5, 3)


def test_fuse_makes_the_convolutions_that_its_outputs_share_once() -> None:
    op, z, guide = built()
    seen: list[str] = []
    for name, layer in op.named_children():
        layer.register_forward_hook(lambda *_, name=name: seen.append(name))
    op.fuse(z, guide)
    convolutions = {name for name, layer in op.named_children() if isinstance(layer, torch.nn.Conv2d)}
    assert {name: seen.count(name) for name in convolutions} == {
        name: 2 if name in ("low", "high") else 1 for name in convolutions
    }


@pytest.mark.parametrize("groups", [1, 4])
def test_zero_offsets_are_the_identity(groups: int) -> None:
    op, z, guide = built(resample_groups=groups)
    for name, parameter in op.named_parameters():
        if "offset" in name:
            torch.nn.init.zeros_(parameter)
    plain = upsamplers.create("freqfusion", channels=op.channels, resample=False).double().eval()
    plain.load_state_dict({key: value for key, value in op.state_dict().items() if key in plain.state_dict()})
    assert_close(op(z, guide), plain(z, guide), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reach", [1, 40])
def test_the_resampling_is_grid_sample_s_with_border_padding(reach: int) -> None:
    op, z, guide = built(resample_groups=2)
    with torch.no_grad():
        op.get_parameter("offset.weight").mul_(reach)
    _, sharp, compressed, _ = op._generated(z, guide)
    offset = op.offsets(sharp, compressed).unflatten(1, (2, 2))
    up = torch.randn(2, op.channels, 10, 6, dtype=torch.float64, requires_grad=True)
    x = offset[:, 0] + torch.arange(3).repeat_interleave(2) + 0.5
    y = offset[:, 1] + torch.arange(5).repeat_interleave(2)[:, None] + 0.5
    grid = torch.stack([2 * x / 3 - 1, 2 * y / 5 - 1], -1).flatten(0, 1)  # normalised with the low-resolution size
    parts = up.unflatten(1, (2, -1)).flatten(0, 1)
    expected = functional.grid_sample(parts, grid, padding_mode="border", align_corners=False).view(up.shape)
    found = op._resampled(up, sharp, compressed)
    assert_close(found, expected, rtol=1e-10, atol=1e-10)
    wanted = [up, op.get_parameter("offset.weight")]
    over = torch.randn_like(found)
    ours, theirs = (torch.autograd.grad(one, wanted, over, retain_graph=True) for one in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 6)])
@pytest.mark.parametrize("distance", [1, 2, 3])
@pytest.mark.parametrize("plain", [False, True], ids=["primitive", "written_out"])
def test_cosines_are_torch_s_of_the_shifted_map(
    size: tuple[int, int], distance: int, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upsamplers.cosines.is_written_out", lambda backend: plain)
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    x[0, :, 0, 0] = 0
    padded = functional.pad(x, (distance,) * 4)
    found = cosines(x, distance)
    for n, tap in enumerate([0, 1, 2, 3, 5, 6, 7, 8]):
        row, column = tap // 3 * distance, tap % 3 * distance
        shifted = padded[..., row : row + size[0], column : column + size[1]]
        assert_close(found[:, n], functional.cosine_similarity(x, shifted, dim=1))


def test_the_released_start_moves_points_and_its_kernels_are_almost_their_window() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("freqfusion", channels=64)
    assert isinstance(op, FreqFusion)
    z, guide = torch.randn(1, 64, 16, 16), torch.randn(1, 64, 32, 32)
    with torch.no_grad():
        w, sharp, compressed, _ = op._generated(z, guide)
        assert 0.2 < float(op.offsets(sharp, compressed).std()) < 2
    window = op.low_window.flatten() / op.low_window.sum()
    assert float((w - window.view(-1, 1, 1)).abs().max()) < 0.03


def test_what_cannot_be_is_answered_in_one_line() -> None:
    def create(**options: Any) -> None:
        upsamplers.create("freqfusion", **{"channels": 8, **options})

    with pytest.raises(upsamplers.Unsupported, match="scale 3 is not possible; allowed: 2"):
        create(scale=3)
    with pytest.raises(upsamplers.Unsupported, match="resample_groups=3 does not divide 8 channels"):
        create(resample_groups=3)
    with pytest.raises(upsamplers.Unsupported, match="compressed_channels=28 makes no"):
        create(compressed_channels=28)
    create(compressed_channels=28, resample_norm=False)
    with pytest.raises(upsamplers.OptionError, match="kernel_size=4 is out of range; allowed: an odd integer"):
        create(kernel_size=4)
    op, z, guide = built()
    for call in (op, op.fuse, op.skip):
        for wrong in (guide[..., :-1], guide[..., ::2, ::2], functional.pad(guide, (0, 2))):
            with pytest.raises(
                ValueError, match=r"freqfusion: guide must be \(2, 8, 10, 6\) for z \(2, 8, 5, 3\); got"
            ):
                call(z, wrong)
    state = dict(load("freqfusion/resample_tiny").state)
    with pytest.raises(ValueError, match="resample_groups=4 was given, but the state dict has resample_groups=2"):
        upsamplers.from_official("freqfusion", state, resample_groups=4)
    key = "content_encoder2.weight"
    with pytest.raises(ValueError, match=rf"'{key}' is .*: 8 is no odd side squared"):
        upsamplers.from_official("freqfusion", {**state, key: state[key][:8]})


@pytest.mark.parametrize(
    "options", [{"similarity": "only"}, {"hamming": False}, {"resample_norm": False}, {"resample": False}], ids=str
)
def test_which_released_file_weights_come_from_is_told_by_their_shapes(options: dict[str, Any]) -> None:
    op = upsamplers.create("freqfusion", channels=8, guide_channels=16, compressed_channels=16, **options).eval()
    released = {"compress_guide": "hr_channel_compressor", "compress_z": "lr_channel_compressor"}
    released |= {"low": "content_encoder", "high": "content_encoder2", "start": "dysampler.init_pos"}
    released |= {"low_window": "hamming_lowpass", "high_window": "hamming_highpass"}
    state = {}
    for key, value in op.state_dict().items():
        head, dot, tail = key.partition(".")
        state[f"{released.get(head, f'dysampler.{head}')}{dot}{tail}"] = value
    same = upsamplers.from_official("freqfusion", state)
    z, guide = torch.randn(1, 8, 4, 5), torch.randn(1, 16, 8, 10)
    assert torch.equal(same(z, guide), op(z, guide))

"""A2U's own mathematics: what its options mean, against sums written out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

import upsamplers
from a2u_bench.measure.work import macs_fvcore, params
from upsamplers import reference
from upsamplers.normal import norm_groups
from upsamplers.ops.a2u import A2U

SHARINGS = ["shared", "semi-shared", "unshared"]
SETTINGS: list[dict[str, Any]] = [dict(variant.options) for variant in A2U.facts.variants]
SETTINGS += [{"groups": 2, "kernel_size": 5}, {"encoder_kernel_size": 3, "rank": 2, "affinity": "cross"}]


def build(channels: int = 8, guide_channels: int | None = None, scale: int = 2, **options: Any) -> A2U:
    torch.manual_seed(0)
    op = upsamplers.create("a2u", channels=channels, guide_channels=guide_channels, scale=scale, **options).double()
    assert isinstance(op, A2U)
    with torch.no_grad():
        for parameter in op.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return op


def maps(op: A2U, height: int = 5, width: int = 3, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    size = (batch, op.guide_channels, op.scale * height, op.scale * width)
    z = torch.randn(batch, op.channels, height, width, dtype=torch.float64, generator=generator)
    return z, torch.randn(size, dtype=torch.float64, generator=generator)


def per_channel(kernels: Tensor, sample: int, channel: int, channels: int) -> Tensor:
    """U_k or V_k, [e², d], of one sample's channel."""
    own = kernels[sample if len(kernels) > 1 else 0]
    return own[channel // (channels // own.shape[0])].flatten(1).T


def windows(x: Tensor, side: int, stride: int) -> Tensor:
    """Every window of one channel [H, W], vectorised: [points, e²]."""
    return functional.unfold(x[None, None], side, padding=(side - 1) // 2, stride=stride)[0].T


@pytest.mark.parametrize("options", SETTINGS, ids=str)
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_core_is_the_explicit_second_order_sum_with_a_k_as_u_k_v_k_transposed(
    options: dict[str, Any], scale: int
) -> None:
    op = build(scale=scale, **options)
    z, guide = maps(op)
    y, y_stride = (z, 1) if op.affinity == "cross" else (guide, scale)
    u, v = op.u.kernels(guide, scale), op.v.kernels(y, y_stride)
    core = op.bilinear(z, guide)
    assert core.shape == (2, op.rank, 5, 3)
    for sample in range(2):
        expected = torch.zeros(15, dtype=torch.float64)
        for k in range(8):
            x_k = windows(guide[sample, k], u.shape[-1], scale)
            y_k = windows(y[sample, k], v.shape[-1], y_stride)
            a_k = per_channel(u, sample, k, 8) @ per_channel(v, sample, k, 8).T
            expected += ((x_k @ a_k) * y_k).sum(1)
        assert_close(core[sample].sum(0).flatten(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_kernels_are_those_of_samples_channels_and_ranks_taken_one_by_one(options: dict[str, Any]) -> None:
    op = build(12, **options) if "groups" not in options else build(12, **{**options, "groups": 3})
    z, guide = maps(op)
    y, y_stride = (z, 1) if op.affinity == "cross" else (guide, 2)
    u, v = op.u.kernels(guide, 2), op.v.kernels(y, y_stride)
    k, groups, rank = op.kernel_size, op.groups, op.rank
    expected = []
    for b in range(2):
        p = op.up_head(guide[b].mean((1, 2)).view(1, 12, 1, 1)).view(rank, k * k, groups, 2, 2)
        logits = torch.zeros(groups, k * k, 5, 2, 3, 2, dtype=torch.float64)
        for r in range(rank):
            sides = []
            for kernels, x, stride, norm in ((u, guide, 2, op.u.norm), (v, y, y_stride, op.v.norm)):
                side = kernels.shape[-1]
                taps = [per_channel(kernels, b, c, 12)[:, r] for c in range(12)]
                maps_ = torch.stack([windows(x[b, c], side, stride) @ taps[c] for c in range(12)]).view(1, 12, 5, 3)
                normal = functional.group_norm(maps_, 12, norm.weight, norm.bias)
                sides.append(torch.where(normal > 0, normal, 0.01 * normal)[0])
            affinity = (sides[0] * sides[1]).sum(0) / math.sqrt(12)
            logits += torch.einsum("kgyx,hw->gkhywx", p[r], affinity)
        gates = torch.sigmoid(logits.reshape(groups, k * k, 10, 6))
        expected.append(gates if k == 1 else gates.exp() / gates.exp().sum(1, keepdim=True))
    assert_close(op.weights(z, guide), torch.stack(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_a_batch_is_its_samples(options: dict[str, Any]) -> None:
    op = build(twin=True, **options)
    z, guide = maps(op, batch=3)
    for whole, one in (
        (op.weights(z, guide), lambda i: op.weights(z[i : i + 1], guide[i : i + 1])),
        (op.weights(z), lambda i: op.weights(z[i : i + 1])),
        (op.down_weights(guide), lambda i: op.down_weights(guide[i : i + 1])),
    ):
        assert_close(whole, torch.cat([one(i) for i in range(3)]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dynamics", ["dynamic", "hybrid", "static"])
@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize(("share_groups", "sharing"), [(1, "shared"), (8, "unshared")])
def test_semi_shared_with_one_group_is_shared_and_with_c_groups_unshared(
    share_groups: int, sharing: str, rank: int, dynamics: str
) -> None:
    op = build(rank=rank, sharing=sharing, dynamics=dynamics, twin=True)
    semi = build(rank=rank, sharing="semi-shared", share_groups=share_groups, dynamics=dynamics, twin=True)
    semi.load_state_dict(op.state_dict())
    z, guide = maps(op)
    assert_close(semi(z, guide), op(z, guide), rtol=0, atol=0)
    assert_close(semi.downsample(guide), op.downsample(guide), rtol=0, atol=0)


def test_unshared_with_equal_kernels_is_shared() -> None:
    shared, unshared = build(rank=2), build(rank=2, sharing="unshared")
    state = shared.state_dict()
    for side in "uv":
        for name in ("weight", "bias"):
            key = f"{side}.generator.{name}"
            state[key] = state[key].unflatten(0, (2, 1)).repeat_interleave(8, 1).flatten(0, 1)
    unshared.load_state_dict(state)
    z, guide = maps(shared)
    assert_close(unshared.weights(z, guide), shared.weights(z, guide), rtol=1e-12, atol=1e-12)


def test_ranks_whose_projection_is_nil_change_nothing() -> None:
    one, four = build(), build(rank=4)
    with torch.no_grad():
        for name, parameter in four.named_parameters():
            source = one.get_parameter(name)
            if "norm" in name:
                parameter.copy_(source)
            else:
                parameter[: len(source)] = source
        four.up_head.weight[36:] = 0
        assert four.up_head.bias is not None
        four.up_head.bias[36:] = 0
    z, guide = maps(one)
    assert_close(four.weights(z, guide), one.weights(z, guide), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dynamics", "made"), [("hybrid", "v"), ("dynamic", "uv")])
def test_static_is_hybrid_and_dynamic_where_generators_ignore_their_map(dynamics: str, made: str) -> None:
    op, static = build(rank=2, dynamics=dynamics), build(rank=2, dynamics="static")
    state = op.state_dict()
    with torch.no_grad():
        for side in made:
            weight = state.pop(f"{side}.generator.weight")
            constant = state.pop(f"{side}.generator.bias").view(2, 1, 1, 1)
            op.get_parameter(f"{side}.generator.weight").zero_()
            state[f"{side}.kernel"] = constant.expand(2, 1, 6, 6)
            assert weight.shape == (2, 8, 1, 1)
    static.load_state_dict(state)
    z, guide = maps(op)
    assert_close(static.weights(z, guide), op.weights(z, guide), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dynamics", ["dynamic", "hybrid", "static"])
def test_without_a_guide_z_takes_its_place_at_stride_one_with_an_odd_encoder_kernel(dynamics: str) -> None:
    op = build(dynamics=dynamics, rank=2)
    z, _ = maps(op)
    assert op.u.kernels(z, 1).shape[-2:] == op.v.kernels(z, 1).shape[-2:] == (5, 5)
    assert op.bilinear(z).shape == (2, 2, 5, 3) and op(z).shape == (2, 8, 10, 6)
    for factor in (op.u, op.v):
        if factor.kernel is not None:
            kept = factor.kernel[:, :, :5, :5].transpose(0, 1)[None]
            assert_close(factor.kernels(z, 1), kept, rtol=0, atol=0, msg="the taps that keep their offsets")
    k = 3
    x_k, expected = windows(z[0, k], 5, 1), op.u.project(z, 1)[0].unflatten(0, (2, 8))[:, k].flatten(1)
    assert_close((x_k @ per_channel(op.u.kernels(z, 1), 0, k, 8)).T, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_kernels_sum_to_one_and_a_sigmoid_alone_stays_below_one(options: dict[str, Any], scale: int) -> None:
    op = build(scale=scale, twin=True, **options)
    for height, width in ((5, 3), (1, 1)):
        z, guide = maps(op, height, width)
        w, down = op.weights(z, 3 * guide), op.down_weights(3 * guide)
        assert w.shape == (2, op.groups, op.kernel_size**2, scale * height, scale * width)
        assert down.shape == (2, op.groups, (scale * op.kernel_size) ** 2, height, width)
        assert_close(down.sum(2), torch.ones_like(down[:, :, 0]))
        if op.kernel_size == 1:
            assert bool((w > 0).all() and (w < 1).all()), "a sigmoid lies in (0, 1)"
        else:
            assert_close(w.sum(2), torch.ones_like(w[:, :, 0]))
        if op.kernel_size == 3:
            low, high = 1 / (1 + 8 * math.e), math.e / (math.e + 8)
            assert (round(low, 3), round(high, 3)) == (0.044, 0.254)
            assert low - 1e-12 <= w.min().item() and w.max().item() <= high + 1e-12


def test_at_rank_one_the_logits_of_a_sample_are_multiples_of_one_vector() -> None:
    gates = build(kernel_size=3, groups=1)
    z, guide = maps(gates)
    a = gates.bilinear(z, guide)
    logits = gates._logits(gates.up_head, guide.mean((2, 3)), a)
    for sample in logits.flatten(2):
        assert int(torch.linalg.matrix_rank(sample, rtol=1e-9)) == 1


def test_the_twin_shares_u_and_v_and_has_its_own_p_and_exists_only_when_asked_for() -> None:
    op = build(twin=True)
    _, guide = maps(op)
    op.down_weights(guide).square().sum().backward()
    touched = {name for name, parameter in op.named_parameters() if parameter.grad is not None}
    assert {"u.generator.weight", "v.generator.weight", "down_head.weight"} <= touched
    assert not {"up_head.weight", "up_head.bias"} & touched
    assert {name for name in op.state_dict() if name.startswith("down")} == {"down_head.weight", "down_head.bias"}
    alone = build()
    assert not any(name.startswith("down") for name in alone.state_dict())
    with pytest.raises(upsamplers.Unsupported, match="no downsampling twin; create it with twin=True"):
        alone.downsample(guide)


def test_a_twins_taps_are_as_published_two_before_to_three_after_the_point() -> None:
    op = build(twin=True)
    _, guide = maps(op)
    w = op.down_weights(guide)
    rows = functional.unfold(guide, 6, padding=2, stride=2).view(2, 8, 36, 5, 3)
    assert_close(op.downsample(guide), (w * rows).sum(2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("c", [8, 64, 256])
def test_parameters_are_those_of_the_paper(c: int) -> None:
    def count(**options: Any) -> int:
        return params(upsamplers.create("a2u", channels=c, **options))

    assert count() == 42 * c + 38
    assert count(twin=True) == 78 * c + 74
    assert count(twin=True, sharing="unshared") == 2 * c**2 + 78 * c + 72
    for rank, k, groups in ((2, 3, 1), (4, 5, 2), (3, 1, 1)):
        expected = (4 * k**2 * groups * rank + 2 * rank) * (c + 1) + 4 * c
        assert count(rank=rank, kernel_size=k, groups=groups) == expected
    assert count(rank=2, sharing="semi-shared") == (36 * 2 + 2 * 2 * 4) * (c + 1) + 4 * c
    assert count(dynamics="static") == 36 * (c + 1) + 2 * 36 + 4 * c
    assert count(dynamics="hybrid", affinity="cross") == 36 * (c + 1) + 36 + (c + 1) + 4 * c


def test_macs_are_109_c_plus_36_per_point_and_108_c_per_sample() -> None:
    for c, height, width in ((8, 5, 3), (64, 7, 1), (256, 64, 64)):
        op = upsamplers.create("a2u", channels=c)
        assert op.macs(height, width) == (109 * c + 36) * height * width + 108 * c


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("options", [*SETTINGS, {"rank": 9}], ids=str)  # more ranks than kernels are made for
def test_macs_are_what_both_counters_see(options: dict[str, Any], scale: int, guided: bool) -> None:
    op = build(scale=scale, twin=True, **options)
    z, guide = maps(op)
    expected = 2 * op.macs(5, 3, guided)
    inputs = (z, guide) if guided else (z,)
    with FlopCounterMode(display=False) as counter:
        op(*inputs)
    assert counter.get_total_flops() == 2 * expected
    assert macs_fvcore(op, inputs).macs == expected
    if guided and op.affinity == "self":
        with FlopCounterMode(display=False) as counter:
            op.downsample(guide)
        assert counter.get_total_flops() == 2 * expected, "the twin costs the same"


def test_macs_with_a_guide_of_another_width_count_both_widths() -> None:
    op = build(16, 32)
    z, guide = maps(op, batch=1)
    with FlopCounterMode(display=False) as counter:
        op(z, guide)
    assert counter.get_total_flops() == 2 * op.macs(5, 3) == 2 * ((73 * 32 + 36 + 36 * 16) * 15 + 108 * 32)


@pytest.mark.parametrize("border", ["zero", "replicate", "reflect"])
def test_the_border_is_that_of_both_directions(border: str) -> None:
    op = build(border=border, twin=True)
    z, guide = maps(op)
    ones = torch.ones_like(z)
    interior = op(ones, guide)[:, :, 2:-2, 2:-2]
    assert_close(interior, torch.ones_like(interior))
    corner = op(ones, guide)[0, 0, 0, 0]
    assert corner.item() < 0.9 if border == "zero" else abs(corner.item() - 1) < 1e-12
    w = op.down_weights(guide)
    expected = reference.downassemble(w, guide, 2, 6, border)
    assert_close(op.downsample(guide), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((8, 8), {"kernel_size": 2}, "a2u: kernel_size=2 is out of range; allowed: an odd integer >= 1"),
        ((8, 8), {"rank": 0}, "a2u: rank=0 is out of range; allowed: 1 to 36"),
        ((8, 8), {"rank": 26, "affinity": "cross"}, "a2u: rank=26 is out of range; allowed: 1 to 25"),
        ((8, 8), {"encoder_kernel_size": 0}, "a2u: encoder_kernel_size=0 is out of range"),
        ((8, 8), {"share_groups": 0}, "a2u: share_groups=0 is out of range"),
        ((8, 8), {"groups": 0}, "a2u: groups=0 is out of range"),
        ((8, 8), {"sharing": "shard"}, "a2u: no sharing 'shard'; did you mean 'shared'"),
        ((8, 8), {"groups": 3}, "a2u: groups=3 must divide channels; got 8"),
        ((9, 8), {"groups": 3, "twin": True}, "a2u: groups=3 must divide guide_channels; got 8"),
        ((8, 6), {"sharing": "semi-shared"}, "a2u: share_groups=4 must divide guide_channels; got 6"),
        ((8, 6), {"affinity": "cross"}, "a2u: cross affinity needs guide and z equally wide; got 6 and 8"),
    ],
)
def test_what_cannot_be_built_says_what_was_given_and_what_is_allowed(
    sizes: tuple[int, int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(*sizes, **options)


def test_what_cannot_be_upsampled_or_downsampled_says_the_shapes() -> None:
    op = build(8, 12, twin=True)
    z, guide = maps(op)
    with pytest.raises(ValueError, match=r"without a guide z takes its place, which must have 12 channels"):
        op(z)
    with pytest.raises(ValueError, match=r"guide must be \(2, 12, 10, 6\)"):
        op.weights(z, guide[:, :8])
    with pytest.raises(ValueError, match=r"guide must be \[B, 12, 2·H, 2·W\] to be downsampled; got \(2, 12, 10, 5\)"):
        op.downsample(guide[..., :-1])


def test_norm_groups_are_32_where_it_fits_and_else_the_largest_divisor_below() -> None:
    assert [norm_groups(c) for c in (32, 64, 96, 256, 48, 40, 7, 1, 37, 34)] == [32, 32, 32, 32, 24, 20, 7, 1, 1, 17]

"""The changed A2U of the ablation is the published one where nothing is changed, and differs where it says."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from a2u_bench.operators.bench_only.ablated_a2u import A2U
from upsamplers.ops.a2u import A2U as Published


def inputs() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 32, 4, 6).double(), torch.randn(2, 32, 8, 12).double()


def changed(**options) -> A2U:
    torch.manual_seed(0)
    return A2U(32, twin=True, **options).double()


@pytest.mark.parametrize("options", [{}, {"kernel_size": 1, "rank": 4}, {"sharing": "unshared", "dynamics": "static"}])
def test_unchanged_it_is_the_published_operator(options):
    z, guide = inputs()
    torch.manual_seed(0)
    published = Published(32, twin=True, **options).double()
    ours = changed(**options)
    assert_close(ours(z, guide), published(z, guide), rtol=1e-12, atol=1e-14)  # whose form is made in one pass
    assert_close(ours.downsample(guide), published.downsample(guide), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "options",
    [
        *({"order": "first"}, {"order": "weighted"}, {"activation": "linear"}),
        *({"gate": "softmax"}, {"gate": "sigmoid"}, {"resolution": "fine"}),
    ],
)
def test_each_change_changes_the_way_up_and_trains(options):
    z, guide = inputs()
    ours = changed(**options)
    down, w = ours.halve(guide)
    assert w is not None
    assert not torch.allclose(w, changed().weights(z, guide))
    (ours.assemble(w, z, guide).square().sum() + down.square().sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in ours.parameters())


def test_the_twin_that_has_a_sigmoid_too_changes_the_way_down_alone():
    z, guide = inputs()
    assert_close(changed(down="both")(z, guide), changed()(z, guide), rtol=0, atol=0)
    assert not torch.allclose(changed(down="both").downsample(guide), changed().downsample(guide))


def test_gates_without_a_softmax_need_not_sum_to_one_and_a_softmax_alone_is_not_bounded_as_one_of_a_sigmoid():
    z, guide = inputs()
    gates = changed(gate="sigmoid").weights(z, 50 * guide)
    assert gates.min() > 0
    assert not torch.allclose(gates.sum(2), torch.ones(()).double())
    bounded = changed().weights(z, guide)
    assert bounded.min() > 1 / (1 + 8 * torch.e) - 1e-12
    assert bounded.max() < torch.e / (8 + torch.e) + 1e-12


def test_a_fine_affinity_of_one_rank_serves_each_pixel_of_a_point_on_its_own():
    z, guide = inputs()
    coarse, fine = changed(kernel_size=1), changed(kernel_size=1, resolution="fine")
    logits = [op.weights(z, guide).logit()[0, 0, 0] for op in (coarse, fine)]
    ranks = [torch.linalg.matrix_rank(x.unfold(0, 2, 2).unfold(1, 2, 2).reshape(-1, 4)) for x in logits]
    assert [int(rank) for rank in ranks] == [1, 4]


def test_the_form_with_equal_weights_of_its_channels_is_the_published_one():
    z, guide = inputs()
    published, weighted = changed(kernel_size=1, rank=2), changed(kernel_size=1, rank=2, order="weighted")
    weighted.load_state_dict(published.state_dict(), strict=False)
    torch.nn.init.constant_(weighted.mix.weight, 32**-0.5)
    assert_close(weighted(z, guide), published(z, guide))


def test_without_the_activation_the_form_is_odd_in_each_factor():
    _, guide = inputs()
    ours = changed(kernel_size=1, activation="linear", dynamics="static")
    before = ours._affinity(guide, 2)
    torch.nn.init.constant_(ours.v.norm.weight, -1.0)
    assert_close(ours._affinity(guide, 2), -before)
    leaky = changed(kernel_size=1, dynamics="static")
    before = leaky._affinity(guide, 2)
    torch.nn.init.constant_(leaky.v.norm.weight, -1.0)
    assert not torch.allclose(leaky._affinity(guide, 2), -before)


def test_a_gain_multiplies_the_logits():
    z, guide = inputs()
    logits = [changed(kernel_size=1, gain=gain).weights(z, guide).logit() for gain in (1, 8)]
    assert_close(logits[1], 8 * logits[0])


def test_a_learned_projection_is_the_same_for_every_image():
    z, guide = inputs()
    ours = changed(projection="learned", dynamics="static", kernel_size=1)
    logits = ours.weights(z, guide).logit()
    a = ours._affinity(guide, 2)
    by_position = logits[:, 0, 0].unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3) / a[:, 0, ..., None, None]
    assert_close(by_position, by_position[:1, :1, :1].expand_as(by_position))
    assert not torch.allclose(changed(kernel_size=1).weights(z, guide), ours.weights(z, guide))


def test_it_states_no_costs():
    with pytest.raises(NotImplementedError, match="trainings alone"):
        changed().macs(4, 4)

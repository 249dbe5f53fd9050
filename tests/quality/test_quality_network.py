"""The network is what the papers describe, with the operator where it should be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from a2u_bench import operators
from a2u_bench.quality import pairs
from a2u_bench.quality.network import Reconstruction

CONVOLUTIONS = sum(
    9 * a * b + b for a, b in ((1, 32), (32, 64), (64, 128), (128, 256), (256, 128), (128, 64), (64, 32), (32, 1))
)
NORMS = 2 * sum((32, 64, 128, 256, 128, 64, 32))
STRIDED = sum(9 * c * c + c for c in (32, 64, 128))


def make(name: str) -> Any:
    torch.manual_seed(0)
    return Reconstruction(pairs.read(name)[0])


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("twin/max_unpool", 0),
        ("conv/nearest", STRIDED),
        ("conv/deconv", STRIDED + sum(9 * c * c + c for c in (32, 64, 128))),
        ("s2d/pixel_shuffle", sum(3 * 9 * a * b for a, b in ((32, 64), (64, 128), (128, 256)))
            + sum(36 * c * c + 4 * c for c in (32, 64, 128))),
        ("twin/index_net", sum(32 * c * c + 12 * c for c in (32, 64, 128))),
        ("twin/a2u", sum(78 * c + 74 for c in (32, 64, 128))),
        ("conv/a2u", STRIDED + sum(42 * c + 38 for c in (32, 64, 128))),
        ("pool/carafe", sum(64 * c + 57_764 for c in (32, 64, 128))),
    ],
)  # fmt: skip
def test_parameters_are_those_of_the_layers(name, more):
    assert sum(parameter.numel() for parameter in make(name).parameters()) == CONVOLUTIONS + NORMS + more


@pytest.mark.parametrize(
    "name",
    [*pairs.RECONSTRUCTION.core, "pool/sapa", "conv/bicubic", "pool/fade", "twin/carafe", "twin/a2u:kernel_size=1"],
)
def test_every_pair_gives_an_image_of_the_same_size_and_trains(name):
    network = make(name)
    output = network(torch.rand(2, 1, 16, 24))
    assert output.shape == (2, 1, 16, 24)
    output.square().mean().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_the_kernels_of_each_level_come_from_the_feature_before_its_downsampling():
    network = make("twin/index_net")
    seen: list[tuple[str, torch.Tensor]] = []
    for level in network.levels:
        level.register_forward_hook(lambda _, inputs, output: seen.append(("guide", inputs[1])))
    for block in network.encode[:3]:
        block.register_forward_hook(lambda _, inputs, output: seen.append(("feature", output)))
    network(torch.rand(1, 1, 32, 32))
    features = [x for kind, x in seen if kind == "feature"]
    guides = [x for kind, x in seen if kind == "guide"]
    assert [tuple(x.shape[1:]) for x in features] == [(32, 32, 32), (64, 16, 16), (128, 8, 8)]
    assert all(guide is feature for guide, feature in zip(guides, reversed(features), strict=True))


def test_a_twin_looks_at_its_guide_once_in_a_step():
    network = make("twin/index_net")
    network(torch.rand(2, 1, 16, 16))
    assert [level.up.branches[0].norm.num_batches_tracked.item() for level in network.levels] == [1, 1, 1]


def test_weights_begin_as_the_papers_say_and_operators_as_they_are_published():
    network = make("pool/carafe")
    block = network.encode[3]
    assert block[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert block[1].weight.mean().item() == pytest.approx(1, abs=0.01)
    assert block[1].weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert not block[0].bias.any()
    assert network.levels[0].up.encoder.weight.std().item() == pytest.approx(0.001, rel=0.1)


def test_only_the_last_convolution_stands_alone():
    kinds = [type(part) for part in make("conv/nearest").decode]
    assert kinds == [nn.Sequential, nn.Sequential, nn.Conv2d]


def test_space_to_depth_keeps_every_value():
    level = make("s2d/pixel_shuffle").levels[0]
    x = torch.rand(1, 32, 8, 8)
    assert torch.equal(nn.functional.pixel_shuffle(level.down(x)[0], 2), x)


def test_an_operator_that_cannot_serve_the_channels_says_so():
    with pytest.raises(operators.Impossible, match="groups"):
        make("pool/carafe:groups=3")

"""The matting network: its published counts, and every operator in its loop."""

from __future__ import annotations

import pytest
import torch

from a2u_bench import operators
from a2u_bench.audit.published import find
from a2u_bench.errors import UsageError
from a2u_bench.measure import work
from a2u_bench.operators.networks.matting import INPUTS, WIDTHS, MattingNetwork


def outline(operator: str, down: str | None = None) -> MattingNetwork:
    """The network with shapes alone."""
    with torch.device("meta"):
        return MattingNetwork(operator, down)


def test_bilinear_has_the_published_parameters_to_the_digit() -> None:
    assert work.params(outline("bilinear")) == 8_049_003


def test_bilinear_has_the_published_multiply_adds() -> None:
    count = outline("bilinear").convolutions(224, 224)
    assert count / 1024**3 == pytest.approx(8.61, abs=0.005)


@pytest.mark.parametrize("down", ["conv", "pool"])
def test_its_formula_counts_what_torch_counts(down: str) -> None:
    network = outline("bilinear", down)
    counted = work.macs_torch(network, (torch.empty(1, INPUTS, 64, 96, device="meta"),), ours=False)
    assert network.convolutions(64, 96) == counted.macs


@pytest.mark.parametrize("operator", ["index_net", "carafe", "sapa"])
def test_an_operator_adds_its_own_parameters_and_multiply_adds_alone(operator: str) -> None:
    network = outline(operator)
    alone = [operators.outline(operator, channels) for channels in WIDTHS]
    assert work.params(network) - 8_049_003 == sum(map(work.params, alone))
    sides = [64 >> depth for depth in range(1, 5)]
    ups = sum(module.macs(side, side) for module, side in zip(alone, sides, strict=True))
    assert network.macs(64, 64) - network.convolutions(64, 64) == ups


def test_a2u_adds_the_published_38_thousand_without_group_normalisation() -> None:
    norms = sum(
        p.numel()
        for module in outline("a2u").modules()
        if isinstance(module, torch.nn.GroupNorm)
        for p in module.parameters()
    )
    added = work.params(outline("a2u")) - 8_049_003
    assert (added, norms) == (40_232, 2_048)


@pytest.mark.parametrize("operator", operators.names())
def test_every_operator_fits_every_level(operator: str) -> None:
    assert work.params(outline(operator)) >= 8_049_003


@pytest.mark.parametrize("operator", ["a2u", "bilinear"])  # by its twin, strided
def test_an_alpha_as_large_as_its_image_reaches_back_to_every_parameter(operator: str) -> None:
    torch.manual_seed(0)
    network = MattingNetwork(operator)
    alpha = network(torch.rand(2, INPUTS, 16, 16))
    assert alpha.shape == (2, 1, 16, 16)
    alpha.square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_max_pooling_of_max_unpool_is_its_twin() -> None:
    networks = []
    for down in ("twin", "pool"):
        torch.manual_seed(0)
        networks.append(MattingNetwork("max_unpool", down).eval())
    image = torch.rand(1, INPUTS, 16, 16)
    torch.testing.assert_close(networks[0](image), networks[1](image), rtol=0, atol=0)


def test_an_operator_that_needs_a_feature_from_before_a_halving_is_not_strided() -> None:
    with pytest.raises(operators.Impossible, match="fade reads the feature"):
        outline("fade", "conv")


def test_an_unknown_way_down_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="twin, pool, conv"):
        outline("a2u", "s2d")


def test_its_counts_round_to_what_was_printed() -> None:
    cells = [cell for cell in find("a2u-matting").cells if cell.whole and cell.operator == "bilinear"]
    network = outline("bilinear")
    counted = {
        "params": f"{work.params(network) / 1e6:.2f}M",
        "macs": f"{network.convolutions(224, 224) / 1024**3:.2f}",
    }
    assert counted == {cell.quantity: cell.printed.text for cell in cells}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_seed_begins_with_a_head_that_can_make_no_alpha(seed: int) -> None:
    torch.manual_seed(seed)
    head = MattingNetwork("nearest").head
    features = torch.randn(2, 32, 8, 8)
    alpha = head(features).detach()
    assert alpha.min() > -0.05  # the activation leaves a hundredth of what is negative
    assert alpha.max() > 0.5

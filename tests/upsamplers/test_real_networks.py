"""Real networks: every site is found, CARAFE goes into each that is eligible, and all its parameters learn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from real_networks import NETWORKS
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from upsamplers import choices, find_sites, swap
from upsamplers.networks.nested import tensors

pytestmark = pytest.mark.filterwarnings("ignore")  # of the networks' own code


class Dispatched(TorchDispatchMode):
    """The operations by which maps grow, counted where they are computed: whoever calls them, and by whatever name."""

    def __init__(self) -> None:
        super().__init__()
        self.met: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name == "convolution" and args[6]:
            self.met["conv_transpose2d"] += 1
        elif name.startswith(("upsample_", "_upsample_", "_adaptive_avg_pool2d_area")):
            self.met["interpolate"] += 1
        elif name in ("pixel_shuffle", "max_unpool2d"):
            self.met[name] += 1
        return func(*args, **(kwargs or {}))


def results(made: Any) -> list[Tensor]:
    return [tensor for _, tensor in tensors(made) if tensor.is_floating_point()]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_site_is_found(name: str) -> None:
    network, inputs = NETWORKS[name]()
    found = Counter(site.kind for site in find_sites(network, *inputs) if site.kind != "grid_sample")
    with torch.no_grad(), Dispatched() as dispatched:
        network.eval()(*inputs)
    assert dispatched.met == found
    assert found


@pytest.mark.parametrize("name", NETWORKS)
def test_carafe_goes_into_every_eligible_site_and_learns(name: str) -> None:
    network, inputs = NETWORKS[name]()
    sites = find_sites(network, *inputs)
    eligible = [site.name for site in sites if not site.reason]
    asked: Any = None if eligible else "all"  # where the head alone upsamples
    swapped = swap(network, "carafe", *inputs, sites=asked).eval()
    taken = [choice.site.name for choice in choices(swapped) if choice.operator]
    assert taken == (eligible or [site.name for site in sites if not site.impossible]) != []
    made = results(swapped(*inputs))
    before = results(network.eval()(*inputs))
    assert [one.shape[1:] for one in made] == [one.shape[1:] for one in before] or "CNN" in name
    torch.stack([one.double().square().sum() for one in made if one.requires_grad]).sum().backward()
    missing = [key for key, one in swapped.get_submodule("upsamplers").named_parameters() if one.grad is None]
    assert missing == []


def interpolating(network: nn.Module, inputs: tuple[Any, ...]) -> list[str]:
    """The sites of bilinear interpolation with areas aligned."""
    return [
        site.name
        for site in find_sites(network, *inputs)
        if site.mode == "bilinear" and not site.align_corners and not site.impossible
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_bilinear_for_bilinear_changes_no_bit(name: str) -> None:
    network, inputs = NETWORKS[name]()
    sites = interpolating(network, inputs)
    if not sites:
        pytest.skip(f"{name} has no bilinear site at align_corners=False")
    swapped = swap(network, "bilinear", *inputs, sites=sites).eval()
    with torch.no_grad():
        before, after = results(network.eval()(*inputs)), results(swapped(*inputs))
    assert len(before) == len(after) > 0
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))

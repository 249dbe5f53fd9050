"""Real networks: every site is found, CARAFE goes into each that is eligible, and all its parameters learn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from networks_page import PAGE, row
from real_networks import NETWORKS, seeded
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from upsamplers import Site, choices, find_sites, swap
from upsamplers.networks.nested import tensors

pytestmark = pytest.mark.filterwarnings("ignore")  # of the networks' own code


Made = tuple[str, nn.Module, tuple[Any, ...], list[Site]]


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


@pytest.fixture(scope="module", params=NETWORKS)
def made(request: pytest.FixtureRequest) -> Made:
    """The name of a network, the network, its inputs and its sites."""
    network, inputs = seeded(request.param)
    return request.param, network, inputs, find_sites(network, *inputs)


def test_every_site_is_found(made: Made) -> None:
    _, network, inputs, sites = made
    found = Counter(site.kind for site in sites if site.kind != "grid_sample")
    with torch.no_grad(), Dispatched() as dispatched:
        network(*inputs)
    assert dispatched.met == found
    assert found


def test_the_page_has_its_sites(made: Made) -> None:
    name, _, _, sites = made
    assert row(name, sites) in PAGE.read_text(encoding="utf-8"), "run python tests/networks_page.py"


def test_carafe_goes_into_every_eligible_site_and_learns(made: Made) -> None:
    name, network, inputs, sites = made
    eligible = [site.name for site in sites if not site.reason]
    asked: Any = None if eligible else "all"  # where the head alone upsamples
    swapped = swap(network, "carafe", *inputs, sites=asked)
    taken = [choice.site.name for choice in choices(swapped) if choice.operator]
    assert taken == (eligible or [site.name for site in sites if not site.impossible]) != []
    after = results(swapped(*inputs))
    with torch.no_grad():
        before = results(network(*inputs))
    assert [one.shape[1:] for one in after] == [one.shape[1:] for one in before] or "CNN" in name
    torch.stack([one.double().square().sum() for one in after if one.requires_grad]).sum().backward()
    missing = [key for key, one in swapped.get_submodule("upsamplers").named_parameters() if one.grad is None]
    assert missing == []


def test_the_same_operator_changes_no_bit(made: Made) -> None:
    name, network, inputs, sites = made
    alike = [site for site in sites if not (site.impossible or site.align_corners)]
    after = network
    for mode in ("bilinear", "nearest"):
        if there := [site.name for site in alike if site.mode == mode]:
            after = swap(after, mode, *inputs, sites=there)
    if after is network:
        pytest.skip(f"{name} has no bilinear or nearest site at align_corners=False")
    with torch.no_grad():
        one, other = results(network(*inputs)), results(after(*inputs))
    assert len(one) == len(other) > 0
    assert all(torch.equal(before, now) for before, now in zip(one, other, strict=True))

"""Networks that cannot be searched or swapped: one line that says why, and what helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_networks import FromCalls, Super, Unet, convolution
from torch import nn

from upsamplers import NetworkError, OptionError, UnknownOperator, choices, find_sites, swap

IMAGE = torch.randn(1, 3, 16, 16)


def raising(net: Any, x: Any) -> Any:
    raise RuntimeError("first line\nsecond line")


class Uncopied(Unet):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("cannot pickle a lock")


def compiled_in_place() -> nn.Module:
    network = Unet()
    network.compile()
    return network


def compiled_inside() -> nn.Module:
    inner: Any = torch.compile(Unet())
    return nn.Sequential(inner)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "raises": (
        lambda: FromCalls(raising),
        "FromCalls raises on these inputs (1×3×16×16): RuntimeError: first line sec",
    ),
    "function": (lambda: raising, "raising is no network: it must be a torch.nn.Module; got function"),
    "class": (lambda: Unet, "Unet is no network: it must be a torch.nn.Module; got type"),
    "scripted": (
        lambda: torch.jit.script(convolution(4, 3)),
        "is scripted, and what it calls cannot be seen; give the",
    ),
    "compiled": (lambda: torch.compile(Unet()), "OptimizedModule is compiled; give the network before torch.compile"),
    "compiled in place": (compiled_in_place, "Unet is compiled"),
    "compiled inside": (compiled_inside, "Sequential, at '0', is compiled"),
    "uncopied": (Uncopied, "Uncopied cannot be copied: TypeError: cannot pickle a lock"),
}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # of torch itself
@pytest.mark.parametrize("verb", [find_sites, lambda network, x: swap(network, "carafe", x)], ids=["find", "swap"])
@pytest.mark.parametrize("case", CASES)
def test_one_line_says_what_is_wrong(case: str, verb: Callable[..., Any]) -> None:
    make, said = CASES[case]
    with pytest.raises(NetworkError, match=re.escape(said)) as caught:
        verb(make(), IMAGE)
    assert "\n" not in str(caught.value)


def test_inputs_of_the_wrong_shape_are_said_with_it() -> None:
    with pytest.raises(NetworkError, match=r"Unet raises on these inputs \(1×5×16×16\): RuntimeError: .*3 channels"):
        find_sites(Unet(), torch.randn(1, 5, 16, 16))
    with pytest.raises(NetworkError, match=r"on these inputs \(no tensor\): TypeError"):
        find_sites(Unet())


def test_a_network_without_a_site() -> None:
    network = nn.Sequential(convolution(4, 3))
    assert find_sites(network, IMAGE) == []
    with pytest.raises(NetworkError, match="Sequential has no site: nothing that upsamples was called"):
        swap(network, "carafe", IMAGE)


def test_an_operator_that_no_site_takes() -> None:
    with pytest.raises(NetworkError, match=r"no site of Super takes sapa: up\.1#0: needs a guide, and no feature"):
        swap(Super(), "sapa", IMAGE)
    network = nn.Sequential(convolution(8, 3), nn.Upsample(scale_factor=3), convolution())
    with pytest.raises(NetworkError, match=r"1#0: groups=3 does not divide 8 channels"):
        swap(network, "carafe", IMAGE, groups=3)


def test_only_sites_that_are_left_alone() -> None:
    network = nn.Sequential(convolution(8, 3), nn.Upsample(scale_factor=2))
    with pytest.raises(NetworkError, match="1#0: prediction head"):
        swap(network, "carafe", IMAGE)
    (choice,) = choices(swap(network, "carafe", IMAGE, sites="all"))
    assert choice.operator == "carafe"


def test_a_site_that_is_not_there_or_can_hold_nothing() -> None:
    with pytest.raises(NetworkError, match=r"no site 'up#1'; did you mean 'up#0'\? allowed: up#0, \.#0"):
        swap(Unet(), "carafe", IMAGE, sites=["up#1"])
    network = nn.Sequential(convolution(8, 3), nn.Upsample(scale_factor=0.5), convolution())
    with pytest.raises(NetworkError, match="no operator can stand at 1#0: downsampling"):
        swap(network, "carafe", IMAGE, sites=["1#0"])


def test_unknown_operators_and_options_are_those_of_create() -> None:
    with pytest.raises(UnknownOperator, match="did you mean 'carafe'"):
        swap(Unet(), "caraffe", IMAGE)
    with pytest.raises(OptionError, match="carafe has no option 'kernel'"):
        swap(Unet(), "carafe", IMAGE, kernel=3)


def test_what_was_not_swapped_has_no_choices() -> None:
    with pytest.raises(NetworkError, match="Unet is no swapped network"):
        choices(Unet())

"""`find_sites`: every way to upsample is seen, the guide is the right tensor, and each site that is left says why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_networks import (
    Answering,
    Branching,
    FromCalls,
    Indexed,
    Odd,
    Pyramid,
    Shared,
    Super,
    Unet,
    convolution,
)
from torch import Tensor, nn
from torch.nn import functional

from upsamplers import Site, find_sites

IMAGE = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def only(network: nn.Module, image: Tensor = IMAGE) -> Site:
    (site,) = find_sites(network, image)
    return site


def around(upsample: Callable[[Tensor], Tensor], after: nn.Module | None = None) -> nn.Module:
    """A convolution, what upsamples, and a convolution."""
    return FromCalls(
        lambda net, x: net.last(upsample(net.first(x))), first=convolution(8, 3), last=after or convolution(4, 8)
    )


def test_the_sites_of_a_unet_have_names_shapes_and_guides() -> None:
    first, second = find_sites(Unet(), IMAGE)
    assert (first.name, first.kind, first.shape, first.result) == (
        "up#0",
        "conv_transpose2d",
        (1, 16, 4, 6),
        (1, 8, 8, 12),
    )
    assert (second.name, second.kind, second.mode) == (".#0", "interpolate", "bilinear")
    assert (second.shape, second.result, second.scale) == ((1, 8, 8, 12), (1, 8, 16, 24), 2)
    assert (first.guide, second.guide) == ((1, 8, 8, 12), (1, 8, 16, 24))
    assert first.reason == second.reason == ""


WAYS: dict[str, tuple[Callable[[Tensor], Tensor], str, str]] = {
    "interpolate": (lambda x: functional.interpolate(x, scale_factor=2), "interpolate", "nearest"),
    "interpolate by size": (lambda x: functional.interpolate(x, (32, 48), None, "bicubic"), "interpolate", "bicubic"),
    "transposed": (
        lambda x: functional.conv_transpose2d(x, torch.ones(8, 8, 4, 4), stride=2, padding=1),
        "conv_transpose2d",
        "",
    ),
    "upsample": (lambda x: nn.Upsample(scale_factor=2, mode="area")(x), "interpolate", "area"),
    "old modules": (lambda x: nn.UpsamplingNearest2d(scale_factor=2)(x), "interpolate", "nearest"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_upsample_is_seen(way: str) -> None:
    upsample, kind, mode = WAYS[way]
    site = only(around(upsample))
    assert (site.kind, site.mode, site.shape, site.result) == (kind, mode, (1, 8, 16, 24), (1, 8, 32, 48))


def test_pixel_shuffle_is_one_site_with_the_convolution_before_it() -> None:
    site = only(Super())
    assert (site.kind, site.shape, site.result) == ("pixel_shuffle", (1, 8, 16, 24), (1, 6, 32, 48))
    assert (site.name, site.convolution) == ("up.1#0", "up.0")


@pytest.mark.parametrize("why", ["read twice", "called twice", "normalised"])
def test_a_convolution_that_others_need_stays_out_of_the_site(why: str) -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        wide = net.wide(net.first(x))
        if why == "called twice":
            wide = net.wide(wide[:, :8])
        if why == "normalised":
            wide = net.norm(wide)
        small = net.last(functional.pixel_shuffle(wide, 2))
        return small + wide.mean() if why == "read twice" else small

    layers = {"first": convolution(8, 3), "wide": convolution(32, 8), "norm": nn.BatchNorm2d(32), "last": convolution()}
    site = only(FromCalls(forward, **layers))
    assert (site.convolution, site.shape) == (None, (1, 32, 16, 24))


def test_max_unpooling_is_seen() -> None:
    site = only(Indexed())
    assert (site.name, site.kind, site.shape, site.result) == (
        "unpool#0",
        "max_unpool2d",
        (1, 4, 8, 12),
        (1, 4, 16, 24),
    )


def test_one_module_that_is_called_three_times_is_three_sites() -> None:
    sites = find_sites(Shared(), IMAGE)
    assert [(site.name, site.result[-1]) for site in sites] == [("up#0", 48), ("up#1", 96), ("up#2", 192)]


def test_calls_belong_to_the_module_whose_code_makes_them() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        x = functional.interpolate(net.first(x), scale_factor=2)
        return net.last(functional.interpolate(net.inner(x), scale_factor=2))

    network = FromCalls(forward, first=convolution(8, 3), inner=Shared(), last=convolution(4))
    network.inner.first = convolution(4, 8)  # type: ignore[union-attr]
    assert [site.name for site in find_sites(network, IMAGE)] == [
        ".#0",
        "inner.up#0",
        "inner.up#1",
        "inner.up#2",
        ".#1",
    ]


@pytest.mark.parametrize("lateral_first", [True, False])
def test_the_guide_is_what_is_added_or_what_that_is_made_of(lateral_first: bool) -> None:
    site = only(Pyramid(lateral_first))
    assert site.guide == ((1, 6, 16, 24) if lateral_first else (1, 8, 16, 24))
    assert site.source is not None and site.source.path == ("lateral" if lateral_first else "stem")


def test_a_guide_is_found_through_norms_and_activations_and_not_through_a_convolution() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        fine = net.first(x)
        large = functional.interpolate(net.down(fine), scale_factor=2)
        large = net.convolution(large) if net.convolution else functional.silu(net.norm(large))
        return net.last(torch.cat([fine, large], 1))

    def network(between: nn.Module | None) -> nn.Module:
        made = FromCalls(forward, first=convolution(8, 3), down=convolution(8, 8, 2), last=convolution(4, 16))
        made.norm = nn.BatchNorm2d(8)
        made.convolution = between  # type: ignore[assignment]
        return made

    assert only(network(None)).guide == (1, 8, 16, 24)
    assert only(network(convolution(8))).guide is None


def test_another_site_is_no_guide() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        fine = net.first(x)
        coarse = net.down(fine)
        sized = [functional.interpolate(one, size=fine.shape[2:], mode="bilinear") for one in (fine, coarse)]
        return net.last(torch.cat(sized, 1))

    same, up = find_sites(
        FromCalls(forward, first=convolution(8, 3), down=convolution(8, 8, 2), last=convolution(4, 16)), IMAGE
    )
    assert (same.reason, same.impossible, up.reason, up.guide) == ("keeps the size", True, "", None)


def test_a_guide_that_is_changed_in_place_afterwards_is_known_to_be() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        fine = net.first(x)
        large = functional.interpolate(net.down(x), scale_factor=2)
        if net.in_place:
            fine += large
        else:
            fine = fine + large
        return net.last(fine)

    for in_place in (True, False):
        network = FromCalls(forward, first=convolution(8, 3), down=convolution(8, 3, 2), last=convolution(4, 8))
        network.in_place = in_place  # type: ignore[assignment]
        assert only(network).changes == in_place


class Embedded(nn.Module):
    """A learned embedding that is resized to the map and added."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = convolution(8, 3), convolution(4, 8)
        self.position = nn.Parameter(torch.randn(1, 8, 4, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x) + functional.interpolate(self.position, size=x.shape[2:], mode="bicubic")
        return self.last(x)


def pooled(net: Any, x: Tensor) -> Tensor:
    x = net.first(x)
    context = functional.relu(net.middle(functional.adaptive_avg_pool2d(x, (2, 3))))
    return net.last(x + functional.interpolate(context, size=x.shape[2:], mode="bilinear"))


def averaged(net: Any, x: Tensor) -> Tensor:
    x = net.first(x)
    context = net.middle(x.mean((2, 3), keepdim=True))
    return net.last(x + functional.interpolate(context, size=x.shape[2:]))


def resized(net: Any, x: Tensor) -> Tensor:
    x = functional.interpolate((x - 0.5) / 2, scale_factor=2, mode="bilinear")
    return net.last(net.first(x))


def sampled(net: Any, x: Tensor) -> Tensor:
    x = net.first(x)
    return net.last(functional.grid_sample(x, torch.zeros(1, 32, 48, 2), align_corners=False))


def through(net: Any, x: Tensor, **to: Any) -> Tensor:
    return net.last(functional.interpolate(net.first(x), **to))


def layers() -> dict[str, nn.Module]:
    return {"first": convolution(8, 3), "middle": nn.Conv2d(8, 8, 1), "last": convolution(4, 8)}


LEFT: dict[str, tuple[Callable[[], nn.Module], str, bool]] = {
    "identity": (lambda: FromCalls(lambda n, x: through(n, x, size=(16, 24)), **layers()), "keeps the size", True),
    "downsampling": (lambda: FromCalls(lambda n, x: through(n, x, scale_factor=0.5), **layers()), "downsampling", True),
    "axes": (lambda: FromCalls(lambda n, x: through(n, x, size=(16, 48)), **layers()), "one scale for rows", True),
    "image": (lambda: FromCalls(resized, **layers()), "the input image", False),
    "embedding": (Embedded, "position embedding", False),
    "grid_sample": (lambda: FromCalls(sampled, **layers()), "samples at points", True),
    "pooled": (lambda: FromCalls(pooled, **layers()), "pooled context", False),
    "averaged": (lambda: FromCalls(averaged, **layers()), "pooled context", True),
    "head": (lambda: nn.Sequential(convolution(8, 3), nn.Upsample(scale_factor=4)), "prediction head", False),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left_alone_says_why(case: str) -> None:
    make, reason, impossible = LEFT[case]
    site = only(make())
    assert site.reason.startswith(reason)
    assert site.impossible == impossible


def test_a_bottleneck_of_one_pixel_is_no_pooled_context() -> None:
    site = only(nn.Sequential(nn.Conv2d(3, 8, 16, 16), nn.Upsample(scale_factor=2), convolution(4, 8)), IMAGE[..., :16])
    assert (site.shape, site.reason) == ((1, 8, 1, 1), "")


def test_a_size_that_is_no_multiple_has_the_next_integer_and_says_so() -> None:
    site = only(Odd(), IMAGE[..., :15, :23])
    assert (site.shape[-2:], site.result[-2:], site.scale) == ((8, 12), (15, 23), 2)
    assert site.notes == ("×2, then bilinear to 15×23",)


def test_aligned_corners_are_said() -> None:
    site = only(around(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)))
    assert site.align_corners and site.notes[0].startswith("align_corners=True")


def test_what_depends_on_values_is_said_with_its_place() -> None:
    assert "depends on values (.)" in only(Branching()).notes[0]
    assert only(Odd()).notes == ()


def test_dicts_and_dataclasses_are_no_hindrance() -> None:
    assert [site.name for site in find_sites(Answering(), IMAGE)] == ["net.up#0", "net#0"]


def test_what_is_written_into_a_map_of_zeros_is_the_input_s() -> None:
    def gathered(z: Tensor) -> Tensor:
        held = torch.zeros(z.shape)
        held[:, :4] = z[:, :4]
        return functional.interpolate(held, scale_factor=2)

    assert only(around(gathered)).reason == ""


def test_a_map_that_is_not_four_dimensional_is_left() -> None:
    network = nn.Sequential(nn.Conv1d(3, 4, 3), nn.Upsample(scale_factor=2), nn.Conv1d(4, 4, 1))
    (site,) = find_sites(network, torch.randn(1, 3, 16))
    assert (site.reason, site.impossible) == ("a map of 3 dimensions; operators read B, C, H, W", True)


def test_the_network_is_not_touched() -> None:
    network = nn.Sequential(convolution(8, 3), nn.BatchNorm2d(8), nn.Upsample(scale_factor=2), convolution()).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    find_sites(network, IMAGE)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(module.training and "forward" not in vars(module) for module in network.modules())


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_scripted_parts_are_looked_past() -> None:
    network = FromCalls(
        lambda net, x: net.last(functional.interpolate(net.first(x), scale_factor=2)),
        first=torch.jit.script(convolution(8, 3)),
        last=convolution(4, 8),
    )
    assert only(network).reason == ""


def test_importing_the_operators_does_not_load_what_is_for_networks() -> None:
    code = "import sys, upsamplers; assert not [m for m in sys.modules if m.startswith('upsamplers.networks')]"
    subprocess.run([sys.executable, "-c", code], check=True)

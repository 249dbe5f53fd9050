"""`swap`: the operator stands at each site, and the network still trains, saves, copies, exports and compiles."""

from __future__ import annotations

import copy
import inspect
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from small_networks import (
    Answering,
    Branching,
    Children,
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

import upsamplers
from upsamplers import NetworkError, choices, find_sites, swap
from upsamplers.networks import Operators

IMAGE = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "unet": Unet,
    "pyramid": Pyramid,
    "lateral first": lambda: Pyramid(True),
    "shared": Shared,
    "indexed": Indexed,
    "children": Children,
    "super": Super,
    "branching": Branching,
    "odd": Odd,
}


def placed(network: nn.Module) -> list[nn.Module]:
    holder = network.get_submodule("upsamplers")
    assert isinstance(holder, Operators)
    return list(holder.values())


def calls_of(network: nn.Module, image: Tensor = IMAGE) -> list[str]:
    """Names of the sites whose operators one forward calls, in order."""
    called: list[str] = []
    hooks = [
        one.register_forward_hook(lambda module, given, made: called.append(str(module.name)))
        for one in placed(network)
    ]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return called


@pytest.mark.parametrize("operator", ["carafe", "dysample", "a2u", "bilinear"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_operator_stands_at_every_site_and_learns(name: str, operator: str) -> None:
    network = NETWORKS[name]()
    sites = [site.name for site in find_sites(network, IMAGE) if not site.reason]
    swapped = swap(network, operator, IMAGE, groups=1) if operator == "dysample" else swap(network, operator, IMAGE)
    assert [choice.site.name for choice in choices(swapped) if choice.operator == operator] == sites != []
    assert calls_of(swapped) == sites
    with torch.no_grad():
        before, after = network(IMAGE), swapped(IMAGE)
    assert after.shape == before.shape
    swapped(IMAGE).square().sum().backward()
    learning = {key for key, parameter in swapped.named_parameters() if key.startswith("upsamplers.")}
    assert {key for key in learning if swapped.get_parameter(key).grad is None} == set()


@pytest.mark.parametrize("sides", [(16, 24), (15, 23)])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("how", [{"scale_factor": 2}, {"scale_factor": 3.0}, {"scale_factor": 1.7}, {"size": (31, 47)}])
def test_the_same_operator_changes_no_bit(how: dict[str, Any], mode: str, sides: tuple[int, int]) -> None:
    network = FromCalls(
        lambda net, x: net.last(functional.interpolate(net.first(x), mode=mode, **how)),
        first=convolution(8, 3),
        last=convolution(4, 8),
    )
    image = torch.randn(2, 3, *sides)
    swapped = swap(network, mode, image)
    assert len(calls_of(swapped, image)) == 1
    assert torch.equal(swapped(image), network(image))


def test_the_same_operator_changes_no_bit_of_a_unet() -> None:
    network = Unet()
    network.up = nn.Upsample(scale_factor=2, mode="bilinear")  # type: ignore[assignment]
    network.middle = convolution(8, 24)
    for sides in ((16, 24), (64, 32)):
        image = torch.randn(1, 3, *sides)
        swapped = swap(network, "bilinear", IMAGE)
        assert len(choices(swapped)) == 2
        assert torch.equal(swapped(image), network(image))


def test_nothing_of_the_network_itself_changes() -> None:
    network = Unet().train()
    before = network(IMAGE)
    swap(network, "carafe", IMAGE)
    assert torch.equal(network(IMAGE), before)
    assert all("forward" not in vars(module) for module in network.modules())


def test_the_copy_is_of_the_same_class_and_keeps_its_modes_and_its_signature() -> None:
    network = Unet().train()
    network.last.eval()
    swapped = swap(network, "carafe", IMAGE)
    assert type(swapped) is Unet
    assert swapped.training and swapped.middle.training and not swapped.last.training
    assert all(one.training for one in placed(swapped))
    assert list(inspect.signature(swapped.forward).parameters) == ["x"]


def test_all_operators_are_in_one_place_and_parameters_are_counted_once() -> None:
    network = Unet()
    swapped = swap(network, "carafe", IMAGE)
    counted = sum(parameter.numel() for parameter in swapped.parameters())
    added, removed = (sum(getattr(one, what) for one in choices(swapped)) for what in ("params", "removed"))
    assert removed == sum(parameter.numel() for parameter in network.up.parameters()) > 0
    assert counted == sum(parameter.numel() for parameter in network.parameters()) + added - removed
    new = set(swapped.state_dict()) - set(network.state_dict())
    assert new and all(key.startswith("upsamplers.") for key in new)


def test_widths_that_differ_are_aligned_and_counted() -> None:
    transposed, _ = choices(swap(Unet(), "carafe", IMAGE))
    assert transposed.align == 16 * 8 + 8
    (shuffled,) = choices(swap(Super(), "nearest", IMAGE))
    assert (shuffled.align, shuffled.params, shuffled.removed) == (8 * 6 + 6, 8 * 6 + 6, 24 * 8 * 9 + 24)


def test_a_guide_of_another_width_is_aligned_where_the_operator_needs_that() -> None:
    (choice,) = choices(swap(Pyramid(), "fade", IMAGE))
    assert (choice.site.guide, choice.align, choice.guided) == ((1, 8, 16, 24), 8 * 6 + 6, True)
    (choice,) = choices(swap(Pyramid(), "a2u", IMAGE))
    assert (choice.align, choice.guided) == (0, True)


def test_the_operator_reads_the_guide_that_the_site_names() -> None:
    network = Pyramid()
    swapped = swap(network, "a2u", IMAGE)
    read: list[Any] = []
    placed(swapped)[0].register_forward_pre_hook(lambda module, given: read.append(given))
    swapped(IMAGE)
    z, guide, size, factor = read[0]
    assert factor == 2
    torch.testing.assert_close(guide, network.stem(IMAGE))
    torch.testing.assert_close(z, network.top(network.down(network.stem(IMAGE))))
    assert tuple(size) == (16, 24)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_saves_copies_and_loads(name: str, tmp_path: Path) -> None:
    swapped = swap(NETWORKS[name](), "a2u", IMAGE)
    expected = swapped(IMAGE)
    torch.save(swapped, tmp_path / "whole.pt")
    loaded = torch.load(tmp_path / "whole.pt", weights_only=False)
    other = swap(NETWORKS[name](), "a2u", IMAGE)
    assert not torch.equal(other(IMAGE), expected)
    other.load_state_dict(swapped.state_dict())
    for one in (loaded, copy.deepcopy(swapped), other):
        assert torch.equal(one(IMAGE), expected)
        assert calls_of(one) == calls_of(swapped) != []


def test_a_copy_has_operators_of_its_own() -> None:
    swapped = swap(Unet(), "carafe", IMAGE)
    expected = swapped(IMAGE)
    twin = copy.deepcopy(swapped)
    with torch.no_grad():
        for parameter in twin.get_submodule("upsamplers").parameters():
            parameter.zero_()
    assert torch.equal(swapped(IMAGE), expected)
    assert not torch.equal(twin(IMAGE), expected)


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"branching"}))
def test_it_exports(name: str) -> None:
    swapped = swap(NETWORKS[name](), "a2u", IMAGE).eval()
    program = torch.export.export(swapped, (IMAGE,))
    torch.testing.assert_close(program.module()(IMAGE), swapped(IMAGE))
    assert [node for node in program.graph.nodes if str(node.target) == "aten.bmm.default"], "no affinity was exported"


def test_it_exports_with_free_sizes() -> None:
    swapped = swap(Unet(), "carafe", IMAGE).eval()
    sides = {2: 4 * torch.export.Dim("h", min=2, max=64), 3: 4 * torch.export.Dim("w", min=2, max=64)}
    program = torch.export.export(swapped, (IMAGE,), dynamic_shapes=[sides])
    other = torch.randn(1, 3, 32, 20)
    torch.testing.assert_close(program.module()(other), swapped(other))


@pytest.mark.filterwarnings("ignore")  # the exporter's own, of its own code
def test_onnx_runtime_agrees(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    swapped = swap(Unet(), "a2u", IMAGE).eval()
    program = torch.onnx.export(swapped, (IMAGE,), dynamo=True, opset_version=18, verbose=False)
    assert program is not None
    session = runtime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (slot,) = session.get_inputs()
    (made,) = session.run(None, {slot.name: IMAGE.numpy()})
    torch.testing.assert_close(torch.from_numpy(made), swapped(IMAGE).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", ["unet", "children", "super"])
def test_it_compiles_in_one_graph(name: str) -> None:
    swapped = swap(NETWORKS[name](), "a2u", IMAGE)
    compiled = torch.compile(swapped, backend="eager", fullgraph=True)
    for _ in range(2):
        torch.testing.assert_close(compiled(IMAGE), swapped(IMAGE))
    other = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(compiled(other), swapped(other))


@pytest.mark.parametrize("name", ["unet", "pyramid", "shared"])
def test_other_sizes_and_batches_go_through(name: str) -> None:
    network = NETWORKS[name]()
    swapped = swap(network, "carafe", IMAGE)
    for shape in ((2, 3, 32, 16), (1, 3, 64, 64)):
        image = torch.randn(*shape)
        assert swapped(image).shape == network(image).shape
        assert calls_of(swapped, image) == calls_of(swapped)


def test_a_size_that_was_exact_and_is_not_is_brought_to_size() -> None:
    network = Odd()
    swapped = swap(network, "carafe", IMAGE)
    for sides in ((15, 23), (16, 23), (17, 24)):
        image = torch.randn(1, 3, *sides)
        assert swapped(image).shape == network(image).shape


def test_threads_do_not_meet() -> None:
    swapped = swap(Shared(), "carafe", IMAGE).eval()
    with torch.no_grad():  # operators of one network differ, so that a wrong count shows
        for number, parameter in enumerate(swapped.get_submodule("upsamplers").parameters()):
            parameter.mul_(1 + number)
    images = [torch.randn(1, 3, 8 + place % 3, 8) for place in range(12)]
    barrier = threading.Barrier(4)

    def result(image: Tensor) -> Tensor:
        barrier.wait()
        return swapped(image)

    with torch.no_grad():
        expected = [swapped(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(result, images))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.detach(), other)


def test_a_swapped_network_in_another_and_swapped_twice() -> None:
    inner = swap(Unet(), "carafe", IMAGE)
    outer = nn.Sequential(convolution(3, 3), inner, nn.Upsample(scale_factor=2), convolution(2, 4))
    again = swap(outer, "a2u", IMAGE)
    assert calls_of(again) == ["2#0"]
    reached: list[str] = []
    for one in placed(again.get_submodule("network.1")):
        one.register_forward_hook(lambda module, given, made: reached.append(str(module.name)))
    again(IMAGE)
    assert reached == ["up#0", ".#0"]
    second = swap(swap(Unet(), "carafe", IMAGE, sites=["up#0"]), "bilinear", IMAGE)
    assert calls_of(second) == [".#0"]


def test_a_network_that_calls_itself_begins_anew() -> None:
    class Twice(Unet):
        def forward(self, x: Tensor, again: bool = True) -> Tensor:
            """The mean of two passes, the second one of the mirrored image."""
            if not again:
                return super().forward(x)
            return (super().forward(x) + self(x.flip(-1), again=False)) / 2

    network = Twice()
    swapped = swap(network, "bilinear", IMAGE, sites=[".#0"])
    called = calls_of(swapped)
    assert called == [".#0", ".#0"]
    assert torch.equal(swapped(IMAGE), network(IMAGE))


def test_after_an_error_the_next_forward_counts_from_the_start() -> None:
    swapped = swap(Shared(), "carafe", IMAGE)
    expected = swapped(IMAGE)
    hook = swapped.get_submodule("layers.1").register_forward_pre_hook(lambda module, given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        swapped(IMAGE)
    hook.remove()
    assert torch.equal(swapped(IMAGE), expected)
    assert torch._C._len_torch_function_stack() == 0


def test_the_mode_is_off_in_what_the_owner_of_a_site_calls() -> None:
    depths: list[int] = []

    class Inner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            """The same, noting how many modes are on."""
            depths.append(torch._C._len_torch_function_stack())
            return x

    def forward(net: Any, x: Tensor) -> Tensor:
        depths.append(torch._C._len_torch_function_stack())
        x = functional.interpolate(net.inner(net.first(x)), scale_factor=2)
        return net.last(x)

    swapped = swap(FromCalls(forward, first=convolution(8, 3), inner=Inner(), last=convolution(8)), "carafe", IMAGE)
    depths.clear()
    swapped(IMAGE)
    assert depths == [1, 0]


def test_a_guide_that_is_changed_in_place_afterwards_still_trains() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        fine = net.first(x)
        fine += functional.interpolate(net.down(x), scale_factor=2)
        return net.last(fine)

    network = FromCalls(forward, first=convolution(8, 3), down=convolution(8, 3, 2), last=convolution(4, 8))
    swap(network, "a2u", IMAGE)(IMAGE).sum().backward()


def test_a_cascade_has_an_operator_for_each_doubling() -> None:
    network = nn.Sequential(convolution(8, 3), nn.Upsample(scale_factor=8), convolution(4, 8))
    (direct,) = choices(swap(network, "carafe", IMAGE))
    swapped = swap(network, "carafe", IMAGE, cascade=True)
    (steps,) = choices(swapped)
    one = sum(p.numel() for p in upsamplers.create("carafe", channels=8).parameters())
    assert (direct.scales, steps.scales, steps.params) == ((8,), (2, 2, 2), 3 * one)
    assert swapped(IMAGE).shape == network(IMAGE).shape


def test_an_operator_of_scale_two_alone_is_cascaded_with_its_guide() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        fine = net.first(x)
        large = functional.interpolate(net.down(fine), scale_factor=4)
        return net.last(torch.cat([fine, large], 1))

    network = FromCalls(forward, first=convolution(8, 3), down=convolution(8, 8, 4), last=convolution(4, 16))
    assert upsamplers.facts("fade").scales == (2,)
    swapped = swap(network, "fade", IMAGE)
    (choice,) = choices(swapped)
    assert (choice.scales, choice.guided) == ((2, 2), True)
    guides: list[Tensor] = []
    for step in placed(swapped)[0].get_submodule("steps").children():
        step.register_forward_pre_hook(lambda module, given: guides.append(given[1]))
    swapped(IMAGE)
    fine = network.get_submodule("first")(IMAGE)
    torch.testing.assert_close(guides[0], functional.avg_pool2d(fine, 2))
    torch.testing.assert_close(guides[1], fine)


def test_sites_are_chosen_by_name_by_site_or_all() -> None:
    network = nn.Sequential(convolution(8, 3), nn.Upsample(scale_factor=2), convolution(4, 8), nn.Upsample(None, 2.0))
    sites = find_sites(network, IMAGE)

    def taken(**asked: Any) -> list[str]:
        return [one.site.name for one in choices(swap(network, "carafe", IMAGE, **asked)) if one.operator]

    assert taken() == ["1#0"]
    assert taken(sites=["3#0"]) == taken(sites=[sites[1]]) == ["3#0"]
    assert taken(sites="all") == taken(sites=["all"]) == taken(sites=sites) == ["1#0", "3#0"]


def test_what_one_site_cannot_take_is_told_and_the_others_are_swapped() -> None:
    network = nn.Sequential(
        convolution(6, 3), nn.Upsample(None, 2), convolution(8, 6), nn.Upsample(None, 2), convolution()
    )
    first, second = choices(swap(network, "carafe", IMAGE, groups=4))
    assert (first.operator, second.operator) == ("", "carafe")
    assert first.reason == "groups=4 does not divide 6 channels"


def test_half_precision_and_its_kind_are_kept() -> None:
    swapped = swap(Unet().to(torch.bfloat16), "carafe", IMAGE.to(torch.bfloat16))
    assert {parameter.dtype for parameter in swapped.parameters()} == {torch.bfloat16}


def test_results_that_are_dicts_of_dataclasses_pass() -> None:
    swapped = swap(Answering(), "a2u", IMAGE)
    assert swapped(IMAGE)["out"].logits.shape == (1, 4, 16, 24)
    assert calls_of(swapped) == ["net.up#0", "net#0"]


def test_a_part_can_be_called_alone_unless_its_guide_is_elsewhere() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        fine = net.first(x)
        return net.decoder(fine, net.down(fine))

    class Decoder(nn.Module):
        def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
            """Both, added."""
            last: Any = self.last
            made: Tensor = last(fine + functional.interpolate(coarse, scale_factor=2))
            return made

    decoder = Decoder()
    decoder.add_module("last", convolution(4, 8))
    network = FromCalls(forward, first=convolution(8, 3), down=convolution(8, 8, 2), decoder=decoder)
    fine, coarse = torch.randn(1, 8, 16, 24), torch.randn(1, 8, 8, 12)
    alone = swap(network, "carafe", IMAGE).get_submodule("decoder")
    assert alone(fine, coarse).shape == (1, 4, 16, 24)
    with pytest.raises(NetworkError, match="call the whole network"):
        swap(network, "a2u", IMAGE).get_submodule("decoder")(fine, coarse)


def test_another_structure_is_told() -> None:
    swapped = swap(Unet(), "carafe", IMAGE)
    with pytest.raises(NetworkError, match=r"\.#0: recorded with 8 channels, and now z is 1×5×8×12; swap anew"):
        placed(swapped)[1](torch.randn(1, 5, 8, 12), None, (16, 24))


def test_a_state_dict_in_memory() -> None:
    swapped = swap(Unet(), "dysample", IMAGE)
    file = io.BytesIO()
    torch.save(swapped.state_dict(), file)
    file.seek(0)
    swapped.load_state_dict(torch.load(file, weights_only=True))

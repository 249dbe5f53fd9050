"""The contract, over the whole registry: every operator at scales from 1 to 4, every declared variant at 2 and 3."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext

import pytest
import torch
from known_answers import KNOWN_ANSWERS

import upsamplers
from upsamplers import testing
from upsamplers.operator import Variant
from upsamplers.registry import operator_class

CASES = [
    pytest.param(name, variant, scale, id=f"{name}-{variant.label}-{scale}".replace(" ", "_"))
    for name in upsamplers.names()
    for number, variant in enumerate(upsamplers.facts(name).variants)
    for scale in (testing.SCALES if number == 0 else (2, 3))
]


@pytest.mark.parametrize(("name", "variant", "scale"), CASES)
def test_the_contract_holds(name: str, variant: Variant, scale: int, device: str) -> None:
    facts = upsamplers.facts(name)
    served = testing.check_at_scale(operator_class(name), variant.options, scale, device)
    assert bool(served) == (not facts.scales or scale in facts.scales), "facts.scales and what can be built disagree"


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
@pytest.mark.parametrize("name", upsamplers.names())
def test_a_map_that_is_not_of_floating_point_is_refused_with_its_dtype(name: str, dtype: torch.dtype) -> None:
    op = testing.build(operator_class(name), {}, 2)
    assert op is not None
    z, guide = testing.inputs(op)
    said = f"{name}: {{}} must be floating point; got {dtype}"
    with pytest.raises(ValueError, match=said.format("z")):
        op(z.to(dtype), guide)
    if guide is not None:
        with pytest.raises(ValueError, match=said.format("guide")):
            op(z, guide.to(dtype))


@pytest.mark.parametrize("name", upsamplers.names())
def test_there_is_an_answer_that_we_did_not_compute_ourselves(name: str) -> None:
    assert name in KNOWN_ANSWERS, (
        f"{name} has no independent known answer: add one to tests/known_answers.py (torch's own operator, or golden "
        "numbers of the published code)"
    )
    KNOWN_ANSWERS[name]()


def test_names_are_sorted_and_facts_are_frozen() -> None:
    assert list(upsamplers.names()) == sorted(upsamplers.names())
    with pytest.raises(dataclasses.FrozenInstanceError):
        upsamplers.facts("nearest").name = "other"  # type: ignore[misc]


def test_an_unknown_operator_is_answered_with_the_nearest_name_and_the_list() -> None:
    with pytest.raises(
        upsamplers.UnknownOperator, match=r"no operator 'bilinaer'; did you mean 'bilinear'\? allowed: "
    ):
        upsamplers.create("bilinaer", channels=8)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("a2u:rank=4", "create('a2u', channels=…, rank=4)"),
        ("a2u:sharing=unshared,twin=true", "create('a2u', channels=…, sharing='unshared', twin=True)"),
        ("mine.module:Soft:width=0.5", "create('mine.module:Soft', channels=…, width=0.5)"),
    ],
)
def test_options_in_a_name_are_answered_with_the_call_that_has_them(name: str, call: str) -> None:
    for ask in (lambda: upsamplers.create(name, channels=8), lambda: upsamplers.facts(name)):
        with pytest.raises(upsamplers.UnknownOperator) as caught:
            ask()
        assert str(caught.value) == f"no operator {name!r}: options are arguments here; allowed: {call}"


def test_an_unknown_option_is_answered_with_the_options_there_are() -> None:
    with pytest.raises(upsamplers.OptionError, match="nearest has no option 'rank'; allowed: none"):
        upsamplers.create("nearest", channels=8, rank=2)


@pytest.mark.parametrize(("field", "value"), [("channels", 0), ("scale", 0), ("scale", True), ("guide_channels", -1)])
def test_sizes_are_integers_of_at_least_one(field: str, value: object) -> None:
    sizes: dict[str, object] = {"channels": 8, field: value}
    with pytest.raises(upsamplers.OptionError, match=f"nearest: {field}={value} is out of range"):
        upsamplers.create("nearest", **sizes)  # type: ignore[arg-type]


class Lying(operator_class("nearest")):  # type: ignore[misc]
    """Forward that is not wᵀz: the contract must see it."""

    def forward(self, z: torch.Tensor, guide: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(z, guide) * (1 + 1e-6)


class Meddling(operator_class("nearest")):  # type: ignore[misc]
    """Forward that writes to its input."""

    def forward(self, z: torch.Tensor, guide: torch.Tensor | None = None) -> torch.Tensor:
        up = super().forward(z, guide)
        z.add_(1)
        return up


class Mixing(operator_class("nearest")):  # type: ignore[misc]
    """Samples that see each other."""

    def epilogue(self, up: torch.Tensor, z: torch.Tensor, guide: torch.Tensor | None = None) -> torch.Tensor:
        return up + z.mean()

    def forward(self, z: torch.Tensor, guide: torch.Tensor | None = None) -> torch.Tensor:
        return self.epilogue(super().forward(z, guide), z, guide)


def built(cls: type[upsamplers.Upsampler]) -> upsamplers.Upsampler:
    op = testing.build(cls, {}, 2)
    assert op is not None
    return op


class Cheap(operator_class("pixel_shuffle")):  # type: ignore[misc]
    """A formula that leaves something out."""

    def macs(self, height: int, width: int) -> int:
        return super().macs(height, width) - 1


class Dear(Cheap):
    """A formula that has too much."""

    def macs(self, height: int, width: int) -> int:
        return super().macs(height, width) + 2


class Silent(Cheap):
    """No formula."""

    macs = upsamplers.Upsampler.macs


@pytest.mark.parametrize("culprit", [Cheap, Dear, Silent])
def test_the_contract_holds_the_formula_of_the_work_to_what_is_counted(culprit: type[upsamplers.Upsampler]) -> None:
    op = built(culprit)
    with pytest.raises(AssertionError, match=r"pixel_shuffle: (macs|Silent states no macs)"):
        testing.check_macs(op, *testing.inputs(op))


class ByHand(operator_class("nearest")):  # type: ignore[misc]
    """Products summed by hand, which no counter can see: the formula may have more than it, and not less."""

    extra = 8

    def epilogue(self, up: torch.Tensor, z: torch.Tensor, guide: torch.Tensor | None = None) -> torch.Tensor:
        return up * (z * z).sum((1, 2, 3), keepdim=True)

    def forward(self, z: torch.Tensor, guide: torch.Tensor | None = None) -> torch.Tensor:
        return self.epilogue(super().forward(z, guide), z, guide)

    def macs(self, height: int, width: int) -> int:
        return super().macs(height, width) + self.extra


class ByHandCheap(ByHand):
    extra = -1


def test_products_that_are_summed_by_hand_are_left_to_the_formula() -> None:
    for culprit, fails in ((ByHand, False), (ByHandCheap, True)):
        op = built(culprit)
        with pytest.raises(AssertionError, match="nearest: macs") if fails else nullcontext():
            testing.check_macs(op, *testing.inputs(op))


class Ungrouped(operator_class("bilinear")):  # type: ignore[misc]
    """Kernels without the axis of groups."""

    def weights(self, z: torch.Tensor, guide: torch.Tensor | None = None) -> torch.Tensor:
        return super().weights(z, guide)[:, 0]


def test_kernels_of_another_shape_are_told_the_one_that_was_expected() -> None:
    expected = r"weights\(z, guide\) must be \[2 or 1, G, K, 10, 6\] for z \(2, 8, 5, 3\); got \(1, 9, "
    op = built(Ungrouped)
    with pytest.raises(AssertionError, match=expected):
        testing.check_definition(op, *testing.inputs(op))


@pytest.mark.parametrize("culprit", [Lying, Meddling, Mixing])
def test_the_contract_catches_an_operator_that_breaks_it(culprit: type[upsamplers.Upsampler]) -> None:
    with pytest.raises(AssertionError):
        testing.check_operator(culprit)


@pytest.mark.parametrize("given", ["carafe", Lying(8)], ids=["name", "module"])
def test_the_contract_is_asked_of_a_class(given: object) -> None:
    with pytest.raises(TypeError, match="check_operator takes a class that derives from Upsampler, not its name; got "):
        testing.check_operator(given)  # type: ignore[arg-type]

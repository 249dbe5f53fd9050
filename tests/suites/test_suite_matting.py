"""The suite of the whole matting network: from a request to a row, as any other case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.errors import UsageError
from a2u_bench.measure import check, work
from a2u_bench.measure.inputs import prepare
from a2u_bench.suites.expand import make_plan

SMALL: dict[str, Any] = {"suite": "matting-unet", "device": "cpu", "threads": ["1"]}


def test_the_suite_is_the_published_image_with_every_operator_at_each_variant():
    plan = make_plan(ops="bilinear,a2u,index_net", **SMALL)
    assert plan.suite == "matting-unet"
    assert {(case.shape, case.network, case.scale) for case in plan.cases} == {((1, 4, 224, 224), "matting-unet", 1)}
    assert [case.options for case in plan.cases] == ["bilinear", "a2u", "index_net"]


def test_a_case_without_a_network_has_the_id_that_it_always_had():
    assert Case("nearest", "nearest", "nearest", 1, 8, 4, 4).id == "nearest-a940dfe01ee5"


def test_a_network_is_part_of_the_id_and_comes_back_from_its_row():
    case = make_plan(ops="nearest", **SMALL).cases[0]
    assert case.id != replace(case, network=None).id
    assert Case.from_row(make_row(case, "ok", "", {})) == case


def test_the_row_of_bilinear_has_the_published_parameters_and_its_own_multiply_adds():
    case = make_plan(ops="bilinear", **SMALL).cases[0]
    with torch.device("meta"):
        network: Any = operators.create(case)
    assert work.params(network) == 8_049_003
    interpolation = 4 * 4 * (256 * 14**2 + 128 * 28**2 + 64 * 56**2 + 64 * 112**2)
    assert work.macs(network, case) == network.convolutions(224, 224) + interpolation


@pytest.mark.parametrize("operator", ["bilinear", "a2u"])
def test_a_network_is_checked_against_itself_in_float64_with_defined_operators(operator: str):
    case = make_plan(ops=operator, shapes=["1x4x16x32"], **SMALL).cases[0]
    prepared = prepare(case, 0, {})
    check.check(prepared)
    network: Any = prepared.module
    level = network.levels[0].up
    level.forward = level.assemble = lambda *given: torch.nn.functional.interpolate(given[-2], scale_factor=2) + 1
    with pytest.raises(check.Incorrect, match="float64 definition"):
        check.check(prepared)


def test_training_needs_two_images():
    assert make_plan(ops="bilinear", shapes=["2x4x16x16"], modes=["training"], **SMALL).cases
    with pytest.raises(UsageError, match="batch of 2 or more"):
        make_plan(ops="bilinear", modes=["training"], **SMALL)


@pytest.mark.parametrize("shape", ["1x3x32x32", "1x4x30x32"])
def test_an_image_that_the_network_cannot_halve_is_refused(shape: str):
    with pytest.raises(UsageError, match="multiples of 16"):
        make_plan(ops="bilinear", shapes=[shape], **SMALL)


def test_a_scale_of_its_own_is_refused():
    with pytest.raises(UsageError, match="leave --scale out"):
        make_plan(ops="bilinear", scales=["2"], **SMALL)

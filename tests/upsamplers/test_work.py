"""Formula and trace agree for every operator and variant, and the handles count as the convention says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.measure import work
from a2u_bench.measure.handles import einsum_macs, handles
from a2u_bench.measure.inputs import prepare
from a2u_bench.measure.tallies import tallies

VARIANTS = list(operators.every_variant())
SCALED = [
    pytest.param(operator, scale, id=f"{operator.text}-{scale}")
    for operator in VARIANTS
    for scale in ((1, 2, 3, 4) if operator.text == operator.name else (2, 3))
]


@pytest.mark.parametrize(("operator", "scale"), SCALED)
def test_formula_fvcore_and_torch_agree_with_nothing_counted_twice_or_left_out(
    operator: operators.Operator, scale: int
):
    case = Case(operator.name, operator.variant, operator.text, 2, 64, 3, 5, scale)
    if reason := operators.why_not(case):
        pytest.skip(reason)
    case = large_enough(case)
    prepared = prepare(case, 0, {})
    assert 0 < work.macs(prepared.module, case) <= computed(prepared.module, case)
    assert work.macs_fvcore(prepared.module, prepared.inputs).macs == computed(prepared.module, case)
    assert work.macs_torch(prepared.module, prepared.inputs).macs == computed(prepared.module, case)


def large_enough(case: Case) -> Case:
    """The case with z at least as large as its operator's window needs."""
    least = int(operators.create(case).least_size)  # type: ignore[arg-type]  # an Upsampler
    return replace(case, height=max(case.height, least), width=max(case.width, least))


def computed(module: nn.Module, case: Case) -> int:
    """Multiply-adds of the case's batch that forward makes, those of taps that weigh nothing too."""
    return case.batch * int(module.computed_macs(case.height, case.width))  # type: ignore[operator]  # an Upsampler


class _One(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        result: Tensor = self.function(*inputs)
        return result


X = torch.zeros(2, 4, 6, 6)

KNOWN: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...], int]] = {
    "a convolution with named padding": (
        lambda x: functional.conv2d(x, torch.zeros(8, 4, 3, 3), padding="same"),
        (X,),
        2 * 8 * 4 * 9 * 36,
    ),
    "nearest": (lambda x: functional.interpolate(x, scale_factor=2), (X,), 2 * 4 * 144),
    "bicubic": (lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic"), (X,), 16 * 2 * 4 * 144),
    "softmax of sigmoid of a shuffle": (lambda x: functional.pixel_shuffle(x, 2).sigmoid().softmax(1), (X,), 0),
    "pooling": (lambda x: functional.adaptive_avg_pool2d(functional.avg_pool2d(x, 2), 1), (X,), 0),
    "group norm": (lambda x: functional.leaky_relu(functional.group_norm(x, 2)), (X,), 0),
    "a contraction": (
        lambda a, b: torch.einsum("bcn,bdn->bcd", a, b),
        (torch.zeros(2, 3, 5), torch.zeros(2, 7, 5)),
        210,
    ),
    "a grouped contraction": (
        lambda a, b: torch.einsum("bgcn, bgn -> bgn", a, b),
        (torch.zeros(2, 3, 5, 7), torch.zeros(2, 3, 7)),
        210,
    ),
}


BY_PARTS = "a grouped contraction"
"""No operator has one: torch multiplies and then sums, and its counter sees a product and a sum."""


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_operation_costs_what_the_convention_says(name: str):
    function, inputs, macs = KNOWN[name]
    assert work.macs_fvcore(_One(function), inputs).macs == macs
    if name != BY_PARTS:
        assert work.macs_torch(_One(function), inputs).macs == macs


def test_a_contraction_that_torch_takes_apart_is_named_as_left_out():
    function, inputs, _ = KNOWN[BY_PARTS]
    assert work.macs_torch(_One(function), inputs) == work.Count(0, {"aten.mul": 1, "aten.sum": 1})


def test_plain_products_and_sums_have_no_handle_and_are_named_as_skipped():
    assert not {name.split("::")[1].rstrip("_") for name in handles()} & {"add", "mul", "sub", "div", "sum"}
    count = work.macs_fvcore(_One(lambda x: (x * x).sum(1)), (X,))
    assert (count.macs, count.skipped) == (0, {"aten::mul": 1, "aten::sum": 1})


def test_an_einsum_whose_order_would_decide_its_cost_is_refused():
    assert einsum_macs("ij,jk->ik", [[2, 3], [3, 4]]) == 24
    assert einsum_macs("ij->ji", [[2, 3]]) == 0
    with pytest.raises(ValueError, match="only two tensors"):
        einsum_macs("ij,jk,kl->il", [[2, 3], [3, 4], [4, 5]])


def test_the_macs_of_a_row_cover_its_whole_batch():
    one, three = (Case("nearest", "default", "nearest", batch, 4, 3, 5) for batch in (1, 3))
    assert work.macs(operators.create(three), three) == 3 * work.macs(operators.create(one), one) == 3 * 4 * 6 * 10


def test_counting_leaves_the_module_in_its_mode():
    case = Case("nearest", "default", "nearest", 1, 4, 3, 5, mode="training")
    prepared = prepare(case, 0, {})
    work.macs_fvcore(prepared.module, prepared.inputs)
    assert prepared.module.training


SKIPPED: dict[str, tuple[Callable[..., Tensor], dict[str, int], dict[str, int]]] = {
    "a convolution": (lambda x: functional.conv2d(x, torch.zeros(8, 4, 3, 3)), {}, {}),
    "views and copies": (
        lambda x: torch.cat([x.view(2, 4, -1), x.flatten(2)], 2).permute(0, 2, 1).contiguous(),
        {},
        {},
    ),
    "relu, which fvcore leaves out without a word": (lambda x: x.relu(), {"aten::relu": 1}, {"aten.relu": 1}),
    "bicubic": (
        lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic"),
        {"aten::upsample_bicubic2d": 1},
        {"aten.upsample_bicubic2d": 1},
    ),
    "nearest, which fvcore counts": (
        lambda x: functional.interpolate(x, scale_factor=2),
        {},
        {"aten.upsample_nearest2d": 1},
    ),
    "two products and a sum": (
        lambda x: (x * x * x).sum(1),
        {"aten::mul": 2, "aten::sum": 1},
        {"aten.mul": 2, "aten.sum": 1},
    ),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_the_audit_names_what_a_tool_left_out_and_nothing_else(name: str):
    function, by_fvcore, by_torch = SKIPPED[name]
    assert work.macs_fvcore(_One(function), (X,), ours=False).skipped == by_fvcore
    assert work.macs_torch(_One(function), (X,), ours=False).skipped == by_torch


@pytest.mark.parametrize("operator", VARIANTS, ids=[operator.text for operator in VARIANTS])
def test_a_tool_as_installed_that_counts_less_than_the_formula_has_left_something_out(operator: operators.Operator):
    case = large_enough(Case(operator.name, operator.variant, operator.text, 1, 64, 3, 5))
    prepared = prepare(case, 0, {})
    formula, *with_ours, fvcore, counter = tallies(prepared.module, prepared.inputs, case)
    assert [tally.macs for tally in with_ours] == [computed(prepared.module, case)] * 2
    assert formula.macs is not None
    for tally in (fvcore, counter):
        assert not tally.failure
        assert tally.macs is not None
        assert tally.macs >= formula.macs or tally.skipped


def test_a_tool_that_fails_says_why_and_the_others_count():
    def unpool(x: Tensor) -> Tensor:
        values, indices = functional.max_pool2d(x, 2, return_indices=True)
        return functional.max_unpool2d(values, indices, [2, 2])

    class Unpool(_One):
        def macs(self, height: int, width: int) -> int:
            return 4 * height * width

    counted = tallies(Unpool(unpool), (X,), Case("none", "", "none", 2, 4, 6, 6))
    assert [tally.tool for tally in counted if tally.failure] == ["fvcore, our handles", "fvcore as installed"]
    assert [tally.macs for tally in counted if not tally.failure][:2] == [2 * 4 * 36, 2 * 4 * 36]


def test_formulas_for_torch_are_given_to_one_counter_and_registered_nowhere():
    from torch.utils.flop_counter import FlopCounterMode

    work.macs_torch(_One(lambda x: functional.interpolate(x, scale_factor=2)), (X,))
    with FlopCounterMode(display=False) as counter:
        functional.interpolate(X, scale_factor=2, mode="bilinear")
    assert counter.get_total_flops() == 0


def test_a_module_that_fvcore_cannot_trace_has_no_such_count():
    """As `functional.max_unpool2d`, which refuses sizes that are tensors."""
    counted = _One(lambda x: functional.conv2d(x, x))
    assert work.fvcore_if_traced(counted, (X,)) == work.macs_fvcore(counted, (X,)).macs
    _, indices = functional.max_pool2d(X, 1, return_indices=True)
    assert work.fvcore_if_traced(_One(lambda x: functional.max_unpool2d(x, indices, [1, 1])), (X,)) is None

"""Formula and trace agree for every operator, variant and scale, and the handles count as the convention says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from a2u_bench import build
from a2u_bench.measure import work
from a2u_bench.measure.handles import einsum_macs, handles
from a2u_bench.measure.inputs import prepare
from a2u_bench.spec import Case

VARIANTS = list(build.every_variant())


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("operator", VARIANTS, ids=[operator.text for operator in VARIANTS])
def test_formula_and_fvcore_agree_with_nothing_counted_twice_or_left_out(operator: build.Operator, scale: int):
    case = Case(operator.name, operator.variant, operator.text, 2, 64, 3, 5, scale)
    if reason := build.why_not(case):
        pytest.skip(reason)
    prepared = prepare(case, 0, {})
    assert work.macs_fvcore(prepared.module, prepared.inputs).macs == work.macs(prepared.module, case) > 0


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


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_operation_costs_what_the_convention_says(name: str):
    function, inputs, macs = KNOWN[name]
    assert work.macs_fvcore(_One(function), inputs).macs == macs


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
    assert work.macs(build.create(three), three) == 3 * work.macs(build.create(one), one) == 3 * 4 * 6 * 10


def test_counting_leaves_the_module_in_its_mode():
    case = Case("nearest", "default", "nearest", 1, 4, 3, 5, mode="training")
    prepared = prepare(case, 0, {})
    work.macs_fvcore(prepared.module, prepared.inputs)
    assert prepared.module.training

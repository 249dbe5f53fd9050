"""Sizes that no machine has are answered in one line of our own, by every operator: when it is made, when it runs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import upsamplers
from a2u_bench import operators
from a2u_bench.case import Case
from upsamplers import testing
from upsamplers.operator import MOST
from upsamplers.registry import operator_class


@pytest.mark.parametrize("name", upsamplers.names())
@pytest.mark.parametrize("size", MOST)
def test_a_size_beyond_any_use_is_out_of_range(name: str, size: str) -> None:
    sizes = {"channels": 8, size: 1 << 40}
    with pytest.raises(upsamplers.OptionError, match=rf"^{name}: {size}=1099511627776 is out of range; allowed: .* at"):
        upsamplers.create(name, **sizes)


@pytest.mark.parametrize("name", upsamplers.names())
def test_maps_that_no_memory_holds_are_refused_in_one_line(name: str) -> None:
    op = testing.build(operator_class(name), {}, 2)
    assert op is not None
    op = op.float()
    small = [x.float()[:1, :, :1, :1] for x in testing.inputs(op) if x is not None]
    side = 1 << 12

    def huge(x: Tensor, scale: int) -> Tensor:
        return x.expand(1 << 30, -1, scale * side, scale * side)  # one number, seen many times

    with pytest.raises(
        upsamplers.TooLarge, match=rf"^{name}: memory does not suffice to upsample \(1073741824, "
    ) as met:
        op(*(huge(x, scale) for x, scale in zip(small, (1, op.scale), strict=False)))
    assert "\n" not in str(met.value)


def test_parameters_that_no_memory_holds_are_refused_in_one_line() -> None:
    with pytest.raises(upsamplers.TooLarge, match=r"^pixel_shuffle: memory does not suffice for the parameters at ch"):
        upsamplers.create("pixel_shuffle", channels=1 << 20, scale=1 << 10)
    case = Case("pixel_shuffle", "default", "pixel_shuffle", 1, 1 << 20, 4, 4, scale=1 << 10)
    assert operators.why_not(case).startswith("pixel_shuffle: memory does not suffice")


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    op = upsamplers.create("nearest", channels=8)
    op.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("of another kind")))
    with pytest.raises(RuntimeError, match="of another kind"):
        op(torch.zeros(1, 8, 2, 2))

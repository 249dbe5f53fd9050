"""The check sees every value of the map that is timed, and compares it with float64 by plain PyTorch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from a2u_bench.case import Case
from a2u_bench.measure import check as checking
from a2u_bench.measure import precision
from a2u_bench.measure.check import Incorrect, check
from a2u_bench.measure.inputs import Prepared, prepare
from upsamplers.primitive import backends


def prepared(options: str, **axes: Any) -> Prepared:
    shape = {"batch": 1, "channels": 8, "height": 20, "width": 24}
    return prepare(Case(options.partition(":")[0], "", options, **({"threads": 1} | shape | axes)), 0, {})


def judged(one: Prepared, call: Any = None) -> None:
    with torch.set_grad_enabled(one.case.mode == "training"):
        check(one, call)


def test_a_value_that_is_wrong_far_from_the_first_corner_is_found():
    case = Case("hostile:WrongFarAway", "", "hostile:WrongFarAway", 2, 4, 20, 24, threads=1)
    with pytest.raises(Incorrect, match="differs from its float64 definition by 1; allowed: 0"):
        judged(prepare(case, 0, {}))


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("options", ["carafe", "dysample", "a2u", "index_net", "deconv", "fade"])
def test_no_compiled_kernel_has_a_part_in_the_definition(options: str, mode: str, monkeypatch):
    one = prepared(options, channels=16, batch=2, mode=mode)
    with torch.set_grad_enabled(mode == "training"):
        result = one.call()

    def compiled(*_: Any, **__: Any) -> Tensor:
        raise AssertionError("a compiled kernel was called")

    for name in ("numba", "triton"):
        monkeypatch.setitem(backends.BACKENDS, name, compiled)
    judged(one, lambda: result)


def test_the_whole_map_is_compared_and_a_band_of_it_where_float64_does_not_fit(monkeypatch):
    on_cpu = prepared("carafe", batch=2)
    there = replace(on_cpu, case=replace(on_cpu.case, device="cuda"))
    each = 8 * (checking.MAPS * 8 + 2 * 25 + 0) * 4 * 24  # bytes for a row of z: maps, kernels, no guide
    for available, rows in ((None, 20), (each * 2 * 20, 20), (each * 2 * 19, 19), (each * 2, 1), (0, 1)):
        monkeypatch.setattr(checking, "available_memory", lambda device, available=available: available)
        assert checking._rows(there, there.module, 1) == rows
        judged(there)


def test_on_a_cpu_a_band_stands_for_a_large_map_and_batch_statistics_have_the_whole_batch(monkeypatch):
    monkeypatch.setattr(checking, "ON_A_CPU", 8 * 4 * 24 * 2 * 3)
    one = prepared("index_net", batch=2, mode="training")
    assert checking._rows(one, one.module, 2) == 3
    with torch.enable_grad():
        up = one.call()[0].detach()
    before = {name: value.clone() for name, value in one.module.state_dict().items()}
    checking._check_values(one, one.module, up)
    for name, value in one.module.state_dict().items():
        assert torch.equal(value, before[name]), name


class InTf32(TorchDispatchMode):
    """Convolutions as a GPU makes them in TF32: factors keep ten bits of their mantissa."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name == "aten::convolution":
            args = tuple(self._short(one) if place < 2 else one for place, one in enumerate(args))
        return func(*args, **(kwargs or {}))

    @staticmethod
    def _short(tensor: Tensor) -> Tensor:
        bits = tensor.contiguous().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


@pytest.mark.parametrize("options", ["deconv", "pixel_shuffle", "fade", "fade_lite"])
def test_convolutions_in_tf32_are_no_float32_and_pass_as_tf32(options: str):
    one = prepared(options, channels=256, height=8, width=8)

    def call() -> Tensor:
        with torch.no_grad(), InTf32():
            return one.call()

    with torch.no_grad():
        check(one)
        with pytest.raises(Incorrect, match="differs from its float64 definition"):
            check(one, call)
        check(replace(one, case=replace(one.case, dtype="tf32")), call)


def test_float32_means_float32_before_and_after_a_case_that_asks_for_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)

    def allowed() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    case = Case("nearest", "", "nearest", 1, 4, 4, 4)
    with precision.as_asked(case):
        assert allowed() == (False, False)
    with precision.as_asked(replace(case, dtype="tf32", mode="training")):
        assert allowed() == (True, True) and torch.is_grad_enabled()
    assert allowed() == (False, False)
    assert precision.stored("tf32") == torch.float32

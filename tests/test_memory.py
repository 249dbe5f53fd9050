"""Memory is exact to the byte: outputs, scratch inside kernels and custom operators, and what backward keeps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from a2u_bench.measure.memory import peak_memory, peak_of, saved_memory


@pytest.fixture(scope="module")
def scratch():
    @torch.library.custom_op("a2u_bench_tests::scratch", mutates_args=())
    def scratch(x: Tensor) -> Tensor:
        first = torch.empty(1_000_003, dtype=torch.uint8)
        del first
        second = torch.empty(3000, dtype=torch.uint8)
        return torch.empty(second.shape[0] - 1000, dtype=torch.uint8)

    return scratch


def test_the_peak_is_the_highest_sum_in_order():
    assert peak_of([100, 50, -100, 30, -80]) == 150
    assert peak_of([-5, 3]) == 0
    assert peak_of([]) == 0


def test_an_output_counts_to_the_byte_and_inputs_do_not():
    x = torch.zeros(10, 100)
    assert peak_memory(lambda: torch.empty(1001, dtype=torch.uint8)) == 1001
    assert peak_memory(lambda: torch.neg(x)) == 4000
    assert peak_memory(lambda: x.view(-1)) == 0


def test_a_released_intermediate_counts_while_it_lives():
    def call() -> Tensor:
        wide = torch.empty(5000, dtype=torch.uint8)
        small = torch.empty(700, dtype=torch.uint8)
        del wide
        return torch.cat([small, torch.empty(300, dtype=torch.uint8)])

    assert peak_memory(call) == 5700


def test_scratch_inside_a_custom_operator_counts(scratch):
    x = torch.zeros(1)
    assert peak_memory(lambda: scratch(x)) == 1_000_003


def test_the_same_call_gives_the_same_bytes_every_time():
    x = torch.randn(1, 8, 12, 12)
    convolution = torch.nn.Conv2d(8, 8, 3, padding=1)
    with torch.no_grad():
        assert len({peak_memory(lambda: convolution(x)) for _ in range(3)}) == 1


def test_saved_for_backward_counts_each_storage_once_and_leaves_inputs_and_parameters_out():
    x = torch.randn(6, 50, requires_grad=True)
    weight = torch.randn(6, 50, requires_grad=True)

    def call() -> Tensor:
        y = x * weight  # saves x and weight, which were there before
        z = y.exp()  # saves z: 1200 bytes
        return z * z.view(6, 50)  # saves z again

    assert saved_memory(call, (x, weight)) == 1200
    assert saved_memory(call, (x,)) == 2400
    assert saved_memory(lambda: x + 1, (x,)) == 0

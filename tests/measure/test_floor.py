"""Speed of light from known rates, and rates from a clock that obeys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from a2u_bench.measure import ceilings
from a2u_bench.measure.floor import copy_rate, floor

KNOWN = {"copy": [[1 << 20, 100e9], [1 << 28, 10e9]], "matrix": {"float32": 1e12}}


def test_the_floor_is_the_longer_of_moving_and_computing():
    assert floor(KNOWN, 1 << 28, 10, "float32") == (1 << 28) / 10e9
    assert floor(KNOWN, 1 << 28, 10**12, "float32") == 1.0


def test_what_fits_a_cache_is_held_to_the_cache_s_rate():
    assert copy_rate(KNOWN, 100) == 100e9
    assert copy_rate(KNOWN, (1 << 28) - 1) == 100e9
    assert copy_rate(KNOWN, 1 << 28) == 10e9


def test_a_larger_copy_that_was_quicker_shows_what_a_smaller_one_can_do():
    disturbed = {"copy": [[1 << 20, 1e9], [1 << 22, 50e9], [1 << 28, 10e9]]}
    assert [copy_rate(disturbed, 1 << exponent) for exponent in (19, 20, 22, 28)] == [50e9, 50e9, 50e9, 10e9]


@pytest.mark.parametrize("known", [{}, {"copy": [], "matrix": {"float32": 1e12}}, {"copy": [[1, 1.0]], "matrix": {}}])
def test_without_a_rate_there_is_no_floor(known: dict[str, Any]):
    assert floor(known, 100, 100, "float32") is None


class Rates:
    """A timer whose first samples take 1, 3 and 2 times these seconds and all others 4 times; every call is made."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.samples = seconds, 0

    def sample(self, call: Callable[[], Any], inner: int) -> float:
        call()
        self.samples += 1
        return self.seconds * (1, 3, 2, 4)[min(self.samples, 4) - 1]


def test_a_ceiling_is_the_best_of_several_samples_and_the_first_is_not_kept():
    assert ceilings.best(lambda: None, Rates(0.001)) == 0.002
    slow = Rates(1.0)
    assert ceilings.best(lambda: None, slow) == 2.0
    assert slow.samples == 1 + ceilings.FEWEST_SAMPLES


def test_rates_count_bytes_read_and_written_and_one_for_each_multiply_add():
    assert ceilings.copy_rate(1 << 18, "cpu", Rates(0.001)) == (1 << 18) / 0.002
    assert ceilings.matrix_rate("float32", "cpu", Rates(0.004)) == pytest.approx(512**3 / 0.016)


class Together(Rates):
    """An accelerator's timer, which can time calls without a gap."""

    def together(self, call: Callable[[], Any], inner: int) -> float:
        assert inner == ceilings.TOGETHER
        return self.sample(call, inner) / inner


def test_on_an_accelerator_a_ceiling_is_of_calls_without_a_gap_and_data_are_random():
    assert ceilings.best(lambda: None, Together(0.008)) == pytest.approx(0.016 / ceilings.TOGETHER)
    seen: list[torch.Tensor] = []

    class Looking(Rates):
        def sample(self, call: Callable[[], Any], inner: int) -> float:
            seen.extend(cell.cell_contents for cell in call.__closure__ or () if torch.is_tensor(cell.cell_contents))
            seen.extend(one for one in call.__defaults__ or () if torch.is_tensor(one))
            return super().sample(call, inner)

    ceilings.copy_rate(1 << 12, "cpu", Looking(0.02))
    ceilings.matrix_rate("tf32", "cpu", Looking(0.02))
    assert {tensor.dtype for tensor in seen} == {torch.float32}
    assert len(seen) > 4 and all(float(tensor.std()) > 0.5 for tensor in seen)  # results are of the call before
    assert not torch.backends.cuda.matmul.allow_tf32


def test_ceilings_are_plain_data_that_the_floor_reads(monkeypatch):
    monkeypatch.setattr(ceilings, "SIZES", (1 << 18,))
    found = ceilings.ceilings("cpu", 1, ["float32"], Rates(0.02))
    assert (found["device"], found["threads"]) == ("cpu", 1)
    assert floor(found, 1 << 18, 1, "float32") is not None

"""Kernels that are compiled while a case is checked are told apart from the check."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numba
import pytest

from a2u_bench.measure.compiling import compiling


def test_compiling_is_timed_and_calling_what_is_compiled_is_not():
    begin = time.perf_counter()
    kernel = numba.njit(lambda x: x + 1)
    with compiling() as first:
        assert kernel(1) == 2
    spent = time.perf_counter() - begin
    with compiling() as again:
        assert kernel(2) == 3
    assert len(first) == 1
    assert 0 < first[0] <= spent
    assert again == []


def test_who_waits_hears_when_a_compilation_begins_and_when_the_last_one_within_it_ends():
    heard: list[bool] = []
    inner = numba.njit(lambda x: x + 1)
    kernel = numba.njit(lambda x: inner(x) + 1)
    with compiling(heard.append):
        kernel(1)
    assert heard[0] is True and heard[-1] is False
    assert heard[:-1].count(True) == len(heard) - 1 > 1


def test_what_triton_compiled_counts_and_what_it_found_compiled_does_not():
    triton = pytest.importorskip("triton")
    if not hasattr(triton, "knobs"):
        pytest.skip("this Triton does not tell how long it compiled")
    before = triton.knobs.compilation.listener
    with compiling() as seconds:
        for hit, micro in ((False, 2_000_000), (True, 70)):
            times = SimpleNamespace(total=micro)
            triton.knobs.compilation.listener(src=None, metadata={}, metadata_group={}, times=times, cache_hit=hit)
    assert seconds == [2.0]
    assert triton.knobs.compilation.listener is before

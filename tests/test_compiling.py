"""Kernels that are compiled while a case is checked are told apart from the check."""

from __future__ import annotations

import time

import numba

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

"""Ratios from raw samples: pairing takes out what two cases share, and processes count once each."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from a2u_bench.ratios import Ratios, between_runs, from_intervals, gather, holm, within_a_run


def single(log: float, error: float, freedom: float) -> Ratios:
    return Ratios(np.array(log), np.array(error), np.array(freedom))


def test_samples_are_gathered_by_case_process_and_round():
    lines = [
        {"case": "a", "process": 2, "round": 0, "latency": [1.0, 3.0]},
        {"case": "a", "process": 2, "round": 1, "latency": [4.0]},
        {"case": "b", "process": 3, "round": 0, "latency": [5.0]},
        {"case": "b", "process": 3, "round": 1, "latency": []},
        {"case": "b", "process": 3, "round": 2, "latency": [0.0]},  # a clock that stood still has no logarithm
    ]
    assert gather(lines) == {"a": {2: {0: 2.0, 1: 4.0}}, "b": {3: {0: 5.0}}}


def test_a_slow_moment_that_falls_on_both_cases_leaves_their_ratio_alone():
    load = {(process, index): 1 + 7 * ((process * 5 + index * 3) % 4) for process in range(6) for index in range(10)}
    base = {p: {r: load[p, r] * 1e-3 for r in range(10)} for p in range(6)}
    slow = {p: {r: load[p, r] * 1.05e-3 for r in range(10)} for p in range(6)}
    ratio = within_a_run(slow, base)
    assert_allclose(ratio.value, 1.05)
    assert float(ratio.probability) < 1e-9
    assert float(between_runs(slow, base).probability) > 0.05  # unpaired, the load hides it


def test_only_rounds_that_both_cases_have_are_paired():
    ratio = within_a_run({0: {0: 2.0, 1: 2.0, 2: 99.0}, 1: {0: 2.0}}, {0: {0: 1.0, 1: 1.0}, 1: {0: 1.0, 7: 5.0}})
    assert_allclose(ratio.value, 2.0)
    assert float(ratio.freedom) == 1


def test_the_interval_is_student_s_over_processes_however_many_rounds_they_have():
    logs = [0.01, 0.03, 0.02, 0.06]
    few = within_a_run({p: {0: math.exp(log)} for p, log in enumerate(logs)}, {p: {0: 1.0} for p in range(4)})
    many = within_a_run(
        {p: {r: math.exp(log) for r in range(99)} for p, log in enumerate(logs)},
        {p: dict.fromkeys(range(99), 1.0) for p in range(4)},
    )
    test = stats.ttest_1samp(logs, 0)
    for ratio in (few, many):
        assert_allclose(ratio.probability, test.pvalue)
        assert_allclose(np.log(ratio.interval()), tuple(test.confidence_interval()))


def test_cases_of_different_blocks_are_paired_in_the_order_of_their_processes():
    drift = [1.0, 2.0, 4.0]
    ratio = within_a_run(
        {p: {0: 3e-3 * slow} for p, slow in zip((2, 5, 8), drift, strict=True)},
        {p: {0: 1e-3 * slow} for p, slow in zip((1, 4, 7), drift, strict=True)},
    )
    assert_allclose(ratio.value, 3.0)
    assert float(ratio.probability) < 1e-9


def test_two_runs_are_compared_as_welch_does():
    first, second = [1.0, 1.1, 1.3], [1.5, 1.4, 1.7, 1.6]
    ratio = between_runs({p: {0: t} for p, t in enumerate(first)}, {p: {0: t} for p, t in enumerate(second)})
    test = stats.ttest_ind(np.log(first), np.log(second), equal_var=False)
    assert_allclose(ratio.probability, test.pvalue)
    assert_allclose(np.log(ratio.interval()), tuple(test.confidence_interval()))


@pytest.mark.parametrize("compare", [within_a_run, between_runs])
def test_one_process_says_nothing_of_how_processes_differ(compare):
    ratio = compare({0: {0: 2.0, 1: 2.0}}, {0: {0: 1.0, 1: 1.0}})
    assert_allclose(ratio.value, 2.0)
    assert [float(end) for end in ratio.interval()] == [0.0, math.inf]
    assert float(ratio.probability) == 1.0


@pytest.mark.parametrize("compare", [within_a_run, between_runs])
def test_no_samples_make_no_ratio(compare):
    ratio = compare({}, {0: {0: 1.0}})
    assert math.isnan(float(ratio.value))
    assert float(ratio.probability) == 1.0


def test_without_any_error_a_difference_is_certain_either_way():
    assert float(single(0.1, 0.0, 3).probability) == 0.0
    assert float(single(0.0, 0.0, 3).probability) == 1.0


def test_intervals_alone_say_less_than_samples_and_never_more():
    one, five = np.array([1.0]), np.array([5.0])
    sure = from_intervals((one * 1.5, one * 1.45, one * 1.55), (one, one * 0.99, one * 1.01), five)
    vague = from_intervals((one * 1.5, one * 1.0, one * 2.2), (one, one * 0.9, one * 1.1), five)
    low, high = vague.interval()
    assert sure.probability[0] < 1e-3 < 0.05 < vague.probability[0]
    assert low[0] < 1.5 < high[0]


def test_holm_raises_each_probability_by_how_many_are_left_and_keeps_their_order():
    # By hand: 0.01·4, 0.02·3, 0.03·2 raised to the 0.06 before it, 0.8·1.
    assert_allclose(holm([0.03, 0.8, 0.01, 0.02]), [0.06, 0.8, 0.04, 0.06])
    assert_allclose(holm([0.9, 0.9]), [1.0, 1.0])
    assert holm([]).tolist() == []

"""Intervals cover what they say, and differences between processes count for more than rounds."""

from __future__ import annotations

import numpy as np
import pytest

from a2u_bench.measure.intervals import _resampled_medians, estimate, is_tight, seed_of


def test_the_median_is_that_of_all_samples():
    result = estimate([[1.0, 2.0, 9.0], [4.0, 5.0]], seed=0)
    assert (result.median, result.samples, result.processes) == (4.0, 5, 2)
    assert 1.0 <= result.low <= 4.0 <= result.high <= 9.0


def test_samples_that_agree_leave_no_interval():
    result = estimate([[2.0] * 5] * 3, seed=1)
    assert (result.low, result.median, result.high, result.spread) == (2.0, 2.0, 2.0, 0.0)


def test_the_interval_depends_on_the_seed_and_on_nothing_else():
    data = np.random.default_rng(0).lognormal(size=(4, 10)).tolist()
    assert estimate(data, seed=3) == estimate(data, seed=3)
    assert estimate(data, seed=3) != estimate(data, seed=4)


def test_processes_that_differ_widen_the_interval_more_than_rounds_that_do():
    spread = [0.9, 0.95, 1.0, 1.05, 1.1]
    within = estimate([spread * 4] * 5, seed=0)
    between = estimate([[value] * 20 for value in spread], seed=0)
    assert between.spread > 2 * within.spread


def test_processes_of_unequal_length_do_not_leak_into_each_other():
    # The long process holds 1 and the short one 5: every resampled median is one of the two or halfway.
    result = estimate([[1.0] * 30, [5.0] * 2], seed=0)
    assert result.median == 1.0
    assert (result.low, result.high) == (1.0, 5.0)
    # A long process outvotes the short one wherever it is drawn, which is in three of four resamples.
    medians = _resampled_medians([np.zeros(1), np.ones(9)], np.random.default_rng(0))
    assert set(medians) == {0.0, 1.0}
    assert 0.7 < medians.mean() < 0.8


def test_a_nominal_95_per_cent_covers_at_least_90_of_100_truths_with_six_processes():
    random = np.random.default_rng(5)
    covered = 0
    for trial in range(100):
        levels = np.exp(random.normal(0, 0.03, 6))
        result = estimate([list(level * np.exp(random.normal(0, 0.03, 12))) for level in levels], seed=trial)
        covered += result.low <= 1.0 <= result.high
    assert covered >= 90


def test_without_samples_there_is_no_estimate():
    with pytest.raises(ValueError, match="no samples"):
        estimate([[], []], seed=0)


def test_few_samples_are_never_tight_and_equal_ones_are():
    assert not is_tight([1.0] * 3, 0.01)
    assert is_tight([1.0] * 10, 0.01)
    assert not is_tight([1.0, 2.0] * 10, 0.01)


def test_seeds_differ_by_run_and_by_case():
    assert len({seed_of(0, "a"), seed_of(0, "b"), seed_of(1, "a")}) == 3


def test_four_processes_cover_the_truth_about_as_often_as_six_would():
    random = np.random.default_rng(0)
    trials, covered = 250, 0
    for trial in range(trials):
        levels = random.normal(1.0, 0.05, 4)
        found = estimate([random.normal(level, 0.02, 12).tolist() for level in levels], seed=trial)
        covered += found.low <= 1.0 <= found.high
    assert covered / trials >= 0.93  # without √(n/(n − 1)) it is 0.92


def test_two_runs_find_their_medians_in_each_other_s_intervals_nine_times_of_ten():
    random = np.random.default_rng(1)
    trials, agreed = 200, 0
    for trial in range(trials):
        first, second = (
            estimate([random.normal(level, 0.05, 10).tolist() for level in random.normal(1.0, 0.08, 6)], seed)
            for seed in (2 * trial, 2 * trial + 1)
        )
        agreed += first.low <= second.median <= first.high and second.low <= first.median <= second.high
    assert agreed / trials >= 0.93  # without √2 it is 0.86

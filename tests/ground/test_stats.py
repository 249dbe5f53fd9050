"""The one estimator: its intervals cover what they promise; it agrees with scipy's t, Welch's t and Holm by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats as scipy_stats

from a2u_bench import stats
from a2u_bench.stats import Estimate

RUNS, ROUNDS = 4000, 20

# Shares of a latency: how processes differ, how rounds do, how the machine drifts, and how many rounds are spikes.
MIXES = {
    "processes": {"process": 0.05, "round": 0.03, "drift": 0.0, "spikes": 0.0},
    "rounds": {"process": 0.01, "round": 0.15, "drift": 0.0, "spikes": 0.1},
    "drift": {"process": 0.01, "round": 0.03, "drift": 0.2, "spikes": 0.02},
}
FAR = 6  # turns of other blocks between two processes of this one, while the machine drifts on


def simulated(mix: str, processes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the times of a case and of its reference, each [run, process, round], both of truth 0."""
    share = MIXES[mix]
    random = np.random.default_rng([processes, *mix.encode()])
    shape = (RUNS, processes, ROUNDS)
    drift = np.empty(shape)  # an Ornstein–Uhlenbeck process whose memory is as long as a process runs
    for process in range(processes):
        for index in range(ROUNDS):
            steps = 1 if index else FAR * ROUNDS
            keep = math.exp(-steps / ROUNDS) if process or index else 0.0
            last = drift[:, process, index - 1] if index else drift[:, process - 1, -1] if process else 0.0
            drift[:, process, index] = keep * last + math.sqrt(1 - keep**2) * random.normal(size=RUNS)
    both = share["drift"] * drift + share["process"] * random.normal(size=(RUNS, processes, 1))
    cases = []
    for _ in range(2):
        own = share["process"] * random.normal(size=(RUNS, processes, 1)) + share["round"] * random.normal(size=shape)
        cases.append(both + own + (random.random(shape) < share["spikes"]) * random.exponential(1.0, shape))
    return cases[0], cases[1]


def estimated(logs: np.ndarray) -> Estimate:
    """An estimate for each run, by the same two steps as `stats.latency` and `stats.ratio`."""
    runs, processes, rounds = logs.shape
    groups = np.repeat(np.arange(runs * processes), rounds)
    which, middle = stats.medians(groups, logs.reshape(-1))
    return stats.over_groups(which // processes, middle, runs)


@pytest.mark.parametrize("processes", [4, 6, 10])
@pytest.mark.parametrize("mix", MIXES)
def test_intervals_cover_what_repeated_runs_find_on_average_as_often_as_they_promise(mix, processes):
    case, reference = simulated(mix, processes)
    for logs in (case, case - reference):
        found = estimated(logs)
        low, high = found.interval()
        truth = math.exp(float(np.mean(found.log)))
        assert 0.93 <= np.mean((low <= truth) & (truth <= high)) <= 0.97
    assert abs(np.mean(found.log)) < 0.005  # and a ratio's average is the truth: spikes and drift fall on both


def as_samples(logs: np.ndarray) -> dict[int, dict[int, float]]:
    return {process: dict(enumerate(np.exp(rounds))) for process, rounds in enumerate(logs)}


def test_many_at_once_and_one_by_one_are_the_same_estimates():
    case, reference = (logs[:5] for logs in simulated("drift", 4))
    for run in range(5):
        one, other = as_samples(case[run]), as_samples(reference[run])
        ratio, middles = stats.ratio(one, other), np.log(np.median(np.exp(case[run]), axis=1))
        many = estimated(case - reference)[run]
        assert_allclose([ratio.log, ratio.error, ratio.freedom], [many.log, many.error, many.freedom])
        assert_allclose(stats.latency(one).log, middles.mean())


def test_samples_are_gathered_by_case_process_and_round():
    lines = [
        {"case": "a", "process": 2, "round": 0, "latency": [1.0, 3.0], "pace": 1e-3},
        {"case": "a", "process": 2, "round": 1, "latency": [4.0], "latency_cold": [9.0]},
        {"case": "b", "process": 3, "round": 0, "latency": [5.0]},
        {"case": "b", "process": 3, "round": 1, "latency": []},
        {"case": "b", "process": 3, "round": 2, "latency": [0.0]},  # a clock that stood still has no logarithm
    ]
    assert stats.gather(lines) == {"a": {2: {0: 2.0, 1: 4.0}}, "b": {3: {0: 5.0}}}
    assert stats.gather(lines, "latency_cold") == {"a": {2: {1: 9.0}}}


def test_a_slow_moment_that_falls_on_both_cases_leaves_their_ratio_alone():
    load = {(process, index): 1 + 7 * ((process * 5 + index * 3) % 4) for process in range(6) for index in range(10)}
    base = {p: {r: load[p, r] * 1e-3 for r in range(10)} for p in range(6)}
    slow = {p: {r: load[p, r] * 1.05e-3 for r in range(10)} for p in range(6)}
    ratio = stats.ratio(slow, base)
    assert_allclose(ratio.value, 1.05)
    assert ratio.probability < 1e-9
    assert stats.apart(slow, base).probability > 0.05  # unpaired, the load hides it


def test_only_rounds_that_both_cases_have_are_paired():
    case = {0: {0: 2.0, 1: 2.0, 2: 99.0}, 1: {0: 2.0}, 5: {0: 7.0}}
    ratio = stats.ratio(case, {0: {0: 1.0, 1: 1.0}, 1: {0: 1.0, 7: 5.0}, 5: {9: 1.0}})
    assert_allclose(ratio.value, 2.0)
    assert ratio.freedom == 1


def test_the_interval_is_student_s_over_processes_however_many_rounds_they_have():
    logs = [0.01, 0.03, 0.02, 0.06]
    test = scipy_stats.ttest_1samp(logs, 0)
    ends = np.exp(tuple(test.confidence_interval()))
    for rounds in (1, 99):
        case = {p: dict.fromkeys(range(rounds), math.exp(log)) for p, log in enumerate(logs)}
        ones = {p: dict.fromkeys(range(rounds), 1.0) for p in range(4)}
        for estimate in (stats.ratio(case, ones), stats.latency(case)):
            assert_allclose(estimate.probability, test.pvalue)
            assert_allclose(estimate.interval(), ends)
            assert_allclose(estimate.half_width, math.sqrt(ends[1] / ends[0]) - 1)


def test_two_cases_that_shared_no_process_are_compared_by_way_of_the_reference():
    first = {p: {0: 3e-3 * slow} for p, slow in enumerate([1.0, 2.0, 4.0, 1.1])}
    second = {p: {0: 1e-3 * slow} for p, slow in enumerate([7.0, 1.0, 2.0, 5.0], start=10)}
    reference = {p: {0: time[0] / 3} for p, time in first.items()} | {p: {0: t[0] / 2} for p, t in second.items()}
    across = stats.through(first, second, reference)
    assert_allclose(across.value, 1.5)
    assert across.half_width < 1e-6
    inside = stats.through(first, {p: {0: 1.0} for p in first}, reference)
    assert_allclose(inside.log, stats.ratio(first, {p: {0: 1.0} for p in first}).log)  # paired, where they can be
    assert math.isnan(stats.through(first, second, {}).log)


def test_two_independent_estimates_are_compared_as_welch_does():
    first, second = [1.5, 1.4, 1.7, 1.6], [1.0, 1.1, 1.3]
    test = scipy_stats.ttest_ind(np.log(first), np.log(second), equal_var=False)
    ratio = stats.apart({p: {0: t} for p, t in enumerate(first)}, {p: {0: t} for p, t in enumerate(second)})
    assert_allclose(ratio.probability, test.pvalue)
    assert_allclose(ratio.interval(), np.exp(tuple(test.confidence_interval())))
    assert_allclose(stats.change(ratio, ratio).value, 1.0)


@pytest.mark.parametrize("compare", [stats.ratio, stats.apart])
def test_one_process_says_nothing_of_how_processes_differ(compare):
    ratio = compare({0: {0: 2.0, 1: 2.0}}, {0: {0: 1.0, 1: 1.0}})
    assert_allclose(ratio.value, 2.0)
    assert ratio.interval() == (0.0, math.inf)
    assert ratio.half_width == math.inf
    assert ratio.probability == 1.0


@pytest.mark.parametrize("compare", [stats.ratio, stats.apart])
def test_no_samples_make_no_ratio(compare):
    for ratio in (compare({}, {0: {0: 1.0}}), compare({0: {}}, {0: {0: 1.0}})):
        assert math.isnan(ratio.value)
        assert ratio.probability == 1.0


def test_without_any_error_a_difference_is_certain_either_way():
    assert Estimate(np.float64(0.1), np.float64(0.0), np.float64(3)).probability == 0.0
    assert Estimate(np.float64(0.0), np.float64(0.0), np.float64(3)).probability == 1.0


def test_scores_are_averaged_as_they_are_with_the_seeds_as_replicates():
    values = [30.1, 30.4, 29.9]
    interval = scipy_stats.ttest_1samp(values, 0).confidence_interval()
    assert_allclose(stats.scores(values), (np.mean(values), *interval))
    assert stats.scores([3.0]) == (3.0, -math.inf, math.inf)
    with pytest.raises(ValueError, match="no scores"):
        stats.scores([])


def test_holm_raises_each_probability_by_how_many_are_left_and_keeps_their_order():
    # By hand: 0.01·4, 0.02·3, 0.03·2 raised to the 0.06 before it, 0.8·1.
    assert_allclose(stats.holm([0.03, 0.8, 0.01, 0.02]), [0.06, 0.8, 0.04, 0.06])
    assert_allclose(stats.holm([0.9, 0.9]), [1.0, 1.0])
    assert stats.holm([]).tolist() == []

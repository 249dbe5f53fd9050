"""The one estimator: what independent replicates say of a latency, of a ratio of two, and of a training's score.

    log estimate = mean over replicates,   interval = mean ± t · s / √n   (Student's t with n − 1 degrees of freedom)

A replicate is a process: for a latency the logarithm of the median of its rounds; for a ratio the median of its
round-by-round logarithms, so that a slow moment of the machine falls on both cases and cancels. Rounds of one process
resemble each other more than processes do, so a process counts once, however many rounds it has. Scores of trainings
are averaged as they are; there a replicate is a seed. (Student, "The probable error of a mean", Biometrika 1908;
Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 1947; Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 1979.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Samples = Mapping[int, Mapping[int, float]]
"""One case's samples: process -> round -> seconds."""

Numbers = NDArray[np.float64]

CONFIDENCE = 0.95

MANY = 1e9  # degrees of freedom that are as good as infinitely many


@dataclass(frozen=True)
class Estimate:
    """Latencies in seconds, or ratios: logarithms, their standard errors, and the degrees of freedom of each error.

    Zero degrees of freedom mean that nothing is known of the error. Numbers, or arrays of one shape.
    """

    log: Any
    error: Any
    freedom: Any

    @property
    def value(self) -> Any:
        """The estimates themselves; NaN where there was no sample."""
        return np.exp(self.log)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[Any, Any]:
        """The ends of each interval; 0 and infinity where nothing is known of the error."""
        reach = self._reach(confidence)
        with np.errstate(over="ignore"):  # beyond all numbers is infinity
            return np.exp(self.log - reach), np.exp(self.log + reach)

    @property
    def half_width(self) -> Any:
        """Half the 95 % interval as a share of the value, √(high / low) − 1; infinite where nothing is known."""
        return np.expm1(self._reach(CONFIDENCE))

    @property
    def probability(self) -> Any:
        """Of a value so far from 1, or farther, where the truth is 1; 1 where nothing is known of the error."""
        from scipy import special  # a quarter of a second, which a table without verdicts does not need

        known = np.greater(self.freedom, 0)
        freedom = np.where(known, np.minimum(self.freedom, MANY), 1.0)
        distance = np.abs(self.log) / np.where(np.greater(self.error, 0), self.error, 1.0)
        exact = np.where(np.equal(self.log, 0), 1.0, 0.0)  # without any error it is a difference or it is none
        tails = np.where(np.greater(self.error, 0), 2 * special.stdtr(freedom, -distance), exact)
        return np.where(known, tails, 1.0)[()]

    def __getitem__(self, chosen: Any) -> Estimate:
        """Some of these estimates, as numpy chooses from an array."""
        return Estimate(self.log[chosen], self.error[chosen], self.freedom[chosen])

    def _reach(self, confidence: float) -> Any:
        known = np.greater(self.freedom, 0)
        quantile = _student((1 + confidence) / 2, np.where(known, np.minimum(self.freedom, MANY), 1.0))
        return np.where(known, quantile * self.error, np.inf)[()]


UNKNOWN = Estimate(np.float64(np.nan), np.float64(0.0), np.float64(0.0))
"""Of what was never timed."""


def gather(stored: Iterable[Mapping[str, Any]], name: str = "latency") -> dict[str, dict[int, dict[int, float]]]:
    """Stored samples as case -> process -> round -> seconds; several times of one round become their mean."""
    found: dict[str, dict[int, dict[int, float]]] = {}
    for sample in stored:
        times: Sequence[float] = sample.get(name) or ()
        if times and min(times) > 0:
            rounds = found.setdefault(sample["case"], {}).setdefault(sample["process"], {})
            rounds[sample["round"]] = sum(times) / len(times)
    return found


def latency(case: Samples) -> Estimate:
    """A case's latency in seconds: the geometric mean of its processes' medians."""
    return over_replicates([np.log(np.median(list(rounds.values()))) for rounds in case.values() if rounds])


def ratio(case: Samples, reference: Samples) -> Estimate:
    """case / reference, from the rounds of the processes that timed both; UNKNOWN where they share none."""
    return over_replicates(
        [
            np.median([np.log(case[process][index] / reference[process][index]) for index in shared])
            for process in case.keys() & reference.keys()
            if (shared := case[process].keys() & reference[process].keys())
        ]
    )


def through(first: Samples, second: Samples, reference: Samples) -> Estimate:
    """first / second: paired where processes timed both, else by way of a reference that was timed beside each."""
    paired = ratio(first, second)
    return change(ratio(second, reference), ratio(first, reference)) if np.isnan(paired.log) else paired


def apart(first: Samples, second: Samples) -> Estimate:
    """first / second, of cases that were not timed together: Welch's t over the medians of the processes of each.

    It knows how processes differ, and nothing of a machine that changed between the two.
    """
    return change(latency(second), latency(first))


def change(before: Estimate, after: Estimate) -> Estimate:
    """after / before, of two independent estimates, with Welch's degrees of freedom."""
    first, second = np.square(before.error), np.square(after.error)
    known = np.logical_and(np.greater(before.freedom, 0), np.greater(after.freedom, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        welch = np.square(first + second) / (np.square(first) / before.freedom + np.square(second) / after.freedom)
    freedom = np.where(np.greater(first + second, 0), welch, np.minimum(before.freedom, after.freedom))
    return Estimate(after.log - before.log, np.sqrt(first + second), np.where(known, freedom, 0.0)[()])


def from_interval(center: Any, low: Any, high: Any, replicates: Any, confidence: float = CONFIDENCE) -> Estimate:
    """The estimate whose interval this is: of logarithms all three, of scores the scores themselves.

    NaN is unknown; where the number of replicates is, they are taken as many.
    """
    freedom = np.where(np.isnan(replicates), MANY, replicates - 1.0)
    known = (freedom > 0) & np.isfinite(high - low)
    with np.errstate(invalid="ignore"):
        error = (high - low) / 2 / _student((1 + confidence) / 2, np.where(known, np.minimum(freedom, MANY), 1.0))
    return Estimate(center, np.where(known, error, 0.0)[()], np.where(known, freedom, 0.0)[()])


def scores(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """The mean of independent scores and the ends of its interval, in the scores' unit; infinite ends for one score.

    ValueError without scores.
    """
    if not len(values):
        raise ValueError("no scores")
    found = over_replicates(values)
    reach = found._reach(confidence)
    return float(found.log), float(found.log - reach), float(found.log + reach)


def holm(probabilities: Iterable[float]) -> Numbers:
    """Probabilities corrected for how many they are, by Holm's step-down method: those below a level are sure at it."""
    given = np.asarray(list(probabilities), dtype=np.float64)
    order = np.argsort(given, kind="stable")
    raised = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(raised, 1.0)
    return corrected


def over_replicates(logs: ArrayLike) -> Estimate:
    """One estimate from independent replicates."""
    values = np.asarray(logs, dtype=np.float64)
    return over_groups(np.zeros(len(values), dtype=np.intp), values, 1)[0]


def over_groups(groups: NDArray[np.intp], logs: Numbers, count: int) -> Estimate:
    """`count` estimates at once: `groups` says from 0 on which estimate each replicate belongs to."""
    size = np.bincount(groups, minlength=count)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(groups, logs, count) / size
        variance = np.bincount(groups, np.square(logs - mean[groups]), count) / (size - 1)
        error = np.where(size > 1, np.sqrt(np.maximum(variance, 0) / size), 0.0)
    return Estimate(mean, error, np.maximum(size - 1.0, 0.0))


def medians(groups: NDArray[np.intp], values: Numbers) -> tuple[NDArray[np.intp], Numbers]:
    """The different groups, ascending, and the median of the values of each."""
    order = np.lexsort((values, groups))
    ordered, sorted_values = groups[order], values[order]
    which, first, size = np.unique(ordered, return_index=True, return_counts=True)
    return which, (sorted_values[first + (size - 1) // 2] + sorted_values[first + size // 2]) / 2


def _student(probability: float, freedom: Numbers) -> Numbers:
    from scipy import special  # scipy.stats has the same and takes a second to load

    different, which = np.unique(freedom, return_inverse=True)  # few in a run, and each takes long
    return np.asarray(special.stdtrit(different, probability)[which]).reshape(np.shape(freedom))

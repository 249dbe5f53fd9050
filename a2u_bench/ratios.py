"""The ratio of two latencies, its interval and its probability, from the raw samples of two cases.

Cases interleave, so a slow moment of the machine falls on both and leaves their ratio alone: a ratio is taken within
each round. Two processes differ lastingly (addresses, the order of cases), so a process counts once, by the median
of its rounds, and what is sure is what Student's t says over processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = Mapping[int, Mapping[int, float]]
"""One case's samples: process -> round -> seconds."""

Numbers = NDArray[np.float64]

MANY = 1e9


@dataclass(frozen=True)
class Ratios:
    """Ratios as normal variables: logarithms, their standard errors, and the degrees of freedom of each error.

    No degree of freedom means that nothing is known of the error. Arrays of one length, or numbers.
    """

    log: Numbers
    error: Numbers
    freedom: Numbers

    @property
    def value(self) -> Numbers:
        """The ratios themselves."""
        return np.exp(self.log)

    def interval(self, confidence: float = 0.95) -> tuple[Numbers, Numbers]:
        """Both ends of each ratio's interval; 0 and infinity where nothing is known of the error."""
        known = self.freedom > 0
        reach = _quantile((1 + confidence) / 2, np.where(known, self.freedom, 1.0))
        half = np.where(known, reach * self.error, np.inf)
        return np.exp(self.log - half), np.exp(self.log + half)

    @property
    def probability(self) -> Numbers:
        """Of a ratio so far from 1, or farther, where there is no difference; 1 where nothing is known of the error."""
        from scipy import special  # a quarter of a second, which a table without verdicts does not need

        known = self.freedom > 0
        exact = np.where(self.log == 0, 1.0, 0.0)  # no error at all: it is a difference or it is none
        distance = np.abs(self.log) / np.where(self.error > 0, self.error, 1.0)
        tails = 2 * special.stdtr(np.where(known, np.minimum(self.freedom, MANY), 1.0), -distance)
        return np.where(known, np.where(self.error > 0, tails, exact), 1.0)


def gather(samples: Iterable[Mapping[str, object]]) -> dict[str, dict[int, dict[int, float]]]:
    """Stored samples by case, process and round; a round's several times become their mean."""
    found: dict[str, dict[int, dict[int, float]]] = {}
    for sample in samples:
        times: Sequence[float] = sample["latency"]  # type: ignore[assignment]  # a reader has checked it
        if times and min(times) > 0:
            rounds = found.setdefault(str(sample["case"]), {}).setdefault(int(sample["process"]), {})  # type: ignore[call-overload]
            rounds[int(sample["round"])] = sum(times) / len(times)  # type: ignore[call-overload]
    return found


def within_a_run(first: Samples, second: Samples) -> Ratios:
    """first / second, of two cases of one run.

    In processes that timed both, rounds are paired. Two cases of different blocks share no process: then the first
    process of one is paired with the first of the other and so on, because blocks take turns.
    """
    shared = [process for process in first if first[process].keys() & second.get(process, {}).keys()]
    if shared:
        return _over_processes([_paired(first[process], second[process]) for process in shared])
    both = zip((first[p] for p in sorted(first)), (second[p] for p in sorted(second)), strict=False)
    return _over_processes([_middle(one) - _middle(other) for one, other in both])


def between_runs(first: Samples, second: Samples) -> Ratios:
    """first / second, of two runs that did not interleave: Welch's t over the processes of each.

    It covers how processes differ, not how the machine changed between the runs.
    """
    return _apart(*(np.array([_middle(rounds) for rounds in case.values()]) for case in (first, second)))


def from_intervals(
    first: tuple[Numbers, Numbers, Numbers],
    second: tuple[Numbers, Numbers, Numbers],
    freedom: Numbers,
    confidence: float = 0.95,
) -> Ratios:
    """The same from medians and the ends of their intervals alone, as if the two had not interleaved: less sure."""
    reach = np.where(freedom > 0, _quantile((1 + confidence) / 2, np.where(freedom > 0, freedom, 1.0)), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = [np.log(high / low) / 2 / reach for _, low, high in (first, second)]
        log = np.log(first[0] / second[0])
    error = np.hypot(*errors)
    return Ratios(log, np.where(np.isfinite(error), error, 0.0), np.where(np.isfinite(error), freedom, 0.0))


def holm(probabilities: Iterable[float]) -> Numbers:
    """Probabilities corrected for how many they are, by Holm's step-down method: those below a level are sure at it."""
    given = np.asarray(list(probabilities), dtype=np.float64)
    order = np.argsort(given, kind="stable")
    raised = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(raised, 1.0)
    return corrected


def _quantile(probability: float, freedom: Numbers) -> Numbers:
    """Student's t; with MANY degrees of freedom it is the normal one."""
    from scipy import special  # scipy.stats has the same and takes a second to load

    different, which = np.unique(np.minimum(freedom, MANY), return_inverse=True)  # few in a run, and each takes long
    return np.asarray(special.stdtrit(different, probability)[which]).reshape(np.shape(freedom))


def _paired(first: Mapping[int, float], second: Mapping[int, float]) -> float:
    return float(np.median([np.log(first[index] / second[index]) for index in first.keys() & second.keys()]))


def _middle(rounds: Mapping[int, float]) -> float:
    return float(np.log(np.median(list(rounds.values()))))


def _over_processes(logs: Sequence[float]) -> Ratios:
    """The mean over processes, and its error where there are two at least."""
    values = np.asarray(logs, dtype=np.float64)
    if not len(values):
        return Ratios(np.array(np.nan), np.array(0.0), np.array(0.0))
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return Ratios(np.asarray(values.mean()), np.asarray(error), np.asarray(len(values) - 1.0))


def _apart(first: Numbers, second: Numbers) -> Ratios:
    """Welch: the difference of two means, its error, and how many degrees of freedom that has."""
    if min(len(first), len(second)) == 0:
        return Ratios(np.array(np.nan), np.array(0.0), np.array(0.0))
    log = np.asarray(first.mean() - second.mean())
    if min(len(first), len(second)) < 2:
        return Ratios(log, np.array(0.0), np.array(0.0))
    shares = [values.var(ddof=1) / len(values) for values in (first, second)]
    parts = sum(share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True))
    fewest = float(min(len(first), len(second)) - 1)
    freedom = sum(shares) ** 2 / parts if parts > 0 else fewest
    return Ratios(log, np.asarray(np.sqrt(sum(shares))), np.asarray(freedom))

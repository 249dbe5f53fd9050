"""What samples say: their median, and how far from it the median of the same run, repeated, might lie.

Two processes differ by more than their rounds do, so an interval resamples processes first and rounds within them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 2000

REPEATED = math.sqrt(2.0)
"""The median of a repeated run strays as far from the truth as this one's did: their distance is √2 as wide as one's
error. (ISO 5725 calls the same width, for two results, their repeatability limit.)"""


@dataclass(frozen=True)
class Estimate:
    """The median of all samples with the ends of its interval, in the unit of the samples."""

    median: float
    low: float
    high: float
    samples: int
    processes: int

    @property
    def spread(self) -> float:
        """Half the interval as a share of the median."""
        return (self.high - self.low) / 2 / self.median if self.median > 0 else math.inf


def estimate(processes: Sequence[Sequence[float]], seed: int, confidence: float = 0.95) -> Estimate:
    """The median of all samples and its interval, from the samples of each process.

    The interval is where the same run, repeated on the same machine, would find its median, with that confidence: a
    percentile bootstrap over processes and, within each, over rounds, widened about the median by √2, since both runs
    stray. Few processes show too little of how processes differ: it is widened further as Student's t is wider than
    the normal, and by √(n/(n − 1)), because the spread of n resampled processes is that much too small. One process
    says nothing of it; its interval covers its rounds alone. ValueError where there is no sample.
    """
    groups = [np.asarray(process, dtype=np.float64) for process in processes if len(process)]
    if not groups:
        raise ValueError("no samples")
    pooled = np.concatenate(groups)
    median = float(np.median(pooled))
    medians = _resampled_medians(groups, np.random.default_rng(seed))
    tail = (1 - confidence) / 2
    low, high = (float(end) for end in np.quantile(medians, (tail, 1 - tail)))
    widen = _widening(len(groups), confidence)
    # A time cannot be shorter than the shortest seen by much: the widened end stops at the extremes of the samples.
    low = max(median - widen * max(median - low, 0.0), float(pooled.min()))
    high = min(median + widen * max(high - median, 0.0), float(pooled.max()))
    return Estimate(median, low, high, len(pooled), len(groups))


def seed_of(seed: int, text: str) -> int:
    """A seed that depends on the run's seed and on a text, and on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{seed} {text}".encode()).digest()[:8], "big")


def is_tight(samples: Sequence[float], target: float) -> bool:
    """Whether the median of one process is known to ± `target` of itself: a quick bound from order statistics."""
    count = len(samples)
    reach = 0.98 * math.sqrt(count)  # 1.96 standard deviations of a binomial with p = 1/2
    first, last = math.floor(count / 2 - reach), math.ceil(count / 2 + reach)
    if first < 0 or last >= count:
        return False
    ordered = sorted(samples)
    middle = ordered[count // 2]
    return middle > 0 and (ordered[last] - ordered[first]) / 2 <= target * middle


def _widening(processes: int, confidence: float) -> float:
    if processes < 2:
        return 1.0
    quantile = (1 + confidence) / 2
    student = float(stats.t.ppf(quantile, processes - 1) / stats.norm.ppf(quantile))
    return REPEATED * student * math.sqrt(processes / (processes - 1))


def _resampled_medians(groups: list[NDArray[np.float64]], random: np.random.Generator) -> NDArray[np.float64]:
    """Medians of RESAMPLES data sets: as many processes as there are, each with as many rounds as it has."""
    sizes = np.array([len(group) for group in groups])
    longest = int(sizes.max())
    table = np.full((len(groups), longest), np.inf)
    for row, group in zip(table, groups, strict=True):
        row[: len(group)] = group
    picked = random.integers(0, len(groups), (RESAMPLES, len(groups)))  # [resample, slot] -> process
    sizes_picked = sizes[picked]
    rounds = (random.random((RESAMPLES, len(groups), longest)) * sizes_picked[..., None]).astype(np.int64)
    values = table[picked[..., None], rounds]
    values[np.arange(longest) >= sizes_picked[..., None]] = np.inf  # beyond the rounds that this process has
    ordered = np.sort(values.reshape(RESAMPLES, -1), axis=1)
    counts = sizes_picked.sum(1)
    each = np.arange(RESAMPLES)
    medians: NDArray[np.float64] = (ordered[each, (counts - 1) // 2] + ordered[each, counts // 2]) / 2
    return medians

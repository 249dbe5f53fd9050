"""The raw samples of runs as arrays, which answer for many cases at once what `stats` answers for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2u_bench import stats
from a2u_bench.stats import Estimate, Numbers

Places = NDArray[np.intp]

Key = tuple[str, str]
"""What `run` says of a row ("" where there is no such column) and its case."""

MEASURES = ("latency", "latency_cold")
"""What a sample holds times of."""


@dataclass(frozen=True)
class Timings:
    """Samples in the order of cases, processes and rounds. A case is a number, `places` says which; -1 has none."""

    places: Mapping[Key, int]
    seconds: Numbers
    process: Places  # of each sample; processes of different runs are different
    moment: Places  # of each sample: process and round in one number
    key: Places  # of each sample: case and moment in one number, ascending
    first: Places  # of each case: where its samples begin; and the end of the last

    def place(self, keys: Iterable[Key]) -> Places:
        """The number of each case, -1 where it has no samples."""
        return np.array([self.places.get(key, -1) for key in keys], dtype=np.intp)

    def latencies(self, cases: Places) -> Estimate:
        """As `stats.latency` of each case."""
        pair, sample = self._samples(cases)
        which, middle = stats.medians(self._groups(pair, sample), self.seconds[sample])
        return stats.over_groups(which // self._processes, np.log(middle), len(cases))

    def ratios(self, cases: Places, others: Places) -> Estimate:
        """As `stats.ratio` of each case and the other beside it; of cases that shared no round, `stats.UNKNOWN`."""
        pair, sample = self._samples(np.where(others < 0, -1, cases))
        wanted = others[pair] * self._moments + self.moment[sample]
        at = np.minimum(np.searchsorted(self.key, wanted), max(len(self.key) - 1, 0))
        shared = self.key[at] == wanted
        pair, sample, at = pair[shared], sample[shared], at[shared]
        logs = np.log(self.seconds[sample] / self.seconds[at])
        which, middle = stats.medians(self._groups(pair, sample), logs)
        return stats.over_groups(which // self._processes, middle, len(cases))

    def pooled(self, cases: Places) -> Numbers:
        """The median of all samples of each case, NaN where it has none: what rows of earlier programs say."""
        pair, sample = self._samples(cases)
        which, middle = stats.medians(pair, self.seconds[sample])
        found = np.full(len(cases), np.nan)
        found[which] = middle
        return found

    @property
    def _processes(self) -> int:
        return int(self.process.max(initial=0)) + 1

    @property
    def _moments(self) -> int:
        return int(self.moment.max(initial=0)) + 1

    def _samples(self, cases: Places) -> tuple[Places, Places]:
        """Every sample of these cases, and which of the cases each is of."""
        begin = np.where(cases < 0, 0, self.first[cases])
        count = np.where(cases < 0, 0, self.first[cases + 1] - begin)
        pair = np.repeat(np.arange(len(cases)), count)
        return pair, np.arange(len(pair)) + np.repeat(begin - np.cumsum(count) + count, count)

    def _groups(self, pair: Places, sample: Places) -> Places:
        return pair * self._processes + self.process[sample]


def gather(samples: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Timings]:
    """The timings of each measure that samples have; each comes with what `run` says of its row.

    As in `stats.gather`, several times of one round become their mean, and of a round that stands twice the later
    counts.
    """
    cases: dict[Key, int] = {}
    processes: dict[tuple[str, int], int] = {}
    found: dict[str, tuple[list[int], list[int], list[int], list[float]]] = {
        name: ([], [], [], []) for name in MEASURES
    }
    for label, sample in samples:
        case = cases.setdefault((label, sample["case"]), len(cases))
        process = processes.setdefault((label, sample["process"]), len(processes))
        for name in MEASURES if "latency_cold" in sample else MEASURES[:1]:
            times = sample[name]
            if times and min(times) > 0:
                columns = found[name]
                columns[0].append(case)
                columns[1].append(process)
                columns[2].append(sample["round"])
                columns[3].append(times[0] if len(times) == 1 else sum(times) / len(times))
    return {name: _sorted(cases, *map(np.array, columns)) for name, columns in found.items() if columns[0]}


def _sorted(cases: Mapping[Key, int], case: Places, process: Places, index: Places, seconds: Numbers) -> Timings:
    moment = np.unique(process * (int(index.max()) + 1) + index, return_inverse=True)[1]
    key = case * (int(moment.max()) + 1) + moment
    order = np.argsort(key, kind="stable")
    order = order[np.append(np.diff(key[order]) > 0, True)]  # the last of each round
    first = np.searchsorted(case[order], np.arange(len(cases) + 1))
    return Timings(cases, seconds[order], process[order], moment[order], key[order], first)

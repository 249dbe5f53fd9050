"""Whether operators rank alike along an axis: Kendall's τ between two of its values, and pairs that change places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from a2u_bench.frames import SHAPE, is_axis, to_shape
from a2u_bench.judge import SUBJECT

AXES = (SHAPE, "scale", "dtype", "layout", "mode", "runtime", "device", "threads", "allocator")
"""The axes along which a ranking may change; all others tell operators or runs apart."""

SIDES = ("batch", "channels", "height", "width")
FEWEST = 3
"""Operators: two are no ranking."""


@dataclass(frozen=True)
class Comparison:
    """Two values of an axis: the workloads that have both, the operators ranked, the least τ of all, and who swaps."""

    axis: str
    first: str
    second: str
    workloads: int
    operators: int
    tau: float
    swaps: tuple[tuple[str, str], ...]  # quicker at the first value, quicker at the second

    @property
    def sentence(self) -> str:
        """The comparison in a line."""
        many = f", the least of {self.workloads} workloads" if self.workloads > 1 else ""
        names = [f"{a} and {b}" for a, b in self.swaps[:3]]
        more = f" and {len(self.swaps) - 3} more" if len(self.swaps) > 3 else ""
        count = len(self.swaps)
        said = f"{count} pair{' changes' if count == 1 else 's change'} places: {'; '.join(names)}{more}"
        rank = f"Kendall's τ {self.tau:.2f} over {self.operators} operators{many}"
        what = f"ranking by latency, {self.axis} {self.first} to {self.second}"
        return f"{what}: {rank}; {said if count else 'no pair surely changes places'}"


def varying(frame: pd.DataFrame) -> list[str]:
    """The axes of which the frame has several values."""
    frame = frame.assign(**{SHAPE: to_shape(frame)})
    return [axis for axis in AXES if axis in frame and frame[axis].nunique() > 1]


def along(frame: pd.DataFrame, axis: str) -> list[Comparison]:
    """The first value of an axis against each other one, over all workloads that have both.

    A pair changes places where both orders are sure: the intervals of its latencies are apart at both values.
    """
    timed = frame[frame["latency"].notna() & frame["options"].notna()]
    timed = timed.assign(**{SHAPE: to_shape(timed)})
    if timed.empty:
        return []
    rest = [
        name
        for name in (*(n for n in timed.columns if is_axis(str(n))), SHAPE)
        if name != axis and name not in SUBJECT and not (axis == SHAPE and name in SIDES)
    ]
    values = list(dict.fromkeys(timed[axis].dropna()))
    workloads = [group for _, group in timed.groupby(rest, dropna=False, sort=False)]
    found = []
    for second in values[1:]:
        pairs = [pair for group in workloads if (pair := _both(group, axis, values[0], second)) is not None]
        if pairs:
            swaps = dict.fromkeys(swap for pair in pairs for swap in _swaps(pair))
            taus = [_tau(pair) for pair in pairs]
            most = max(len(pair) for pair in pairs)
            found.append(Comparison(axis, str(values[0]), str(second), len(pairs), most, min(taus), tuple(swaps)))
    return found


def _both(group: pd.DataFrame, axis: str, first: object, second: object) -> pd.DataFrame | None:
    """Latencies and intervals of the operators that have both values, side by side; None where they are too few."""
    columns = ["latency", "latency_low", "latency_high"]
    sides = [
        group[group[axis] == value].drop_duplicates("options").set_index("options")[columns].astype("float64")
        for value in (first, second)
    ]
    joined = sides[0].add_suffix("_first").join(sides[1].add_suffix("_second"), how="inner")
    return joined if len(joined) >= FEWEST else None


def _tau(pair: pd.DataFrame) -> float:
    from scipy import stats

    return float(stats.kendalltau(pair["latency_first"], pair["latency_second"]).statistic)


def _swaps(pair: pd.DataFrame) -> Iterator[tuple[str, str]]:
    rows = pair.to_dict("index")
    for a, b in combinations(rows, 2):
        for one, other in ((a, b), (b, a)):
            sure_first = rows[one]["latency_high_first"] < rows[other]["latency_low_first"]
            sure_second = rows[other]["latency_high_second"] < rows[one]["latency_low_second"]
            if sure_first and sure_second:
                yield str(one), str(other)


def notes(frame: pd.DataFrame, axes: Sequence[str] | None = None) -> list[str]:
    """A sentence for each comparison along each axis that varies."""
    return [one.sentence for axis in (varying(frame) if axes is None else axes) for one in along(frame, axis)]

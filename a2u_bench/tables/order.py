"""Which rows a table shows that nobody chose, and in which order: operators at their defaults, the fastest first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench.columns import SUBJECT
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.verdicts import ordering
from a2u_bench.store import frames


def fastest_first(frame: pd.DataFrame, below: bool, reading: Reading | None) -> pd.DataFrame:
    """The rows of each workload as `ordering` says, or, with `below`, variants after their operator at its defaults."""
    workload = frames.workloads(frame, SUBJECT)
    speed = pd.Series(ordering(frame, reading), frame.index)
    above = _below_operators(frame, workload, speed) if below else []
    return frame.iloc[np.lexsort((speed.to_numpy(), *above, workload.to_numpy()))]


def is_unnamed_variant(frame: pd.DataFrame, reading: Reading) -> NDArray[np.bool_]:
    """Which rows are of an operator at options that no run names, beside one of it at its defaults on its workload."""
    named = {text for manifest in reading.manifests.values() for text in _texts(manifest.get("named"))}
    named |= set(reading.operators.values())
    options, operator = (frame[name].fillna("") for name in ("options", "operator"))
    places = list(zip(frames.workloads(frame, SUBJECT), operator, strict=True))
    defaults = {place for place, is_default in zip(places, options == operator, strict=True) if is_default}
    beside = np.array([place in defaults for place in places], dtype=bool)
    return np.asarray((options != operator) & ~options.isin(named), dtype=bool) & beside


def _below_operators(frame: pd.DataFrame, workload: pd.Series, speed: pd.Series) -> list[NDArray[Any]]:
    """What rows are sorted by, after their own speed, so that variants follow their operator at its defaults."""
    operator = frame["operator"].fillna("")
    is_default = (frame["options"] == operator).fillna(False).astype(bool)
    place = pd.MultiIndex.from_arrays([workload, operator])
    own = dict(zip(place[is_default], speed[is_default], strict=True))
    first = np.array([own.get(at, one) for at, one in zip(place, speed, strict=True)])
    of_whom = pd.factorize(operator)[0]
    there = np.array([at in own for at in place])
    return [~is_default.to_numpy(), np.where(there, of_whom, -1), first]


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

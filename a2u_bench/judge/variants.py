"""Variants: operators at other options than their defaults, which tables and advice leave out unless they are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench.columns import SUBJECT
from a2u_bench.judge.reading import Reading
from a2u_bench.store import frames


def unnamed(frame: pd.DataFrame, reading: Reading) -> NDArray[np.bool_]:
    """Which rows are of an operator at options that no run names, beside one of it at its defaults on its workload."""
    named = {text for manifest in reading.manifests.values() for text in _texts(manifest.get("named"))}
    named |= set(reading.operators.values())
    options, operator = (frame[name].fillna("") for name in ("options", "operator"))
    places = list(zip(frames.workloads(frame, SUBJECT), operator, strict=True))
    defaults = {place for place, is_default in zip(places, options == operator, strict=True) if is_default}
    beside = np.array([place in defaults for place in places], dtype=bool)
    return np.asarray((options != operator) & ~options.isin(named), dtype=bool) & beside


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
